"""One stored message judged: what is kept of it, and the IMAP keywords that tell it. Pure functions of its octets."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from gk.ai.reasons import Evidence, located, places_in
from gk.ai.triage import Named, Triage, triage
from gk.ai.view import View, view
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
    found = triage(view(raw), placed=False)
    content = packed(plain(found))
    return Judged(found.category, found.urgency, keywords(found), content, time.perf_counter() - began)


def plain(found: Triage) -> dict[str, Any]:
    """A result as it is stored: entities and evidence are lists, evidence without its places."""
    kept = {name: getattr(found, name) for name in _PLAIN}
    kept["entities"] = [(one.type, one.text, one.where, one.start, one.end) for one in found.entities]
    kept["evidence"] = [(one.signal, one.feature, one.weight) for one in found.evidence]
    return kept


def told(kept: Mapping[str, Any], seen: View) -> dict[str, Any] | None:
    """What `asdict` gives of the result that was stored, evidence with its places; None where it has another shape."""
    try:
        reasons = [Evidence(signal, feature, "", 0, 0, weight) for signal, feature, weight in kept["evidence"]]
        whole = {name: kept[name] for name in _PLAIN}
        whole["entities"] = [asdict(Named(*one)) for one in kept["entities"]]
        whole["evidence"] = [asdict(one) for one in located(reasons, places_in(seen))]
    except (KeyError, TypeError, ValueError):
        return None
    return whole if kept.keys() == whole.keys() else None


_PLAIN = [field.name for field in fields(Triage) if field.name not in ("entities", "evidence")]


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
