"""The content of a part without its transfer encoding, in pieces (RFC 3516 section 4.2, RFC 2045 section 6)."""

import re
from binascii import Error, a2b_base64, a2b_qp
from collections.abc import Iterator

from gk.message.part import Part
from gk.message.searched import Sliced, slices

_BLANK = b" \t\r\n"
_TRAILING = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")  # begins where blanks begin: linear
LINE = 998  # octets of a line, RFC 5322 section 2.1.1
_IDENTITY = frozenset({b"", b"7bit", b"8bit", b"binary"})


class BadEncoding(ValueError):
    """The encoding is unknown, or the content is not what it says."""


def decoded(raw: Sliced, part: Part) -> Iterator[bytes]:
    """The decoded content of a part; raises BadEncoding, perhaps after some pieces. What holds parts is not encoded."""
    encoding = b"" if part.children else part.encoding.lower()
    if encoding in _IDENTITY:
        return slices(raw, part)
    if encoding == b"base64":
        return _base64(slices(raw, part))
    if encoding == b"quoted-printable":
        return _quoted_printable(slices(raw, part))
    raise BadEncoding("a transfer encoding that is not known")


def _quoted_printable(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Blanks at the end of a line were added on the way (RFC 2045 section 6.7, rule 3)."""
    kept = b""  # blanks at the end of the piece, perhaps of a line
    for piece in pieces:
        data = kept + piece
        text = data.rstrip(b" \t")
        if len(data) - len(text) > LINE:  # no line of mail
            text = data
        kept = data[len(text) :]
        yield a2b_qp(_TRAILING.sub(b"", text))


def _base64(pieces: Iterator[bytes]) -> Iterator[bytes]:
    kept, ended = b"", False
    for piece in pieces:
        data = kept + piece.translate(None, _BLANK)
        if not data:
            continue
        if ended:
            raise BadEncoding("there is more behind the end of the base64")
        whole = len(data) // 4 * 4
        kept, data = data[whole:], data[:whole]
        ended = data.endswith(b"=")
        yield _strict(data)
        if ended and kept:
            raise BadEncoding("there is more behind the end of the base64")
    if kept:  # padding left out: forgiven
        yield _strict(kept + b"=" * (-len(kept) % 4))


def _strict(data: bytes) -> bytes:
    try:
        return a2b_base64(data, strict_mode=True)
    except Error:
        raise BadEncoding("that is not base64") from None
