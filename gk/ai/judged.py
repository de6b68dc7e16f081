"""One stored message judged: what is kept of it, and the IMAP keywords that tell it. Pure functions of its octets."""

import time
from dataclasses import asdict, dataclass

from gk.ai.triage import Triage, triage
from gk.ai.view import view
from gk.store.triages import packed

READ = 1 << 20  # octets of a message that are looked at; its text stands at the beginning


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a message: `content` as it is stored, `seconds` as they passed."""

    category: str
    urgency: str
    keywords: frozenset[str]
    content: bytes
    seconds: float


def judge(raw: bytes) -> Judged:
    """Judge the first `READ` octets of a message; takes up to 20 ms."""
    began = time.perf_counter()
    found = triage(view(raw))
    content = packed(asdict(found))
    return Judged(found.category, found.urgency, keywords(found), content, time.perf_counter() - began)


def keywords(found: Triage) -> frozenset[str]:
    """The IMAP keywords that tell a result."""
    words = {f"$gk-{found.category}"}
    if found.urgency in ("high", "critical"):
        words.add("$gk-urgent")
    if found.needs_response:
        words.add("$gk-reply")
    if found.notification:
        words.add("$gk-notification")
    return frozenset(words)
