"""A cursor over one command: the tokens of RFC 3501 §9. Any input gives values or BadSyntax, nothing else.

The whole command is in memory and bounded by `wire`; literals stand in it as `{n}CRLF` and content.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import TypeVar

from gk.message import utf7
from gk.store.values import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN, Flags, When

T = TypeVar("T")

_ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
_ASTRING = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\]+")
_TAG = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\+]+")
_PATTERN = re.compile(rb"[^\x00-\x20\x7f-\xff(){\"\\]+")  # list-char: an astring with wildcards
_QUOTED = re.compile(rb'"([^"\\\x00\r\n]*+(?:\\["\\][^"\\\x00\r\n]*+)*+)"')
_ESCAPE = re.compile(rb'\\(["\\])')
_LITERAL = re.compile(rb"~?\{(\d{1,19})\+?\}\r\n")
_NUMBER = re.compile(rb"\d{1,20}")
_SET = re.compile(rb"(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?(?:,(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?)*+(?![\d:,*])")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]+")
_FETCH_NAME = re.compile(rb"[A-Za-z0-9.]+")
_STORE_WORD = re.compile(rb"[-+]?[A-Za-z.]+")
_SECTION = re.compile(rb"[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)*+")
_FLAG = re.compile(rb"\\?[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
_DATE = re.compile(rb"(\d{1,2})-([A-Za-z]{3})-(\d{4})")
_DATE_TIME = re.compile(rb'"([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"')
_MONTHS = {m: n for n, m in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}

SYSTEM_FLAGS = {
    b"\\SEEN": SEEN,
    b"\\ANSWERED": ANSWERED,
    b"\\FLAGGED": FLAGGED,
    b"\\DELETED": DELETED,
    b"\\DRAFT": DRAFT,
}
LARGEST = 0xFFFFFFFF  # of a uid or sequence number
LARGEST_MODSEQ = 0x7FFFFFFFFFFFFFFF  # RFC 7162 §7
KEYWORD_BYTES = 64
FLAGS_OF_A_COMMAND = 500


class BadSyntax(Exception):
    """The command is not IMAP; the text says why and is fit for the client."""


class BadMailboxName(BadSyntax):
    """The command is IMAP, but no mailbox can have that name."""


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Ranges as written: (first, last), 0 for `*`; either end may be the larger.

    `$` has no ranges: it stands for the messages a view has saved (RFC 5182 §3).
    """

    ranges: tuple[tuple[int, int], ...]
    saved: bool = False

    def resolve(self, largest: int) -> list[tuple[int, int]]:
        """Ordered, merged ranges with `*` as `largest`; ends may lie beyond it. Nothing when there is no message."""
        if not largest:
            return []
        merged: list[tuple[int, int]] = []
        for a, b in sorted((min(a or largest, b or largest), max(a or largest, b or largest)) for a, b in self.ranges):
            if merged and a <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
            else:
                merged.append((a, b))
        return merged


