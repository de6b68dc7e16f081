"""Modified UTF-7, the encoding of mailbox names (RFC 3501 §5.1.3).

Strict both ways: one name has one encoding, so `encode(decode(raw)) == raw` for everything `decode` accepts.
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")
_PLAIN = re.compile(rb"[\x20-\x25\x27-\x7e]*")
_OTHER = re.compile("[^\x20-\x7e]+")


class BadEncoding(ValueError):
    """The bytes are not modified UTF-7."""


def encode(name: str) -> bytes:
    """The name on the wire; raise BadEncoding for a lone surrogate."""
    if name.isascii() and "&" not in name and name.isprintable():
        return name.encode()
    try:
        return _OTHER.sub(_shift, name.replace("&", "&-")).encode("ascii")
    except UnicodeEncodeError:
        raise BadEncoding("a lone surrogate has no encoding") from None


def decode(raw: bytes) -> str:
    """The name behind its encoding; raise BadEncoding for anything that `encode` would not have made."""
    if b"&" not in raw and _PLAIN.fullmatch(raw):
        return raw.decode("ascii")
    out: list[str] = []
    position, shifted = 0, False  # shifted: the last thing read was base64, which must not be followed by more of it
    while position < len(raw):
        if raw[position] != 0x26:
            plain = _PLAIN.match(raw, position)
            if plain is None or plain.end() == position:
                raise BadEncoding("a byte that must be encoded")
            out.append(plain[0].decode("ascii"))
            position, shifted = plain.end(), False
            continue
        section = _SHIFTED.match(raw, position)
        if section is None:
            raise BadEncoding("an & that begins no encoded section")
        position = section.end()
        if not section[1]:
            out.append("&")
            shifted = False
            continue
        if shifted:
            raise BadEncoding("two encoded sections in a row")
        out.append(_unshift(section[1]))
        shifted = True
    return "".join(out)


def _shift(match: re.Match[str]) -> str:
    base64 = b2a_base64(match[0].encode("utf-16-be"), newline=False)
    return "&" + base64.rstrip(b"=").replace(b"/", b",").decode() + "-"


def _unshift(base64: bytes) -> str:
    try:
        utf16 = a2b_base64(base64.replace(b",", b"/") + b"=" * (-len(base64) % 4), strict_mode=True)
        text = utf16.decode("utf-16-be")
    except (Base64Error, UnicodeDecodeError):
        raise BadEncoding("not the base64 of UTF-16") from None
    if _OTHER.fullmatch(text) is None:
        raise BadEncoding("a printable ASCII character must not be encoded")
    if b2a_base64(utf16, newline=False).rstrip(b"=").replace(b"/", b",") != base64:
        raise BadEncoding("padding bits that are not zero")
    return text
