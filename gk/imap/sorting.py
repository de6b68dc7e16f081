"""The sort program of SORT (RFC 5256 §3, RFC 5957, RFC 6203 §6) and the order it makes; no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gk.imap.grammar import BadSyntax, Cursor

CRITERIA = 30  # of one program

# What a criterion compares, by the name of its column.
_COLUMNS = {
    b"ARRIVAL": "internaldate",
    b"CC": "cc",
    b"DATE": "sent",
    b"FROM": "from",
    b"SIZE": "size",
    b"SUBJECT": "subject",
    b"TO": "to",
    b"DISPLAYFROM": "display_from",
    b"DISPLAYTO": "display_to",
    b"RELEVANCY": "relevancy",
}
ROWS = frozenset({"internaldate", "size"})  # columns of the mailbox; the others are made from headers


@dataclass(frozen=True, slots=True)
class Criterion:
    """One column to sort by, upwards unless `down`."""

    column: str
    down: bool = False


def parse(cursor: Cursor) -> tuple[Criterion, ...]:
    """`(SUBJECT REVERSE DATE …)`; RELEVANCY begins with the highest (RFC 6203 §6)."""

    def criterion() -> Criterion:
        word = cursor.word()
        reverse = word == b"REVERSE"
        if reverse:
            cursor.space()
            word = cursor.word()
        if word not in _COLUMNS:
            raise BadSyntax("an unknown sort criterion")
        return Criterion(_COLUMNS[word], reverse != (word == b"RELEVANCY"))

    program = tuple(cursor.listed(criterion, CRITERIA))
    if not program:
        raise BadSyntax("a sort criterion is missing")
    return tuple(dict.fromkeys(program))  # saying it twice changes nothing


def order(program: Sequence[Criterion], columns: Mapping[str, Sequence[Any]]) -> list[int]:
    """The places of the columns' values in the order of the program; what is equal stays as it was (RFC 5256 §3)."""
    places = list(range(len(next(iter(columns.values())))))
    for criterion in reversed(program):
        places.sort(key=columns[criterion.column].__getitem__, reverse=criterion.down)  # keeps equals in their order
    return places
