"""queue_list: what waits to leave."""

from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused
from gk.store.queued import Chosen

LONGEST = 1000  # messages in one answer
STATUSES = ("", "pending", "sending", "sent", "failed", "bounced", "held")


@dataclass(frozen=True, slots=True)
class Input:
    after: int = 0
    status: str = ""
    sender: str = ""
    recipient: str = ""
    domain: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    messages: list[dict[str, Any]]
    total: int


@action("queue_list", scope="admin")
async def queue_list(context: Context, input: Input) -> Output:
    """List the outgoing queue by id: up to 1,000 messages with ids above `after`, and how many there are in all.

    Each message has its recipients with their status, attempts and last reply. The other arguments choose by the
    status of a recipient (or held), sender, recipient, the recipient's domain, and origin.
    """
    if input.status not in STATUSES:
        raise Refused(f"a status is one of {', '.join(filter(None, STATUSES))}")
    chosen = Chosen(input.status, input.sender, input.recipient, input.domain, input.origin)
    outgoing = context.store.outgoing
    return Output(outgoing.list(after=input.after, limit=LONGEST, chosen=chosen), outgoing.count)
