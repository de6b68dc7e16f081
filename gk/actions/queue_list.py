"""queue_list: what waits to leave."""

from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action

LONGEST = 1000  # messages in one answer


@dataclass(frozen=True, slots=True)
class Input:
    after: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    messages: list[dict[str, Any]]
    total: int


@action("queue_list", scope="admin")
async def queue_list(context: Context, input: Input) -> Output:
    """List the outgoing queue by id: up to 1,000 messages with ids above `after`, and how many there are in all.

    Each message has its recipients with their status, attempts and last reply.
    """
    outgoing = context.store.outgoing
    return Output(outgoing.list(after=input.after, limit=LONGEST), outgoing.count)
