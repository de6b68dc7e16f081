"""user_remove: an account and all its mail, for good."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action


@dataclass(frozen=True, slots=True)
class Input:
    address: str


@dataclass(frozen=True, slots=True)
class Output:
    removed: str


@action("user_remove", scope="admin")
async def user_remove(context: Context, input: Input) -> Output:
    """Remove an account with all its mailboxes and messages. It cannot be undone."""
    await context.store.accounts.remove(input.address)
    return Output(input.address)
