"""queue_trace: every attempt for a message."""

from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import NoSuchQueueItem


@dataclass(frozen=True, slots=True)
class Input:
    id: int


@dataclass(frozen=True, slots=True)
class Output:
    id: int
    attempts: list[dict[str, Any]]


@action("queue_trace", scope="admin")
async def queue_trace(context: Context, input: Input) -> Output:
    """Show every attempt to deliver a message, also after it left the queue: when, where, with what TLS and reply."""
    attempts = context.store.outgoing.trace(input.id)
    if not attempts:
        context.store.outgoing.get(input.id)
        raise NoSuchQueueItem(f"nothing was tried yet for message {input.id}")
    return Output(input.id, attempts)
