"""queue_show: one message of the queue."""

from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action


@dataclass(frozen=True, slots=True)
class Input:
    id: int


@dataclass(frozen=True, slots=True)
class Output:
    message: dict[str, Any]
    header: str


@action("queue_show", scope="admin")
async def queue_show(context: Context, input: Input) -> Output:
    """Show one queued message: its recipients as in the list, and its header."""
    item = context.store.outgoing.get(input.id)
    content = await context.store.mailboxes.content_of(item["message"])
    header = content.read(0, 64 << 10).partition(b"\r\n\r\n")[0] if content else b""
    return Output(item, header.decode("utf-8", "replace"))
