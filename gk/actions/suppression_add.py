"""suppression_add: send nothing to an address any more."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.suppression_entry import entry, owner
from gk.errors import Refused

REASON = 200  # characters


@dataclass(frozen=True, slots=True)
class Input:
    address: str
    account: str = ""
    reason: str = "added by hand"


@dataclass(frozen=True, slots=True)
class Output:
    address: str
    added: bool


@action("suppression_add", scope="admin")
async def suppression_add(context: Context, input: Input) -> Output:
    """Have an account send nothing in bulk to an address, or without an account, nobody anything at all."""
    if len(input.reason) > REASON or not input.reason.isprintable():
        raise Refused(f"a reason is one line of at most {REASON} characters")
    address = entry(input.address)
    added = await context.store.sending.suppress(owner(context, input.account), address, input.reason)
    return Output(address, added)
