"""mbox files (RFC 4155 and its kin): where each message begins and ends, and the fields that exist only there.

Taken in: mboxrd and mboxo (`>From ` is unquoted), mboxcl and mboxcl2 (a Content-Length that leads to the next message
is believed), with LF or CRLF. Written: mboxrd with LF. What GK writes begins with status fields that others
understand, and ends them with `X-GK-Export: date=… zone=… size=… flags=…`, so that it comes back byte for byte.
"""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from gk.message.date import parse_date
from gk.transfer import words
from gk.transfer.lines import crlf

BLOCK = 1 << 20  # bytes read at once
WINDOW = 8 << 10  # bytes searched first for the end of a message, then twice as many
HEADER = 1 << 20  # bytes of a header that are looked at for Content-Length
LINE = 1000  # bytes of a From_ line

# A line that separates: `From`, a sender or none, a date; Thunderbird writes `From ` or `From - ` alone.
_DATED = re.compile(
    rb"From [^\r\n]*(?:[A-Z][a-z]{2} +\d{1,2}|\d{1,2} [A-Z][a-z]{2} \d{4}) +\d{1,2}:\d\d[^\r\n]*\r?(?:\n|\Z)"
)
_BARE = re.compile(rb"From (?:- ?)?\r?(?:\n|\Z)")
_STRICT = re.compile(
    rb"From (?:\S+ +)?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +[A-Z][a-z]{2} +\d{1,2} +\d{1,2}:\d\d(?::\d\d)?"
    rb"(?: +[A-Z]{1,5}| +[+-]\d{4})* +\d{4}(?: +[A-Z]{1,5}| +[+-]\d{4})* *\r?(?:\n|\Z)"
)
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_QUOTABLE = re.compile(rb"^(>*From )", re.MULTILINE)
_INSIDE = re.compile(rb"^From ", re.MULTILINE)
_LENGTH = re.compile(rb"^Content-Length:[ \t]*(\d{1,12})[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_MARK = re.compile(
    rb"(?:(?:Status|X-Status|X-Keywords): [^\n]*\n){0,3}X-GK-Export: date=(\d{1,12}|-) zone=(-?\d{1,4})"
    rb" size=(\d{1,12}) flags=([^\n]*)\n"
)
_CTIME = re.compile(
    rb"([A-Z][a-z]{2}) +(\d{1,2}) +(\d{1,2}:\d\d(?::\d\d)?)"
    rb"(?: +([A-Z]{1,5}))?(?: +([+-]\d{4}))? +(\d{4})(?: +([+-]\d{4}))?"
)

STATUS = (b"status", b"x-status", b"x-keywords", b"x-mozilla-status", b"x-mozilla-status2", b"x-mozilla-keys")
DOVECOT = (b"x-uid", b"x-imap", b"x-imapbase")
_MOZILLA = {0x0001: words.SEEN, 0x0002: words.ANSWERED, 0x0004: words.FLAGGED, 0x1000: words.FORWARDED}
MOZILLA_EXPUNGED = 0x0008
_LETTERS = {"A": words.ANSWERED, "F": words.FLAGGED, "T": words.DRAFT, "D": words.DELETED}


@dataclass(frozen=True, slots=True)
class Span:
    """One message in a file: its From_ line, and its bytes without the separating empty line."""

    start: int
    content: int
    end: int
    counted: bool  # its end is that of a Content-Length


@dataclass(frozen=True, slots=True)
class Taken:
    """A message of an mbox, its status fields taken off."""

    content: bytes
    flags: frozenset[str]
    date: int | None
    labels: bytes = b""  # X-Gmail-Labels, still encoded
    zone: int = 0
    passed: str = ""  # why it is none to be taken: deleted in Thunderbird, or data of a mail program


