"""queue_list: what waits to leave."""

from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action


@dataclass(frozen=True, slots=True)
class Input:
    pass


@dataclass(frozen=True, slots=True)
class Output:
    messages: list[dict[str, Any]]


@action("queue_list", scope="admin")
async def queue_list(context: Context, input: Input) -> Output:
    """List the outgoing queue: each message with its recipients, their status, attempts and last reply."""
    return Output(context.store.outgoing.list())
