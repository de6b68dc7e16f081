"""suppression_list: whom nothing is sent to."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.suppression_entry import owner
from gk.errors import Refused

LONGEST = 1000  # entries in one answer


@dataclass(frozen=True, slots=True)
class Input:
    account: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    address: str
    reason: str
    added: int


@dataclass(frozen=True, slots=True)
class Output:
    entries: list[Entry]
    after: str | None


@action("suppression_list", scope="admin")
async def suppression_list(context: Context, input: Input) -> Output:
    """List the addresses that nothing in bulk is sent to by an account, or without one nothing at all by anybody.

    Up to 1,000 entries; `after` of the answer is what to give for the next page, null on the last one. An address is
    empty where a recipient unsubscribed from another one, and only its hash is known.
    """
    try:
        after = int(input.after, 16) if input.after else None
    except ValueError:
        raise Refused("that is no place in the list") from None
    if after is not None and abs(after) >> 63:
        raise Refused("that is no place in the list")
    found = context.store.sending.suppressions(owner(context, input.account), after, LONGEST)
    entries = [Entry(each.address, each.reason, each.added) for each in found]
    return Output(entries, f"{found[-1].cursor:x}" if len(found) == LONGEST else None)