class File:
    """An open mbox."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size
        self._block, self._at = b"", 0

    def read(self, start: int, length: int) -> bytes:
        """Bytes from `start`, fewer at the end of the file."""
        if length > BLOCK:
            return self._read(start, length)
        end = min(start + length, self.size)
        if not self._at <= start <= end <= self._at + len(self._block):
            self._at, self._block = start, self._read(start, BLOCK)
        return self._block[start - self._at : end - self._at]

    def _read(self, start: int, length: int) -> bytes:
        pieces = []
        while length > 0 and (piece := os.pread(self._fd, length, start)):
            pieces.append(piece)
            start += len(piece)
            length -= len(piece)
        return b"".join(pieces)

    def spans(self) -> Iterator[Span]:
        """All messages in order; nothing when the file is no mbox."""
        start = self._first()
        while start is not None:
            line = self.read(start, LINE)
            content = start + (line.find(b"\n") + 1 or len(line))
            following = self._counted(content)
            counted = following is not None
            if following is None:
                following = self._search(content)
            yield Span(start, content, self._without_empty_line(content, following), counted)
            start = following if following < self.size else None

    def _first(self) -> int | None:
        head = self.read(0, LINE)
        start = len(head) - len(head.lstrip(b"\r\n"))
        return start if separates(head[start:], after_empty_line=True) else None

    def _counted(self, content: int) -> int | None:
        """Where Content-Length says that the next message begins, if one does."""
        head = self.read(content, WINDOW)
        if _MARK.match(head):
            return None  # ours: its Content-Length is the message's own
        end = _header_end(head)
        if end is None:
            head = self.read(content, HEADER)
            end = _header_end(head)
        found = _LENGTH.search(head, 0, end) if end is not None else None
        if end is None or found is None:
            return None
        at = content + end + int(found[1])
        if at > self.size:
            return None
        rest = self.read(at, LINE)
        if not rest.strip(b"\r\n") and at + len(rest) == self.size:
            return self.size
        empty = len(rest) - len(rest.lstrip(b"\r\n"))
        return at + empty if empty <= 4 and separates(rest[empty:], after_empty_line=True) else None

    def _search(self, start: int) -> int:
        """Where the next From_ line begins, or the file ends."""
        if separates(self.read(start, LINE), after_empty_line=False):
            return start  # a message of no bytes
        at, window = start, WINDOW
        while at < self.size:
            block = self.read(at, window + LINE)
            found = block.find(b"\nFrom ", 0, window + 6)
            while found >= 0:
                before = block[max(0, found - 2) : found] if found >= 2 else self.read(at + found - 2, 2)
                empty = before.endswith(b"\n") or before == b"\n\r"
                if separates(block[found + 1 : found + 1 + LINE], after_empty_line=empty):
                    return at + found + 1
                found = block.find(b"\nFrom ", found + 1, window + 6)
            at += window
            window = min(2 * window, BLOCK - LINE)
        return self.size

    def _without_empty_line(self, start: int, end: int) -> int:
        """The end of a message without the empty line that separates it from the next."""
        tail = self.read(max(start, end - 4), min(4, end - start))
        if tail.endswith(b"\r\n\r\n"):
            return end - 2
        return end - 1 if tail.endswith(b"\n\n") or tail in (b"\n",) else end


def separates(line: bytes, *, after_empty_line: bool) -> bool:
    """Whether what begins here is a From_ line; without an empty line before it, it must be a perfect one."""
    if not line.startswith(b"From "):
        return False
    if after_empty_line:
        return bool(_DATED.match(line) or _BARE.match(line))
    return _STRICT.match(line) is not None


def _header_end(head: bytes) -> int | None:
    ends = [at + n for at, n in ((head.find(b"\n\n"), 2), (head.find(b"\n\r\n"), 3)) if at >= 0]
    return min(ends) if ends else None


def unquoted_inside(raw: bytes) -> bool:
    """Whether a message holds a From_ line as it is: then its file quotes none (mboxcl2)."""
    return _INSIDE.search(raw) is not None


def take(from_line: bytes, raw: bytes, *, quoted: bool = True) -> Taken:
    """The message behind what stands in the file."""
    if mark := _MARK.match(raw):
        content = _QUOTED.sub(rb"\1", raw[mark.end() :]).replace(b"\n", b"\r\n")
        size = int(mark[3])
        if len(content) > size and content[size:] == b"\r\n":
            content = content[:size]
        flags = words.accepted(mark[4].decode("ascii", "replace").split())
        return Taken(content, flags, None if mark[1] == b"-" else int(mark[1]), zone=int(mark[2]))
    if quoted:
        raw = _QUOTED.sub(rb"\1", raw)
    content = crlf(raw)
    head, found = _stripped(content)
    flags, expunged = _flags(found)
    passed = "deleted there" if expunged else ""
    if b"x-imap" in found and b"DON'T DELETE THIS MESSAGE" in content[:WINDOW]:
        passed = "data of a mail program"
    return Taken(head, flags, from_date(from_line), found.get(b"x-gmail-labels", b""), passed=passed)


def _stripped(content: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """The content without the status fields of mbox programs, and those."""
    end = content.find(b"\r\n\r\n")
    end = len(content) if end < 0 else end + 2
    kept: list[bytes] = []
    found: dict[bytes, bytes] = {}
    name = b""
    for line in content[: min(end, HEADER)].splitlines(keepends=True) if end <= HEADER else ():
        if not line.startswith((b" ", b"\t")):
            name = line.partition(b":")[0].strip().lower()
            if name == b"x-gmail-labels" or name in STATUS or name in DOVECOT:
                found.setdefault(name, b"")
        if name in found:
            found[name] += line.partition(b":")[2] if not found[name] and b":" in line else line
        if name not in STATUS and name not in DOVECOT:
            kept.append(line)
    if not any(field in found for field in STATUS + DOVECOT):
        return content, found
    return b"".join(kept) + content[end:], found


def _flags(found: dict[bytes, bytes]) -> tuple[frozenset[str], bool]:
    def text(name: bytes) -> str:
        return found.get(name, b"").decode("ascii", "replace").strip()

    flags = {words.SEEN} if "R" in text(b"status") else set()
    flags |= {_LETTERS[letter] for letter in text(b"x-status") if letter in _LETTERS}
    flags.update(text(b"x-keywords").split())
    try:
        bits = int(text(b"x-mozilla-status") or "0", 16)
    except ValueError:
        bits = 0
    flags |= {word for bit, word in _MOZILLA.items() if bits & bit}
    flags.update(text(b"x-mozilla-keys").split())
    return words.accepted(flags), bool(bits & MOZILLA_EXPUNGED)


def from_date(line: bytes) -> int | None:
    """The date of a From_ line: UTC unless it says otherwise (RFC 4155 appendix A)."""
    found = _CTIME.search(line[:LINE])
    if found is None:
        return None
    month, day, clock, zone, east, year, late = found.groups()
    offset = late or east or zone or b"+0000"
    date = parse_date(b"%s %s %s %s %s" % (day, month, year, clock, offset))
    return date if date is not None and date >= 0 else None


def give(content: bytes, flags: frozenset[str], date: int | None, zone: int = 0) -> bytes:
    """A message as GK writes it into an mbox, From_ line and empty line included."""
    when = time.asctime(time.gmtime(min(max(date or 0, 0), 253_402_300_799))).encode()
    status = "RO" if words.SEEN in flags else "O"
    letters = "".join(letter for letter, word in _LETTERS.items() if word in flags)
    keywords = " ".join(sorted(word for word in flags if not word.startswith("\\")))
    fields = [f"Status: {status}", f"X-Status: {letters}", f"X-Keywords: {keywords}"]
    moment = "-" if date is None else str(date)
    fields.append(f"X-GK-Export: date={moment} zone={zone} size={len(content)} flags={' '.join(sorted(flags))}")
    body = _QUOTABLE.sub(rb">\1", content.replace(b"\r\n", b"\n"))
    end = b"\n" if body.endswith(b"\n") else b"\n\n"
    return b"From MAILER-DAEMON " + when + b"\n" + "\n".join(fields).encode() + b"\n" + body + end
