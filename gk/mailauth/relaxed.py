"""The relaxed canonicalisation of header fields and bodies (RFC 6376 §3.4.2, §3.4.4)."""

import hashlib
from collections.abc import Callable

from gk.message.searched import Sliced

PIECE = 64 << 10  # octets of a body taken at once: a slice keeps the interpreter for well under a millisecond
CRLF = b"\r\n"


def field(name: bytes, value: bytes) -> bytes:
    """One field as it is signed, its CRLF included: name in lower case, unfolded, blanks reduced (§3.4.2)."""
    return name.strip(b" \t").lower() + b":" + _reduced(value.replace(CRLF, b"")).strip(b" ") + CRLF


def body_hash(content: Sliced, start: int, size: int) -> bytes:
    """The SHA-256 of the body content[start:size] in relaxed form, in one pass over pieces."""
    digest = hashlib.sha256()
    body = Body(digest.update)
    for at in range(start, size, PIECE):
        body.feed(content[at : min(at + PIECE, size)])
    body.finish()
    return digest.digest()


class Body:
    """Hands the relaxed form of a body to `take`, whatever the pieces it is fed in (§3.4.4)."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self._kept = b""  # the end of the last piece that the next one may change: at most " \r"
        self._line_ends = 0  # CRLFs not handed on yet: they are nothing if no other line follows
        self._any = False

    def feed(self, piece: bytes) -> None:
        """Take the next octets of the body."""
        text = _reduced(self._kept + piece).replace(b" \r\n", CRLF)
        end = len(text) - text.endswith(b"\r")
        end -= text.endswith(b" ", 0, end)
        self._kept = text[end:]
        last = end - line_ends(text[:end])
        if last:
            self._hand_on(text[:last])
        self._line_ends += (end - last) // 2

    def finish(self) -> None:
        """The body has ended: a last line without CRLF gets one, empty lines at the end are nothing (§3.4.3)."""
        if rest := self._kept.strip(b" "):
            self._hand_on(rest)
        if self._any:
            self._take(CRLF)

    def _hand_on(self, text: bytes) -> None:
        self._any = True
        while self._line_ends:
            count = min(self._line_ends, PIECE // 2)
            self._take(CRLF * count)
            self._line_ends -= count
        self._take(text)


def _reduced(text: bytes) -> bytes:
    """Every run of blanks as one space."""
    text = text.replace(b"\t", b" ")
    while b"  " in text:  # each round halves the runs: 16 rounds for a piece of nothing else
        text = text.replace(b"  ", b" ")
    return text


def line_ends(text: bytes) -> int:
    """The octets of CRLFs at the very end of `text`."""
    if not text.endswith(CRLF):
        return 0
    tail = text[len(text.rstrip(CRLF)) :].replace(CRLF, b"\0\0")  # bare CR and LF in it are content
    return len(tail) - len(tail.rstrip(b"\0"))
