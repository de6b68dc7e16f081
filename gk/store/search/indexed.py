"""What the index keeps of one message: pure functions of its bytes, its part table and its header."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gk.message import addressed, table
from gk.message.part import Part
from gk.message.preview import preview
from gk.message.searched import Sliced, header_text, texts
from gk.message.sorting import SortKeys, sort_keys
from gk.message.text import fold
from gk.store.search.schema import BODY_CUT, FIELDS, HEAD_CUT

KEPT = 64 << 10  # characters of folded text that are kept of a body, and of a header
FIELD_KEPT = 16 << 10  # characters of one field's values together

SEPARATOR = "\ud800"  # between the values of a field: no needle holds it

_FIELD = re.compile(
    rb"\n((?:" + b"|".join(name.encode() for name in FIELDS) + rb")[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*+)",
    re.IGNORECASE,
)
_ODD_NAME = re.compile(rb"(?:\A|\n)(?![ \t])[^:\n]*?(?:=\?|[\x80-\xff])[^:\n]*+:")

Extract = Callable[[Sliced, Part], str]


@dataclass(frozen=True, slots=True)
class Indexed:
    """The folded texts of a message, what is compared of it, and its preview.

    `cut` says what is not kept whole: such a message is a hit where the needle is in what is kept, else unsure.
    The texts of attached documents stand behind the body, though no scan sees them.
    """

    head: str
    body: str
    cut: int
    fields: tuple[str, ...]
    keys: SortKeys
    preview: str


def unreadable(header: bytes) -> Indexed:
    """What stands for a message whose content cannot be had: always unsure, never a hit."""
    return Indexed("", "", BODY_CUT | HEAD_CUT, ("",) * len(FIELDS), sort_keys(header), "")


def indexed(raw: Sliced, parts: bytes, header: bytes, extract: Extract) -> Indexed:
    """Read a message; `raw` gives slices of it, so that a large one is never in memory at once."""
    tree = table.load(parts)
    head, head_cut = _folded(texts(raw, tree, body=False, header=True))
    body, body_cut = _folded(texts(raw, tree, body=True, header=False))
    fields, fields_cut = _fields(header, head)
    cut = body_cut * BODY_CUT | (head_cut or fields_cut or _ODD_NAME.search(header) is not None) * HEAD_CUT
    if documents := extract(raw, tree):
        body += "\n" + fold(documents)
    return Indexed(head, body, cut, fields, sort_keys(header), preview(raw, tree))


def _folded(pieces: Iterable[str]) -> tuple[str, bool]:
    """The text as a search sees it, folded piece by piece, and whether it goes on."""
    out: list[str] = []
    left = KEPT
    for piece in pieces:
        text = fold(piece)
        out.append(text[:left])
        if len(text) > left:
            return "".join(out), True
        left -= len(text)
    return "".join(out), False


def _fields(header: bytes, head: str) -> tuple[tuple[str, ...], bool]:
    """The folded values of each of FIELDS, and whether the index must not be asked about them.

    They are found by the trigrams of the header as a whole, so each must be a part of it; addresses that their field's
    text does not hold come after the values, and their trigrams are added to those of the header.
    """
    values: dict[str, list[str]] = {name: [] for name in FIELDS}
    beside: dict[str, list[str]] = {name: [] for name in FIELDS}
    for field in _FIELD.findall(b"\n" + header):
        name, _, value = field.partition(b":")
        name = name.strip().lower()
        values[name.decode()].append(fold(header_text(value)))
        if name in addressed.FIELDS and (more := addressed.addressed(value)):
            beside[name.decode()].append(fold(more))
    cut = any(value not in head for found in values.values() for value in found)
    joined = [SEPARATOR.join([*found, *beside[name]]) for name, found in values.items()]
    cut = cut or any(len(text) > FIELD_KEPT for text in joined)
    return tuple(text[:FIELD_KEPT] for text in joined), cut
