"""ask_effects: what the assistant did."""

from dataclasses import dataclass
from datetime import UTC, datetime

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.whose import whose

MOST = 100


@dataclass(frozen=True, slots=True)
class Input:
    address: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    effect: int
    at: str
    words: str
    state: str


@dataclass(frozen=True, slots=True)
class Output:
    effects: list[Line]


@action("ask_effects", scope="read")
async def ask_effects(context: Context, input: Input) -> Output:
    """List what the assistant did for a user, the last 100 effects, the newest first.

    `state` is done, undone, or final where nothing takes it back.
    """
    found = context.store.conversations.effects(whose(context, input.address).id, MOST)
    return Output([
        Line(
            one.id, datetime.fromtimestamp(one.at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"), one.words,
            "undone" if one.undone else "done" if one.undo else "final",
        )
        for one in found
    ])  # fmt: skip