class Cursor:
    """Reads one command from left to right; every method moves past what it returns or raises BadSyntax."""

    __slots__ = ("_data", "_position", "_utf8")

    def __init__(self, data: bytes, *, utf8: bool = False) -> None:
        self._data = data
        self._position = 0
        self._utf8 = utf8  # mailbox names are UTF-8 (RFC 6855 §3, RFC 9051 §5.1)

    @property
    def position(self) -> int:
        """Where the next token begins; set it to go back."""
        return self._position

    @position.setter
    def position(self, place: int) -> None:
        self._position = place

    # -- single bytes

    def space(self) -> None:
        """One space; more are forgiven."""
        if not self.skip(b" "):
            raise BadSyntax(f"a space is missing {self._where()}")
        while self.skip(b" "):
            pass

    def skip(self, token: bytes) -> bool:
        """Whether `token` stands here; it is passed."""
        if self._data.startswith(token, self._position):
            self._position += len(token)
            return True
        return False

    def need(self, token: bytes) -> None:
        if not self.skip(token):
            raise BadSyntax(f"{token.decode()} is missing {self._where()}")

    def skip_word(self, word: bytes) -> bool:
        """Whether the atom `word` stands here, in any case; it is passed."""
        end = self._position + len(word)
        if self._data[self._position : end].upper() != word or _ATOM.match(self._data, end):
            return False
        self._position = end
        return True

    def at(self, *tokens: bytes) -> bool:
        """Whether one of `tokens` stands here."""
        return self._data.startswith(tokens, self._position)

    def more(self) -> bool:
        return self._position < len(self._data)

    def end(self) -> None:
        """Nothing but spaces follows."""
        while self.skip(b" "):
            pass
        if self.more():
            raise BadSyntax(f"nothing more is expected {self._where()}")

    # -- words

    def tag(self) -> bytes:
        return self._match(_TAG, "a tag")[0]

    def atom(self) -> bytes:
        return self._match(_ATOM, "an atom")[0]

    def word(self) -> bytes:
        """An atom in upper case."""
        return self.atom().upper()

    def astring(self) -> bytes:
        if self.at(b'"', b"{", b"~") and (text := self._string()) is not None:
            return text
        return self._match(_ASTRING, "a string")[0]

    def string(self) -> bytes:
        text = self._string()
        if text is None:
            raise BadSyntax(f"a quoted string or literal is missing {self._where()}")
        return text

    def nstring(self) -> bytes | None:
        text = self._string()
        if text is None and self.atom().upper() != b"NIL":
            raise BadSyntax(f"a string or NIL is missing {self._where()}")
        return text

    def _string(self) -> bytes | None:
        if match := _QUOTED.match(self._data, self._position):
            self._position = match.end()
            return _ESCAPE.sub(rb"\1", match[1]) if b"\\" in match[1] else match[1]
        if match := _LITERAL.match(self._data, self._position):
            start, size = match.end(), int(match[1])
            text = self._data[start : start + size]
            if len(text) < size:
                raise BadSyntax("a literal is cut short")
            self._position = start + size
            return text
        return None

    # -- numbers and dates

    def number(self, largest: int = LARGEST) -> int:
        value = int(self._match(_NUMBER, "a number")[0])
        if value > largest:
            raise BadSyntax("a number is too large")
        return value

    def nz_number(self) -> int:
        if value := self.number():
            return value
        raise BadSyntax("a number must not be 0")

    def date(self) -> date:
        """`1-Feb-2026`, with or without quotes."""
        quoted = self.skip(b'"')
        match = self._match(_DATE, "a date")
        if quoted:
            self.need(b'"')
        try:
            return date(int(match[3]), _MONTHS[match[2].lower()], int(match[1]))
        except (ValueError, KeyError):
            raise BadSyntax("there is no such date") from None

    def date_time(self) -> When:
        """`" 1-Feb-2026 12:00:00 +0100"` → seconds since 1970, 0 at the earliest, and the zone."""
        day, month, year, hour, minute, second, sign, east, minutes = self._match(_DATE_TIME, "a date-time").groups()
        try:
            offset = timedelta(hours=int(east), minutes=int(minutes)) * (-1 if sign == b"-" else 1)
            zone = timezone(offset)
            moment = datetime(
                int(year), _MONTHS[month.lower()], int(day), int(hour), int(minute), min(int(second), 59), tzinfo=zone
            )  # a leap second counts as the one before
            return When(max(0, int(moment.timestamp())), round(offset.total_seconds() / 60))
        except (ValueError, KeyError, OverflowError):
            raise BadSyntax("there is no such date") from None

    # -- lists

    def listed(self, item: Callable[[], T], limit: int) -> list[T]:
        """`(item item …)`, possibly empty, of at most `limit` items."""
        self.need(b"(")
        items: list[T] = []
        while not self.skip(b")"):
            if items:
                self.space()
                if self.skip(b")"):  # a space before the bracket is forgiven
                    break
            if len(items) == limit:
                raise BadSyntax("a list is too long")
            items.append(item())
        return items

    # -- the words of mail

    def sequence_set(self) -> SequenceSet:
        """`2,4:7,9:*`, or `$` for the saved search result (RFC 5182 §3)."""
        if self.skip(b"$"):
            return SequenceSet((), saved=True)
        ranges = []
        for part in self._match(_SET, "a sequence set")[0].split(b","):
            first, _, last = part.partition(b":")
            low = 0 if first == b"*" else _nonzero(int(first))
            high = low if not last else 0 if last == b"*" else _nonzero(int(last))
            ranges.append((low, high))
        return SequenceSet(tuple(ranges))

    def mailbox(self) -> str:
        """A mailbox name, decoded; any case of INBOX is `INBOX` (RFC 3501 §5.1)."""
        return mailbox_name(self.astring(), utf8=self._utf8)

    def pattern(self) -> bytes:
        """A mailbox pattern of LIST, still encoded."""
        text = self._string()
        return self._match(_PATTERN, "a mailbox pattern")[0] if text is None else text

    def flags(self) -> Flags:
        """A flag list in brackets."""
        return _flags(self.listed(self._flag, FLAGS_OF_A_COMMAND))

    def bare_flags(self) -> Flags:
        """A flag list, its brackets left out or not (STORE allows both)."""
        if self.at(b"("):
            return self.flags()
        flags = [self._flag()]
        while self.skip(b" "):
            if len(flags) == FLAGS_OF_A_COMMAND:
                raise BadSyntax("a list is too long")
            flags.append(self._flag())
        return _flags(flags)

    def keyword(self) -> str:
        """A keyword of SEARCH."""
        return self.atom().decode("ascii")

    def _flag(self) -> bytes:
        flag = self._match(_FLAG, "a flag")[0]
        if len(flag) > KEYWORD_BYTES:
            raise BadSyntax("a keyword is too long")
        return flag

    def base64(self) -> bytes:
        """An initial response: base64, or `=` for an empty one (RFC 4959 §3)."""
        return self._match(_BASE64, "base64")[0]

    def fetch_name(self) -> bytes:
        """The name of a fetch item in upper case, its section apart."""
        return self._match(_FETCH_NAME, "an item to fetch")[0].upper()

    def store_word(self) -> bytes:
        """FLAGS, +FLAGS.SILENT and so on, in upper case."""
        return self._match(_STORE_WORD, "FLAGS")[0].upper()

    def use(self) -> bytes:
        r"""A special use, such as \SENT, in upper case."""
        return self._match(_FLAG, "a special use")[0].upper()

    def section_words(self) -> bytes:
        """The part numbers and words of a section, dots between."""
        return self._match(_SECTION, "a section")[0]

    # --

    def _match(self, pattern: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        match = pattern.match(self._data, self._position)
        if match is None:
            raise BadSyntax(f"{what} is missing {self._where()}")
        self._position = match.end()
        return match

    def _where(self) -> str:
        rest = self._data[self._position : self._position + 20]
        if not rest:
            return "at the end"
        return "at: " + "".join(chr(b) if 0x20 <= b < 0x7F else "?" for b in rest)


def mailbox_name(raw: bytes, *, utf8: bool = False) -> str:
    """The mailbox name behind its bytes: modified UTF-7, or UTF-8 where that is spoken or a byte is not ASCII."""
    try:
        name = utf7.decode(raw) if raw.isascii() and not utf8 else raw.decode("utf-8")
    except (utf7.BadEncoding, UnicodeDecodeError):
        raise BadMailboxName("the mailbox name is neither modified UTF-7 nor UTF-8") from None
    if name[:5].upper() == "INBOX" and name[5:6] in ("", "/"):
        return "INBOX" + name[5:]
    return name


def _nonzero(number: int) -> int:
    if 0 < number <= LARGEST:
        return number
    raise BadSyntax("a message number is out of range")


def _flags(flags: list[bytes]) -> Flags:
    system, keywords = 0, set()
    for flag in flags:
        if flag.startswith(b"\\"):
            bit = SYSTEM_FLAGS.get(flag.upper())
            if bit is None:
                raise BadSyntax("that system flag cannot be set")  # \Recent, or one of another server
            system |= bit
        else:
            keywords.add(flag.decode("ascii"))
    return Flags(system, frozenset(keywords))
