"""From the words of SEARCH, SORT and THREAD to keys (RFC 3501 §6.4.4, RFC 9051 §6.4.4).

Built without recursion. NOT is pushed down to the single keys and keys of the same kind are merged, so that a tree
is only as deep as AND and OR really alternate; that depth is bounded.
"""

import re
from dataclasses import dataclass, field
from typing import Literal as Choice

from gk.imap.grammar import LARGEST_MODSEQ, BadSyntax, Cursor
from gk.imap.header_fields import NAME
from gk.imap.search_keys import (
    Aged,
    All,
    Any,
    BadCharset,
    Dated,
    Everything,
    Exact,
    Fuzzy,
    HasFlag,
    HasKeyword,
    Identified,
    InContent,
    InHeader,
    Key,
    Leaf,
    Modified,
    Not,
    Numbers,
    Order,
    Recent,
    Saved,
    Sized,
)
from gk.message import charset
from gk.store.values import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN

DEEPEST = 50

_FLAGS = {
    b"ANSWERED": ANSWERED, b"DELETED": DELETED, b"DRAFT": DRAFT, b"FLAGGED": FLAGGED, b"SEEN": SEEN,
}  # fmt: skip
_NUMBERS = (b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9", b"*", b"$")
_FIELDS = frozenset({b"BCC", b"CC", b"FROM", b"SUBJECT", b"TO"})
_DATES: dict[bytes, tuple[bool, Order]] = {
    b"BEFORE": (False, "before"), b"ON": (False, "on"), b"SINCE": (False, "since"),
    b"SENTBEFORE": (True, "before"), b"SENTON": (True, "on"), b"SENTSINCE": (True, "since"),
}  # fmt: skip
_UNREADABLE = re.compile("[\N{REPLACEMENT CHARACTER}\ud800-\udfff]")
_SAVED: dict[bytes, Order] = {b"SAVEDBEFORE": "before", b"SAVEDON": "on", b"SAVEDSINCE": "since"}


@dataclass(slots=True)
class _Group:
    """Keys being gathered: a bracket or the whole (all of them), or OR (any of two)."""

    any: bool
    negated: bool
    fuzzy: bool = False
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


def parse(cursor: Cursor, limit: int, *, declared: Choice["may", "must", "never"] = "may") -> Key:
    """Read at most `limit` keys to the end of the command.

    `CHARSET name` may stand before them; or a charset's bare name must (SORT and THREAD, RFC 5256 §5), or nothing of
    the kind is taken (RFC 6855 §3).
    """
    reader = _Reader(cursor, _charset(cursor, declared))
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
        negated, fuzzy = group.negated, group.fuzzy
        while (word := _prefix(cursor)) is not None:
            negated, fuzzy = (not negated, fuzzy) if word == b"NOT" else (negated, True)
        count += 1
        if count > limit:
            raise BadSyntax("too many search keys")
        if cursor.skip(b"("):
            groups.append(_Group(any=False, negated=negated, fuzzy=fuzzy, bracket=True))
        elif cursor.skip_word(b"OR"):
            cursor.space()
            groups.append(_Group(any=True, negated=negated, fuzzy=fuzzy))
        else:
            group.add(*reader.single(negated, fuzzy))


def _prefix(cursor: Cursor) -> bytes | None:
    """NOT or FUZZY, if one of them is what comes."""
    for word in (b"NOT", b"FUZZY"):
        if cursor.skip_word(word):
            cursor.space()
            return word
    return None


def _charset(cursor: Cursor, declared: Choice["may", "must", "never"]) -> bytes:
    if declared != "must":
        if not cursor.skip_word(b"CHARSET"):
            return b"UTF-8"  # RFC 9051 §6.4.4; where RFC 3501 has US-ASCII, that is a part of it
        if declared == "never":
            raise BadSyntax("after ENABLE UTF8=ACCEPT all texts are UTF-8")
        cursor.space()
    name = cursor.astring()
    if not charset.is_known(name):
        raise BadCharset("that charset is not known; UTF-8 always is")
    cursor.space()
    return name


class _Reader:
    """Reads single keys whose texts are in one charset."""

    def __init__(self, cursor: Cursor, name: bytes) -> None:
        self._cursor = cursor
        self._utf8 = name.upper() in (b"UTF-8", b"US-ASCII")
        self._charset = name

    def single(self, negated: bool, fuzzy: bool) -> tuple[Key, int]:
        """One key and its depth; NEW is two keys."""
        cursor = self._cursor
        if cursor.at(*_NUMBERS):
            return _signed(Numbers(cursor.sequence_set(), uid=False), negated, fuzzy), 0
        word = cursor.word()
        if word == b"NEW":  # RECENT UNSEEN
            pair = (_signed(Recent(), negated, fuzzy), _signed(HasFlag(SEEN), not negated, fuzzy))
            return (Any(pair) if negated else All(pair)), 1
        if word == b"OLD":
            return _signed(Recent(), not negated, fuzzy), 0
        if word.startswith(b"UN") and word[2:] in _FLAGS:
            return _signed(HasFlag(_FLAGS[word[2:]]), not negated, fuzzy), 0
        if word == b"UNKEYWORD":
            cursor.space()
            return _signed(HasKeyword(cursor.keyword().lower()), not negated, fuzzy), 0
        return _signed(self._leaf(word), negated, fuzzy), 0

    def _leaf(self, word: bytes) -> Exact:
        cursor = self._cursor
        if word in (b"ALL", b"SAVEDATESUPPORTED"):  # every mailbox has save dates (RFC 8514 §4.3)
            return Everything()
        if word == b"RECENT":
            return Recent()
        if word in _FLAGS:
            return HasFlag(_FLAGS[word])
        cursor.space()
        if word in _FIELDS:
            return InHeader(word.lower(), self._text())
        if word in _DATES:
            return Dated(*_DATES[word], cursor.date())
        if word in _SAVED:
            return Saved(_SAVED[word], cursor.date())
        match word:
            case b"BODY" | b"TEXT":
                return InContent(word == b"TEXT", self._text())
            case b"HEADER":
                name = cursor.astring().lower()
                if len(name) > NAME:
                    raise BadSyntax("no header field has so long a name")
                cursor.space()
                return InHeader(name, self._text())
            case b"KEYWORD":
                return HasKeyword(cursor.keyword().lower())
            case b"LARGER" | b"SMALLER":
                return Sized(word == b"LARGER", cursor.number(LARGEST_MODSEQ))
            case b"OLDER" | b"YOUNGER":
                return Aged(word == b"YOUNGER", cursor.nz_number())
            case b"UID":
                return Numbers(cursor.sequence_set(), uid=True)
            case b"MODSEQ":
                return self._modified()
            case b"EMAILID" | b"THREADID":
                return Identified(word == b"THREADID", cursor.atom().decode("ascii"))
        raise BadSyntax("an unknown search key")

    def _modified(self) -> Modified:
        """`MODSEQ ["/flags/…" priv|shared|all] n`: one modseq serves all flags, so what is named is not looked at."""
        cursor = self._cursor
        if cursor.at(b'"'):
            cursor.string()
            cursor.space()
            if cursor.word() not in (b"PRIV", b"SHARED", b"ALL"):
                raise BadSyntax("priv, shared or all is missing")
            cursor.space()
        return Modified(cursor.number(LARGEST_MODSEQ))

    def _text(self) -> str:
        data = self._cursor.astring()
        if self._utf8:
            try:
                return data.decode("utf-8")
            except UnicodeDecodeError:
                raise BadSyntax("the text to search for is not UTF-8") from None
        text = charset.decode(data, self._charset)
        if _UNREADABLE.search(text):
            raise BadSyntax("the text to search for is not in that charset")
        return text


def _signed(leaf: Exact, negated: bool, fuzzy: bool) -> Key:
    key: Leaf = Fuzzy(leaf) if fuzzy else leaf
    return Not(key) if negated else key
