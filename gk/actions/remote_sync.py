"""remote_sync: bring one account elsewhere in step now."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused
from gk.inbound.remote.round import Tally


@dataclass(frozen=True, slots=True)
class Input:
    name: str


@action("remote_sync", scope="settings")
async def remote_sync(context: Context, input: Input) -> Tally:
    """Look at an account elsewhere now, also when it waits after a failure, and tell what was done.

    `new` messages came, `again` were known again, `left` stay there alone, `told` are changes from here, `changed` and
    `gone` those from there.
    """
    own = context.account
    theirs = [one.name for one in context.remotes.health() if own is None or one.owner == own.address]
    if input.name not in theirs:
        raise Refused(f"there is no account elsewhere called {input.name}; «gk remote list» shows those there are")
    return await context.remotes.sync(input.name)
