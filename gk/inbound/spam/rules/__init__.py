"""The rules, one file a family; `look` asks them all."""

from collections.abc import Mapping

from gk.inbound.spam.rule import RULES, Around, Hit
from gk.inbound.spam.rules import attachments, content, headers, identity, links, phrases
from gk.inbound.spam.seen import Seen

FAMILIES = (attachments, content, headers, identity, links, phrases)  # importing a family registers its rules


def look(seen: Seen, around: Around, weights: Mapping[str, float]) -> list[Hit]:
    """What the rules find; `weights` replace points by rule, 0 turns one off."""
    hits = []
    for name, (usual, find) in RULES.items():
        points = weights.get(name, usual)
        found = find(seen, around) if points else None
        if found is not None:
            text, where = found if isinstance(found, tuple) else (found, None)
            hits.append(Hit(name, points, text, where))
    return hits
