"""A file that goes with a message: its name and kind as a program gives them, and the part it becomes.

RFC 2045 §6.8 (base64), RFC 2183 (Content-Disposition), RFC 2231 (names beyond ASCII or beyond one line).
"""

import re
from binascii import b2a_base64
from dataclasses import dataclass

from gk.errors import Refused
from gk.message import compose
from gk.message.compose import ComposeError

FILES = 100  # of one message
NAME = 255  # characters, what file systems take
BINARY = "application/octet-stream"
LINE = 76  # characters of a line of base64
PIECE = 60  # octets of one continuation of a name

_KIND = re.compile(r"(?!multipart/|message/)[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_PLAIN = re.compile(r"(?! )(?!.*=\?)[ !#-\[\]-~]{1,60}(?<! )")  # stands in quotes as it is, and nobody decodes it
_ATTR = re.compile(rb"[A-Za-z0-9!#$&+.^_`{|}~-]")  # attribute-char, RFC 2231 §7


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file. `kind` is its media type without parameters; raises Refused for what cannot be sent."""

    name: str
    content: bytes
    kind: str = BINARY

    def __post_init__(self) -> None:
        try:
            compose.check(self.name)
        except ComposeError as error:
            raise Refused(f"the name of an attachment: {error}") from None
        if not 0 < len(self.name) <= NAME or re.search(r"[/\\]", self.name) or self.name in (".", ".."):
            raise Refused(f"the name of an attachment has 1 to {NAME} characters and no directories")
        if not _KIND.fullmatch(self.kind.lower()):
            # Multiparts and messages are not sent in base64, RFC 2045 §6.4.
            raise Refused('the type of an attachment is like "application/pdf"; messages and multiparts are no files')

    def part(self) -> bytes:
        """Its header fields, an empty line, its content in base64, which ends its last line."""
        head = f"Content-Type: {self.kind.lower()}\r\nContent-Transfer-Encoding: base64\r\n".encode()
        text = b2a_base64(self.content, newline=False)
        lines = b"".join(text[start : start + LINE] + b"\r\n" for start in range(0, len(text), LINE))
        return head + b"Content-Disposition: attachment" + _named(self.name) + b"\r\n\r\n" + (lines or b"\r\n")


def _named(name: str) -> bytes:
    """The parameter filename, in as many pieces as it takes (RFC 2231 §3, §4)."""
    if _PLAIN.fullmatch(name):
        return b';\r\n filename="' + name.encode() + b'"'
    pieces, piece = [], b"utf-8''"
    for byte in name.encode():
        octet = bytes([byte])
        coded = octet if _ATTR.fullmatch(octet) else b"%%%02X" % byte
        if len(piece) + len(coded) > PIECE:
            pieces.append(piece)
            piece = b""
        piece += coded
    pieces.append(piece)
    if len(pieces) == 1:
        return b";\r\n filename*=" + piece
    return b"".join(b";\r\n filename*%d*=%b" % (number, piece) for number, piece in enumerate(pieces))
