"""remote_list: mailboxes users have elsewhere, and how they are."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.inbound.remote.watching import Health


@dataclass(frozen=True, slots=True)
class Input:
    pass


@dataclass(frozen=True, slots=True)
class Output:
    accounts: list[Health]


@action("remote_list", scope="read")
async def remote_list(context: Context, input: Input) -> Output:
    """List the accounts elsewhere that are kept in step, in the order of the configuration; a user sees the own ones.

    `state` is waiting, connecting, working, watching, failing or without owner; `synced` and `again`, when it is tried
    again after a failure, are seconds since 1970, 0: never; `messages` are in step on both sides.
    """
    own = context.account
    found = context.remotes.health()
    return Output([one for one in found if own is None or one.owner == own.address])
