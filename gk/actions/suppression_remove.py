"""suppression_remove: an address may be written to again."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.suppression_entry import entry, owner
from gk.errors import Refused


@dataclass(frozen=True, slots=True)
class Input:
    address: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    removed: str


@action("suppression_remove", scope="admin")
async def suppression_remove(context: Context, input: Input) -> Output:
    """Take an address off the suppression list of an account, or without one off that for all."""
    address = entry(input.address)
    if not await context.store.sending.allow(owner(context, input.account), address):
        raise Refused(f"{address} is not on that list; «gk suppression list» shows it")
    return Output(address)
