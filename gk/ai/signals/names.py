"""People, organisations and places: runs of capitalised words, told apart by what they hold and what stands beside."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice

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

MOST = 200  # capitals of one mail that are looked at
CLOSING = 8  # last lines in which a signature is looked for

_LETTER = "A-ZÀ-ÖØ-Þ"
_CAP = rf"(?:(?:[{_LETTER}]|Mr|Mrs|Ms|Dr|Mme|Mlle|Me|Pr|St|Ste)\.|[{_LETTER}][\w’'-]*)"
_STREET = "(?:rue|quai|avenue|boulevard|bd|impasse|chemin|allée|place|route|salle|gare)"
# Capitals within a word begin none.
_RUN = re.compile(
    rf"(?<![\w@/]){_CAP}(?:[ ](?:(?:de la|de|du|des|van der|van|von|of the|of|le|la|&|et)[ ])?(?:[dl]['’])?{_CAP})*"
)
_STREET_BEFORE = re.compile(
    rf"(?:\d{{1,4}}(?:\s?(?:bis|ter))?,?[ ])?\b{_STREET}[ ](?:des?[ ]|du[ ]|de la[ ]|d['’]|l['’])?\Z"
)
_STREETS = tuple("rue |quai |avenue |boulevard |bd |impasse |chemin |allée |place |route |salle |gare ".split("|"))
_HOUSE = re.compile(r"\d{1,4}[ ]\Z")
_TAIL_OF_NAME = re.compile(r"['’]s\Z|[.,'’-]+\Z")
_GREETED = re.compile(r"(?:bonjour|bonsoir|salut|hello|hi|hey|dear|ch[eè]re?s?|good morning|coucou)\s\Z", re.IGNORECASE)


def named(text: str, sender: str, domain: str, taken: Sequence[Entity]) -> list[Entity]:
    """People, organisations and places in `text`; `sender` is the name in From, `domain` the author's."""
    out: list[Entity] = []
    busy = [(item.start, item.end) for item in taken]
    label = fold(domain.rpartition(".")[0].replace(".", "")).replace(" ", "")
    own = set(fold(sender).split()) - {"", "service", "team", "equipe"}
    lines = _closing(text)
    streets = any(map(text.__contains__, _STREETS))
    for match in islice(_RUN.finditer(text), MOST):
        start, end = match.span()
        if _says_nothing(match[0]):
            continue
        if streets and (street := _STREET_BEFORE.search(text, max(0, start - 40), start)):
            start = street.start()
        for here, there in busy:
            if start < there and here < end:
                break
        else:
            _judge(text, start, end, own, label, lines, out)
    _unsigned(text, own, out)
    return out


@lru_cache(maxsize=8_192)
def _says_nothing(word: str) -> bool:
    """Whether a run is one word that begins a sentence like others do."""
    return " " not in word and (
        _ELIDED.match(word) is not None or ((key := _key(word)) in COMMON and key not in TITLES)
    )


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
    words = [(piece.start() + start, piece.group()) for piece in _WORD.finditer(text[start:end])]
    for number in range(1, len(words) - 1):  # `Message de Ann`, `Ann et Bob`: a name begins behind the small word
        if words[number][1] in _BETWEEN and _key(words[number + 1][1]) in FIRST_NAMES:
            if words[number][1] != "de" or _key(words[0][1]) not in FIRST_NAMES | HEADS:
                _judge(text, start, words[number - 1][0] + len(words[number - 1][1]), own, label, closing, out)
                words = words[number + 1 :]
            break
    while words and (_ELIDED.match(words[0][1]) or ((key := _key(words[0][1])) in COMMON and key not in TITLES)):
        words.pop(0)
    while words and (_key(words[-1][1]) in COMMON or words[-1][1][:1].islower() or words[-1][1] in ("&",)):
        words.pop()
    if len(words) > 2 and words[-1][1].isupper() and not words[-2][1].isupper() and _key(words[-1][1]) not in SUFFIXES:
        words.pop()  # letters behind a name
    if not words:
        return
    first = words[0][0]
    last = words[-1][0] + len(words[-1][1])
    shown = _TAIL_OF_NAME.sub("", text[first:last])
    if words[0][1].lower().startswith(("l'", "l’", "d'", "d’")) and len(shown) > 3:
        first, shown = first + 2, shown[2:]
    keys = [_key(word) for _, word in words]
    kind = _kind(text, first, first + len(shown), shown, keys, own, label, closing, out)
    if kind == "place" and (house := _HOUSE.search(text, max(0, first - 5), first)):
        first, shown = house.start(), house[0] + shown
    if kind and len(shown) > 1:
        out.append(Entity(kind, shown, first, first + len(shown)))


