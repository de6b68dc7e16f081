"""ban_list: who is not served now."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.store.bans import Ban

LONGEST = 10_000  # bans in one answer


@dataclass(frozen=True, slots=True)
class Input:
    pass


@dataclass(frozen=True, slots=True)
class Output:
    bans: list[Ban]
    total: int


@action("ban_list", scope="admin")
async def ban_list(context: Context, input: Input) -> Output:
    """List the networks that are banned now, up to 10,000, the one that stays so longest first.

    `until` and `added` are seconds since 1970; `times` counts the bans of a network in a row; `reason` is what it did
    (logins, errors, relays, recipients, overruns), or what was given when it was banned by hand.
    """
    bans = context.bans.every()
    return Output(bans[:LONGEST], len(bans))
