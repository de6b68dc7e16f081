"""People, organisations and places: runs of capitalised words, told apart by what they hold and what stands beside."""

import re
from collections.abc import Sequence

from gk.ai.signals.entities import Entity
from gk.ai.signals.gazetteer import (
    AFFILIATED,
    COMMON,
    FIRST_NAMES,
    HEADS,
    PLACED,
    PLACES,
    ROADS,
    STREETS,
    SUFFIXES,
    TAILS,
    TITLES,
)
from gk.ai.signals.words import fold

MOST = 60  # runs of one mail
CLOSING = 8  # last lines in which a signature is looked for

_LETTER = "A-ZÀ-ÖØ-Þ"
_CAP = rf"[{_LETTER}][\w.’'-]*"
_STREET = "(?:rue|quai|avenue|boulevard|bd|impasse|chemin|allée|place|route|salle|gare)"
_RUN = re.compile(
    rf"(?<![\w@/])(?:\d{{1,4}}(?:\s?(?:bis|ter))?,?[ ](?={_STREET}[ ]))?"
    rf"(?:{_STREET}[ ](?:des?[ ]|du[ ]|de la[ ]|d['’]|l['’])?)?"
    rf"(?:[ldLD]['’])?{_CAP}(?:[ ](?:(?:de la|de|du|des|van der|van|von|of the|of|le|la|&|et)[ ])?(?:[dl]['’])?{_CAP})*"
)
_HOUSE = re.compile(r"\d{1,4}[ ]\Z")
_SPLIT = re.compile(r"[ ]+")
_TAIL_OF_NAME = re.compile(r"['’]s\Z|[.,'’-]+\Z")
_GREETED = re.compile(r"(?:bonjour|bonsoir|salut|hello|hi|hey|dear|ch[eè]re?s?|good morning|coucou)\s\Z", re.IGNORECASE)


def named(text: str, sender: str, domain: str, taken: Sequence[Entity]) -> list[Entity]:
    """People, organisations and places in `text`; `sender` is the name in From, `domain` the author's."""
    out: list[Entity] = []
    busy = [(item.start, item.end) for item in taken]
    label = fold(domain.rpartition(".")[0].replace(".", "")).replace(" ", "")
    own = set(fold(sender).split()) - {"", "service", "team", "equipe"}
    lines = _closing(text)
    for number, match in enumerate(_RUN.finditer(text)):
        if number >= MOST:
            break
        start, end = match.span()
        if any(start < there and here < end for here, there in busy):
            continue
        _judge(text, start, end, own, label, lines, out)
    _unsigned(text, own, lines, out)
    return out


def _closing(text: str) -> int:
    """Where the last lines begin."""
    at = len(text)
    for _ in range(CLOSING):
        at = text.rfind("\n", 0, at)
        if at < 0:
            return 0
    return at


def _judge(text: str, start: int, end: int, own: set[str], label: str, closing: int, out: list[Entity]) -> None:
    """Say what one run of capitalised words is, if anything."""
    words = [(piece.start() + start, piece.group()) for piece in re.finditer(r"\S+", text[start:end])]
    while words and (key := _key(words[0][1])) in COMMON and key not in TITLES:
        words.pop(0)
    while words and (_key(words[-1][1]) in COMMON or words[-1][1][:1].islower() or words[-1][1] in ("&",)):
        words.pop()
    if not words:
        return
    first = words[0][0]
    last = words[-1][0] + len(words[-1][1])
    shown = _TAIL_OF_NAME.sub("", text[first:last])
    if words[0][1].lower().startswith(("l'", "l’", "d'", "d’")) and len(shown) > 3:
        first, shown = first + 2, shown[2:]
    keys = [_key(word) for _, word in words]
    kind = _kind(text, first, first + len(shown), shown, keys, own, label, closing)
    if kind and len(shown) > 1:
        out.append(Entity(kind, shown, first, first + len(shown)))


def _key(word: str) -> str:
    return fold(word).replace(" ", "")


