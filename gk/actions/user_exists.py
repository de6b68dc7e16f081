"""user_exists: whether an account is there."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action


@dataclass(frozen=True, slots=True)
class Input:
    address: str


@dataclass(frozen=True, slots=True)
class Output:
    exists: bool


@action("user_exists", scope="admin")
async def user_exists(context: Context, input: Input) -> Output:
    """Tell whether there is an account of that address."""
    return Output(context.store.accounts.by_address(input.address) is not None)