_WORD = re.compile(r"\S+")
_BETWEEN = frozenset(("de", "et", "and", "&"))
# A word that begins with a capital because a sentence does: `J'en`, `I'll`.
_ELIDED = re.compile(r"(?:[JCSNMTQI]|Qu|He|She|We|They|You|It|That|There|What|Who)['’][a-zé]")


@lru_cache(maxsize=8_192)
def _key(word: str) -> str:
    """The fold of a word without what marks a possessive."""
    if word.endswith(("'s", "’s")):
        word = word[:-2]
    return fold(word).replace(" ", "")


def _kind(
    text: str,
    first: int,
    last: int,
    shown: str,
    keys: list[str],
    own: set[str],
    label: str,
    closing: int,
    out: list[Entity],
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
    if shown.isupper():
        return ""  # loud words
    if out and out[-1].type == "organisation" and text[out[-1].end : first] in (", ", " - ", " – "):
        return "place"
    if first >= closing and _alone(text, first, last, keys):
        return _signed(text, first, shown, keys, out)
    if _begins(before):
        return (
            "organisation"
            if len(keys) > 1 and (set(keys) & (HEADS | TAILS))
            else ("person" if 2 <= len(keys) <= 3 and first >= closing else "")
        )
    if before.endswith(("à ", "À ")) or previous in PLACED or _PLACE_BEFORE.search(fold(before)):
        return "place"
    if _PLACE_BEHIND.match(text, last):
        return "place"
    if previous in AFFILIATED:
        return "organisation"
    if before.endswith(", ") and first >= closing and text[last : last + 1] in ("", "\n"):
        return "organisation"
    if previous == "at" and len(keys) < 3:
        return "place"
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


_PLACE_BEFORE = re.compile(
    r"\b(?:(?:mairie|ville|commune|fanfare|barreau|commerce|region|gare|maire|village|prefecture|hopital|site|agence|bureaux"
    r"|entrepot|magasin|port|marche|tribunal|instance|stade|aeroport|vers) d[eu]?|(?:city|town|village|port|people) of"
    r"|(?:fly|flying|travel|drive|driving|move|moving|go|going|went|trip|train|back|road|way|ferry) to) \Z"
)
_PLACE_BEHIND = re.compile(r" (?:fair|station|office|branch|depot|site|airport|harbour|market)\b")


def _alone(text: str, first: int, last: int, keys: list[str]) -> bool:
    """Whether the run is a line of its own, or the head of one that goes on behind a comma or a dash."""
    ends = ("\n", ",", "–", "-", "|", "") if len(keys) > 1 else ("\n", "")
    return (first == 0 or text[:first].rstrip(" \t*_-–").endswith("\n")) and (
        last >= len(text) or text[last:].lstrip(" .*_")[:1] in ends
    )


def _signed(text: str, first: int, shown: str, keys: list[str], out: list[Entity]) -> str:
    """A line of a signature: its first is the person, what follows a person is their house."""
    if set(keys) & (HEADS | TAILS | SUFFIXES):
        return "organisation"
    if len(keys) > 4:
        return ""
    follows = any(
        item.type == "person" and 0 <= first - item.end < 80 and "\n" in text[item.end : first] for item in out[-3:]
    )
    return "organisation" if follows and len(shown) > 3 else "person"


def _unsigned(text: str, own: set[str], out: list[Entity]) -> None:
    """Names in small letters: the last line, when it holds nothing but words of the sender's name."""
    last = text.rstrip().rpartition("\n")[2].strip(" -–—,.")
    if len(last) == 1 and last.isupper():  # an initial
        at = text.rfind(last)
        shown = text[at : at + 2] if text[at + 1 : at + 2] == "." else last
        out.append(Entity("person", shown, at, at + len(shown)))
        return
    known = any(item.text in last or last in item.text for item in out if item.type == "person")
    if not last or len(last) > 40 or known:
        return
    keys = fold(last).split()
    if keys and keys[0] in FIRST_NAMES and last.islower():
        own = own | set(keys)
    if (
        keys
        and len(keys) <= 3
        and all(any(key == name or (len(key) > 2 and name.startswith(key)) for name in own) for key in keys)
    ):
        at = text.rfind(last)
        if at >= 0:
            out.append(Entity("person", last, at, at + len(last)))
