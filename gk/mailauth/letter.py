"""A message as its signatures see it: fields with their places, and hashes of the body, each made once (RFC 6376 §3.4).

The patterns of libraries take quadratic time on lines of nothing but blanks, so the canonical forms are made here.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from gk.mailauth import relaxed
from gk.message.searched import Sliced

CRLF = b"\r\n"
HEADER = 4 << 20  # octets in which the end of the header is looked for
FIELDS = 2_000  # fields that are read
LONGEST = 8 << 10  # octets of a field of tags; keys of 4,096 bits make 1,000
TAGS = 64  # of one such field
BLANKS = 50  # in a row, in a field of tags; nobody folds with more

_FIELD = re.compile(rb"\r\n(?![ \t])")
_BLANK = (b" ", b"\t", b"\r", b"\n")
_BLANKS = re.compile(rb"[ \t\r\n]{%d}" % BLANKS)


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name in lower case and as written, its value with its CRLF, its place in the message."""

    name: bytes
    written: bytes
    value: bytes
    at: int

    @property
    def where(self) -> tuple[int, int]:
        """(offset, length) in the message, the last CRLF left out."""
        return self.at, len(self.written) + 1 + len(self.value) - 2

    @property
    def regular(self) -> bool:
        """Whether its tags can be read at little cost."""
        value = self.value
        if len(value) > LONGEST or value.count(b";") > TAGS:
            return False
        return sum(map(value.count, _BLANK)) < BLANKS or not _BLANKS.search(value)  # counting costs less


class Letter:
    """A message of `size` octets in `content`, from `start` on; all lines end with CRLF."""

    def __init__(self, content: Sliced, start: int, size: int) -> None:
        self._content, self._start, self._size = content, start, size
        header, self._body = _header(content, start, size)
        self.fields, self.cut = _fields(header)  # `cut`: there are others that were not read
        self._named: dict[bytes, list[Field]] = {}
        for field in self.fields:
            self._named.setdefault(field.name, []).append(field)
        self._hashes: dict[tuple[str, bool], tuple[bytes, int]] = {}

    def named(self, name: bytes) -> list[Field]:
        """The fields of a name, given in lower case, from the top."""
        return self._named.get(name, [])

    def body_hash(self, algorithm: str, relax: bool) -> tuple[bytes, int]:
        """(digest, octets hashed) of the canonical body (§3.4.3, §3.4.4)."""
        found = self._hashes.get((algorithm, relax))
        if found is None:
            digest: Any = hashlib.new(algorithm, usedforsecurity=False)
            counted = _Counted(digest)
            body: relaxed.Body | Simple = relaxed.Body(counted.take) if relax else Simple(counted.take)
            for at in range(self._body, self._size, relaxed.PIECE):
                body.feed(self._content[at : min(at + relaxed.PIECE, self._size)])
            body.finish()
            found = self._hashes[algorithm, relax] = (digest.digest(), counted.octets)
        return found

    def signed(self, names: Iterable[bytes], relax: bool) -> bytes:
        """The canonical fields that names in lower case stand for: of one name the lowest first (§5.4.2)."""
        left: dict[bytes, int] = {}
        found: list[bytes] = []
        for name in names:
            fields = self._named.get(name, [])
            at = left.get(name, len(fields)) - 1
            left[name] = max(at, 0)
            if at >= 0:
                field = fields[at]
                whole = relaxed.field(name, field.value) if relax else field.written + b":" + field.value
                found.append(whole)
        return b"".join(found)


class _Counted:
    def __init__(self, digest: Any) -> None:
        self._digest, self.octets = digest, 0

    def take(self, text: bytes) -> None:
        self._digest.update(text)
        self.octets += len(text)


class Simple:
    """Hands the simple form of a body to `take`: empty lines at its end are one (§3.4.3)."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self._cr = b""  # a CR whose LF may come with the next piece
        self._line_ends = 0  # CRLFs not handed on yet

    def feed(self, piece: bytes) -> None:
        """Take the next octets of the body."""
        text = self._cr + piece
        self._cr = b"\r" if text.endswith(b"\r") else b""
        text = text.removesuffix(b"\r")
        last = len(text) - relaxed.line_ends(text)
        if last:
            self._hand_on(text[:last])
        self._line_ends += (len(text) - last) // 2

    def finish(self) -> None:
        """The body has ended: an empty one is a CRLF, too."""
        if self._cr:
            self._hand_on(self._cr)
        self._take(CRLF)

    def _hand_on(self, text: bytes) -> None:
        while self._line_ends:
            count = min(self._line_ends, relaxed.PIECE // 2)
            self._take(CRLF * count)
            self._line_ends -= count
        self._take(text)


def _header(content: Sliced, start: int, size: int) -> tuple[bytes, int]:
    """The header section with the CRLF of its last line, and where the body begins."""
    limit = relaxed.PIECE
    while True:
        header = content[start : min(start + limit, size)]
        if header.startswith(CRLF):
            return b"", start + 2
        end = header.find(b"\r\n\r\n")
        if end >= 0:
            return header[: end + 2], start + end + 4
        if start + limit >= size or limit >= HEADER:
            return header, start + len(header)
        limit *= 4


def _fields(header: bytes) -> tuple[list[Field], bool]:
    """The fields of a header, and whether it has more than are read; what has no colon is none."""
    found: list[Field] = []
    at = 0
    for count, match in enumerate(_FIELD.finditer(header)):
        if count == FIELDS:
            return found, True
        whole, place, at = header[at : match.end()], at, match.end()
        name, colon, value = whole.partition(b":")
        if colon and not name[:1].isspace():
            found.append(Field(name.rstrip(b" \t").lower(), name, value, place))
    return found, False
