"""rejects_show: why a message was not taken."""

from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused


@dataclass(frozen=True, slots=True)
class Input:
    id: int


@dataclass(frozen=True, slots=True)
class Output:
    id: int
    at: int
    told: dict[str, Any]


@action("rejects_show", scope="admin")
async def rejects_show(context: Context, input: Input) -> Output:
    """Show what is known of a message that was refused or deferred: its envelope, the answer, and each finding."""
    found = context.store.rejects.get(input.id)
    if found is None:
        raise Refused(f"no refused message {input.id} is remembered; «gk rejects list» shows those that are")
    return Output(found.id, found.at, found.told)
