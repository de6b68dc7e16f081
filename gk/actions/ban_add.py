"""ban_add: serve a network no more for a while."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused
from gk.store.bans import Ban

REASON = 200  # characters
YEAR = 366 * 1440  # minutes


@dataclass(frozen=True, slots=True)
class Input:
    network: str
    minutes: int = 1440
    reason: str = "added by hand"


@action("ban_add", scope="admin")
async def ban_add(context: Context, input: Input) -> Ban:
    """Ban an address or network (a single IPv6 address: its /64) for so many minutes, a year at most.

    Its new connections are refused at once; loopback, this machine and trusted networks within it are not.
    """
    if len(input.reason) > REASON or not input.reason.isprintable():
        raise Refused(f"a reason is one line of at most {REASON} characters")
    if not 1 <= input.minutes <= YEAR:
        raise Refused(f"a ban lasts 1 to {YEAR} minutes")
    return await context.bans.add(input.network, input.minutes * 60, input.reason)
