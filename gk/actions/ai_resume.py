"""ai_resume: answers again, after ai_stop."""

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
    unanswered: int


@action("ai_resume", scope="settings")
async def ai_resume(context: Context, input: Input) -> Output:
    """Write answers again where ai_stop with the same `address` ended that.

    What came meanwhile stays unanswered (`unanswered` messages), and what is held in the queue stays held.
    """
    if context.account is None and not input.address:
        return Output("", await context.store.replies.resume(EVERYBODY))
    account = whose(context, input.address)
    return Output(account.address, await context.store.replies.resume(account.id))