def _kind(
    text: str, first: int, last: int, shown: str, keys: list[str], own: set[str], label: str, closing: int
) -> str:
    before = text[max(0, first - 24) : first]
    previous = _key(before.split()[-1]) if before.split() else ""
    if keys[0].isdigit() and len(keys) > 1:  # the number of a house
        keys = keys[1:]
    if keys[0] in TITLES:
        return "person" if len(keys) > 1 else ""
    if keys[0] in STREETS and len(keys) > 1:
        return "place"
    if any(key in SUFFIXES for key in keys[1:]):
        return "organisation"
    if len(keys) > 1 and keys[0] in HEADS:
        return "organisation"
    if len(keys) > 1 and keys[-1] in ROADS and keys[0] not in FIRST_NAMES:
        return "place"
    if previous in TITLES and before.rstrip(" ")[-1:] not in ",;":
        return "person"
    joined = "".join(keys)
    if (
        len(joined) > 3
        and label
        and keys[0] not in FIRST_NAMES
        and (joined in label or (len(keys) > 1 and label in joined))
    ):
        return "organisation"
    if len(keys) > 1 and keys[-1] in TAILS and keys[0] not in FIRST_NAMES:
        return "organisation"
    if own and set(keys) <= own:
        return "person"
    if keys[0] in FIRST_NAMES:
        return "person" if keys[-1] not in TAILS else "organisation"
    if all(key in PLACES for key in keys):
        return "place"
    if _GREETED.search(before):
        return "person"
    alone = _alone(text, first, last)
    if first >= closing and alone:
        return _signed(text, first, shown, keys)
    if _begins(before):
        return (
            "organisation"
            if len(keys) > 1 and (set(keys) & (HEADS | TAILS))
            else ("person" if 2 <= len(keys) <= 3 and first >= closing else "")
        )
    if before.endswith(("à ", "À ")) or previous in PLACED:
        return "place"
    if previous in AFFILIATED:
        return "organisation"
    if before.endswith(", ") and first >= closing:
        return "organisation"
    if previous == "at" and len(keys) < 3:
        return "place"
    if shown.isupper() and len(shown) < 6:
        return ""
    if len(keys) in (2, 3) and not any(len(key) < 2 for key in keys):
        return "person"
    return "person" if len(keys) == 1 and shown[1:].islower() and len(shown) > 3 and previous in _OF_PEOPLE else ""


_OF_PEOPLE = frozenset(
    ("and et with avec que if quand when but mais to for pour de by par tell ask dis demande thank merci").split()
)


def _begins(before: str) -> bool:
    """Whether a sentence begins here, where capitals say nothing."""
    head = before.rstrip(" \t\"«“'‘(-*•")
    return not head or head[-1] in ".!?:\n…"


def _alone(text: str, first: int, last: int) -> bool:
    """Whether the run is a line of its own, or the head of one that goes on behind a comma or a dash."""
    return (first == 0 or text[:first].rstrip(" \t*_-–").endswith("\n")) and (
        last >= len(text) or text[last:].lstrip(" .*_")[:1] in ("\n", ",", "–", "-", "|", "")
    )


def _signed(text: str, first: int, shown: str, keys: list[str]) -> str:
    """A line of a signature: its first is the person, what follows a person is their house."""
    if set(keys) & (HEADS | TAILS | SUFFIXES):
        return "organisation"
    above = text[:first].rstrip().rpartition("\n")[2].strip()
    if len(keys) <= 4 and not shown.isupper() and (not above or above[-1] in ",.!?:" or len(above.split()) > 4):
        return "person"
    return "organisation" if len(keys) <= 4 and len(shown) > 3 and not shown.isupper() else ""


def _unsigned(text: str, own: set[str], closing: int, out: list[Entity]) -> None:
    """Names in small letters: the last line, when it holds nothing but words of the sender's name."""
    last = text.rstrip().rpartition("\n")[2].strip(" -–—,.")
    if (
        not last
        or len(last) > 40
        or any(item.text in last or last in item.text for item in out if item.type == "person")
    ):
        return
    keys = fold(last).split()
    if (
        keys
        and len(keys) <= 3
        and all(any(key == name or (len(key) > 2 and name.startswith(key)) for name in own) for key in keys)
    ):
        at = text.rfind(last)
        if at >= 0:
            out.append(Entity("person", last, at, at + len(last)))
