"""ai_stop: no more answers, at once, for everybody or for one user."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.whose import whose
from gk.store.replies import EVERYBODY


@dataclass(frozen=True, slots=True)
class Input:
    address: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    address: str
    held: int


@action("ai_stop", scope="settings")
async def ai_stop(context: Context, input: Input) -> Output:
    """Stop writing answers at once, and hold those that wait in the queue; it stays so until ai_resume.

    A user stops what is written in their own name; an administrator that of the account `address`, or without it all.
    `held` is how many queued messages are held now; queue_release lets one go.
    """
    if context.account is None and not input.address:
        return Output("", await context.store.replies.stop(EVERYBODY))
    account = whose(context, input.address)
    return Output(account.address, await context.store.replies.stop(account.id))
