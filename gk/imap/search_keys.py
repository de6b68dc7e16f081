"""What SEARCH, SORT and THREAD ask for (RFC 3501 §6.4.4, RFC 9051 §6.4.4): a tree of keys as values."""

from dataclasses import dataclass
from datetime import date
from typing import Literal as Choice

from gk.imap.grammar import BadSyntax, SequenceSet

Order = Choice["before", "on", "since"]


class BadCharset(BadSyntax):
    """A CHARSET this server does not know (RFC 3501 §6.4.4: NO [BADCHARSET])."""


@dataclass(frozen=True, slots=True)
class Everything:
    """ALL."""


@dataclass(frozen=True, slots=True)
class HasFlag:
    bit: int


@dataclass(frozen=True, slots=True)
class HasKeyword:
    keyword: str  # folded: keywords are compared without case


@dataclass(frozen=True, slots=True)
class Recent:
    """RECENT."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Message numbers, or uids."""

    numbers: SequenceSet
    uid: bool


@dataclass(frozen=True, slots=True)
class Dated:
    """INTERNALDATE, or the Date field for SENT…; both without time and zone."""

    sent: bool
    order: Order
    day: date


@dataclass(frozen=True, slots=True)
class Saved:
    """SAVEDBEFORE, SAVEDON, SAVEDSINCE: when the message came into the mailbox (RFC 8514 §4.3)."""

    order: Order
    day: date


@dataclass(frozen=True, slots=True)
class Aged:
    """OLDER, or YOUNGER: INTERNALDATE compared with so many seconds ago (RFC 5032 §2)."""

    younger: bool
    seconds: int


@dataclass(frozen=True, slots=True)
class Sized:
    """RFC822.SIZE larger or smaller than `size`."""

    larger: bool
    size: int


@dataclass(frozen=True, slots=True)
class Modified:
    """MODSEQ at least this (RFC 7162 §3.1.5)."""

    modseq: int


@dataclass(frozen=True, slots=True)
class Identified:
    """EMAILID or THREADID (RFC 8474 §6)."""

    thread: bool
    id: str


@dataclass(frozen=True, slots=True)
class InHeader:
    """A header field of this lower-case name holds the text; with "" it need only be there."""

    field: bytes
    text: str


@dataclass(frozen=True, slots=True)
class InContent:
    """BODY, or TEXT when the header counts, too."""

    header: bool
    text: str


Exact = (
    Everything
    | HasFlag
    | HasKeyword
    | Recent
    | Numbers
    | Dated
    | Saved
    | Aged
    | Sized
    | Modified
    | Identified
    | InHeader
    | InContent
)


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """FUZZY: texts are met roughly and what is found gets a score, other keys as ever (RFC 6203 §3, §5)."""

    key: Exact


Leaf = Exact | Fuzzy


@dataclass(frozen=True, slots=True)
class Not:
    key: Leaf


@dataclass(frozen=True, slots=True)
class All:
    keys: tuple["Key", ...]


@dataclass(frozen=True, slots=True)
class Any:
    keys: tuple["Key", ...]


Key = Leaf | Not | All | Any


def asks(key: Key, kind: type[Fuzzy] | type[Modified]) -> bool:
    """Whether such a key is anywhere in the tree."""
    match key:
        case All(keys=keys) | Any(keys=keys):
            return any(asks(k, kind) for k in keys)
        case Not(key=leaf):
            return asks(leaf, kind)
        case Fuzzy(key=leaf):
            return kind is Fuzzy or isinstance(leaf, kind)
    return isinstance(key, kind)
