"""A message without 8-bit content, for servers that take none (RFC 6152 section 3): its parts are encoded anew."""

import re
from binascii import b2a_base64, b2a_qp

from gk.message.part import Part
from gk.message.scan import scan
from gk.message.text import walk

LINE = 57  # octets of one base64 line

_ENCODING = re.compile(rb"^content-transfer-encoding[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE)


class Unalterable(Exception):
    """The message cannot be rewritten: it is signed as it stands, or its header is not ASCII."""


def seven_bit(content: bytes) -> bytes:
    """The same message in ASCII; raises Unalterable. Only what is not ASCII changes, and the fields that say so."""
    if content.isascii():
        return content
    out: list[bytes] = []
    at = 0
    for part in walk(scan(content)):
        header = content[part.start : part.body]
        if not header.isascii():
            raise Unalterable("a header is not ASCII")
        if content[part.body : part.end].isascii():
            continue
        if part.subtype in (b"signed", b"encrypted") and part.is_multipart:
            raise Unalterable("a part is signed")  # RFC 1847 section 2.1
        body, encoding = (None, b"7bit") if part.children else _encoded(part, content[part.body : part.end])
        if body is None and not _ENCODING.search(header):
            continue  # it holds parts, and says nothing of an encoding
        out += [content[at : part.start], _named(header, encoding)]
        at = part.body
        if body is not None:
            out.append(body)
            at = part.end
    out.append(content[at:])
    made = b"".join(out)
    if not made.isascii():  # between the parts
        raise Unalterable("there is 8-bit text outside the parts")
    return made


def _encoded(part: Part, body: bytes) -> tuple[bytes, bytes]:
    if part.encoding.lower() not in (b"", b"7bit", b"8bit", b"binary"):
        raise Unalterable("a part is not encoded as it says")
    if part.type == b"text":
        return b2a_qp(body, istext=True), b"quoted-printable"
    lines = (b2a_base64(body[i : i + LINE], newline=False) for i in range(0, len(body), LINE))
    return b"\r\n".join(lines), b"base64"


def _named(header: bytes, encoding: bytes) -> bytes:
    """The header section with this Content-Transfer-Encoding, in the place of the one it had."""
    field = b"Content-Transfer-Encoding: " + encoding + b"\r\n"
    found = _ENCODING.search(header)
    if found:
        return header[: found.start()] + field + header[found.end() :]
    end = len(header) - 2 if header.endswith(b"\r\n\r\n") or header == b"\r\n" else len(header)
    return header[:end] + field + header[end:]
