"""spam_train: teach all accounts what junk looks like."""

from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused
from gk.inbound.spam.signs import SIGNS
from gk.store.lessons import BASE

MOST = 50_000  # signs of one call


@dataclass(frozen=True, slots=True)
class Input:
    kind: str
    messages: int
    signs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Output:
    junk: int
    wanted: int


@action("spam_train", scope="admin")
async def spam_train(context: Context, input: Input) -> Output:
    """Add messages, by their signs, to what all accounts know of junk.

    `kind` is junk or wanted, `signs` has for each sign, a number below 2^20 as text, in how many of the `messages` it
    was. `gk spam train` works the signs out of files, so that the mail itself stays where it is.
    """
    if input.kind not in ("junk", "wanted"):
        raise Refused(f"mail is junk or wanted, not {input.kind!r}")
    if not 0 < input.messages <= 1 << 20 or len(input.signs) > MOST:
        raise Refused(f"one call takes at most {MOST} signs, of 1 to {1 << 20} messages")
    counts = {}
    for text, count in input.signs.items():
        if not text.isdecimal() or len(text) > 7 or int(text) >= SIGNS:
            raise Refused(f"{text[:40]!r} is no sign")
        if not isinstance(count, int) or not 0 < count <= input.messages:
            raise Refused(f"a sign is in 1 to {input.messages} of {input.messages} messages, not in {count!r}")
        counts[int(text)] = count
    await context.store.lessons.teach_base(input.kind, counts, input.messages)
    totals = context.store.lessons.totals(BASE)
    return Output(totals.junk, totals.wanted)
