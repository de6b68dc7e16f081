"""What SEARCH asks for (RFC 3501 §6.4.4): a tree of keys as values.

Built without recursion. NOT is pushed down to the single keys and keys of the same kind are merged, so that a tree
is only as deep as AND and OR really alternate; that depth is bounded.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal as Choice

from gk.imap.grammar import LARGEST_MODSEQ, BadSyntax, Cursor, SequenceSet
from gk.store.values import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN

DEEPEST = 50


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
    order: Choice["before", "on", "since"]
    day: date


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


Leaf = (
    Everything | HasFlag | HasKeyword | Recent | Numbers | Dated | Sized | Modified | Identified | InHeader | InContent
)


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

_FLAGS = {
    b"ANSWERED": ANSWERED, b"DELETED": DELETED, b"DRAFT": DRAFT, b"FLAGGED": FLAGGED, b"SEEN": SEEN,
}  # fmt: skip
_DIGITS = (b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9", b"*")
_FIELDS = frozenset({b"BCC", b"CC", b"FROM", b"SUBJECT", b"TO"})
_DATES: dict[bytes, tuple[bool, Choice["before", "on", "since"]]] = {
    b"BEFORE": (False, "before"), b"ON": (False, "on"), b"SINCE": (False, "since"),
    b"SENTBEFORE": (True, "before"), b"SENTON": (True, "on"), b"SENTSINCE": (True, "since"),
}  # fmt: skip


@dataclass(slots=True)
class _Group:
    """Keys being gathered: a bracket or the whole (all of them), or OR (any of two)."""

    any: bool
    negated: bool
    bracket: bool = False
    written: int = 0  # keys taken in, as the client counts them
    depth: int = 1
    keys: list[Key] = field(default_factory=list)

    def add(self, key: Key, depth: int) -> None:
        """Take a key in; one that gathers in the same way brings its keys."""
        kind = self._kind()
        self.written += 1
        if isinstance(key, kind):
            self.keys += key.keys
            self.depth = max(self.depth, depth)
        else:
            self.keys.append(key)
            self.depth = max(self.depth, depth + 1)
        if self.depth > DEEPEST:
            raise BadSyntax("search keys are nested too deeply")

    def key(self) -> tuple[Key, int]:
        return (self.keys[0], self.depth - 1) if len(self.keys) == 1 else (self._kind()(tuple(self.keys)), self.depth)

    def _kind(self) -> type[All] | type[Any]:
        return Any if self.any != self.negated else All  # De Morgan


def parse(cursor: Cursor, limit: int) -> Key:
    """Read CHARSET and at most `limit` keys to the end of the command."""
    _charset(cursor)
    groups = [_Group(any=False, negated=False)]
    count = 0
    while True:
        group = groups[-1]
        if (group.any and group.written == 2) or (group.bracket and group.written and cursor.skip(b")")):
            groups.pop()
            groups[-1].add(*group.key())
            continue
        if group.written:
            if len(groups) == 1 and not cursor.more():
                return group.key()[0]
            cursor.space()
            if len(groups) == 1 and not cursor.more():  # a space at the end is forgiven
                return group.key()[0]
        negated = group.negated
        while cursor.skip_word(b"NOT"):
            negated = not negated
            cursor.space()
        count += 1
        if count > limit:
            raise BadSyntax("too many search keys")
        if cursor.skip(b"("):
            groups.append(_Group(any=False, negated=negated, bracket=True))
        elif cursor.skip_word(b"OR"):
            cursor.space()
            groups.append(_Group(any=True, negated=negated))
        else:
            group.add(*_single(cursor, negated))


def _charset(cursor: Cursor) -> None:
    if cursor.skip_word(b"CHARSET"):
        cursor.space()
        if cursor.astring().upper() not in (b"UTF-8", b"US-ASCII"):
            raise BadCharset("only UTF-8 and US-ASCII are known")
        cursor.space()


def _single(cursor: Cursor, negated: bool) -> tuple[Key, int]:
    """One key and its depth; NEW is two keys."""
    if cursor.at(*_DIGITS):
        return _signed(Numbers(cursor.sequence_set(), uid=False), negated), 0
    word = cursor.word()
    if word == b"NEW":  # RECENT UNSEEN
        pair = (_signed(Recent(), negated), _signed(HasFlag(SEEN), not negated))
        return (Any(pair) if negated else All(pair)), 1
    if word == b"OLD":
        return _signed(Recent(), not negated), 0
    if word.startswith(b"UN") and word[2:] in _FLAGS:
        return _signed(HasFlag(_FLAGS[word[2:]]), not negated), 0
    if word == b"UNKEYWORD":
        cursor.space()
        return _signed(HasKeyword(cursor.keyword().lower()), not negated), 0
    return _signed(_leaf(cursor, word), negated), 0


def _leaf(cursor: Cursor, word: bytes) -> Leaf:
    if word == b"ALL":
        return Everything()
    if word == b"RECENT":
        return Recent()
    if word in _FLAGS:
        return HasFlag(_FLAGS[word])
    cursor.space()
    if word in _FIELDS:
        return InHeader(word.lower(), _text(cursor))
    if word in _DATES:
        return Dated(*_DATES[word], cursor.date())
    match word:
        case b"BODY" | b"TEXT":
            return InContent(word == b"TEXT", _text(cursor))
        case b"HEADER":
            name = cursor.astring().lower()
            cursor.space()
            return InHeader(name, _text(cursor))
        case b"KEYWORD":
            return HasKeyword(cursor.keyword().lower())
        case b"LARGER" | b"SMALLER":
            return Sized(word == b"LARGER", cursor.number(LARGEST_MODSEQ))
        case b"UID":
            return Numbers(cursor.sequence_set(), uid=True)
        case b"MODSEQ":
            return _modified(cursor)
        case b"EMAILID" | b"THREADID":
            return Identified(word == b"THREADID", cursor.atom().decode("ascii"))
    raise BadSyntax("an unknown search key")


def _modified(cursor: Cursor) -> Modified:
    """`MODSEQ ["/flags/…" priv|shared|all] n`: one modseq serves all flags, so what is named is not looked at."""
    if cursor.at(b'"'):
        cursor.string()
        cursor.space()
        if cursor.word() not in (b"PRIV", b"SHARED", b"ALL"):
            raise BadSyntax("priv, shared or all is missing")
        cursor.space()
    return Modified(cursor.number(LARGEST_MODSEQ))


def _text(cursor: Cursor) -> str:
    try:
        return cursor.astring().decode("utf-8")
    except UnicodeDecodeError:
        raise BadSyntax("the text to search for is not UTF-8") from None


def _signed(leaf: Leaf, negated: bool) -> Key:
    return Not(leaf) if negated else leaf
