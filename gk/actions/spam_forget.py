"""spam_forget: begin anew with what is junk."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.store.lessons import BASE


@dataclass(frozen=True, slots=True)
class Input:
    address: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    junk: int
    wanted: int


@action("spam_forget", scope="admin")
async def spam_forget(context: Context, input: Input) -> Output:
    """Forget what an account taught about junk, or without an `address` what all have in common; how much it was."""
    account = context.store.accounts.get(input.address).id if input.address else BASE
    before = context.store.lessons.totals(account)
    await context.store.lessons.forget(account)
    return Output(before.junk, before.wanted)
