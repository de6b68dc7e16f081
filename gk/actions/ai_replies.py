"""ai_replies: what became of messages that may be answered."""

from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.whose import whose
from gk.errors import Refused
from gk.store.replies import STATES

MOST = 500  # messages of one answer


@dataclass(frozen=True, slots=True)
class Input:
    address: str = ""
    state: str = ""
    before: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Output:
    replies: list[dict[str, Any]]


@action("ai_replies", scope="read")
async def ai_replies(context: Context, input: Input) -> Output:
    """List messages that were looked at to be answered, the newest first, with the rule and the reason of each.

    An administrator may leave out `address`. `state` is pending, processing, completed, failed or skipped; `before` is
    the `number` below which a page begins. `made` is the draft (G12), or the number of the answer in the queue, 0 where
    it was delivered here.
    """
    if input.state not in ("", *STATES):
        raise Refused(f"a state is one of {', '.join(STATES)}")
    account = None if context.account is None and not input.address else whose(context, input.address).id
    limit = min(max(1, input.limit), MOST)
    return Output([told(row) for row in context.store.replies.list(account, input.state, input.before, limit)])


def told(row: dict[str, Any]) -> dict[str, Any]:
    """One of them, with ids as people name them."""
    made = row["made"]
    if row["action"] == "draft" and made is not None:
        made = f"G{made}"
    return {**row, "message": f"G{row['message']}", "made": made}
