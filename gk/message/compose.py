"""Building outgoing header fields (RFC 5322 section 2.2, RFC 2047, RFC 6532): one field goes in, one field comes out.

What could end a line or hide in one is refused, never repaired: a value from a model, a form or a remote server
cannot add a field (CVE-2024-6923).
"""

import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterable
from secrets import token_hex

from gk.message.address import Address, AddressError, ascii_domain

LINE = 78  # octets of a line where it can be folded, RFC 5322 section 2.1.1
WORD = 900  # octets of a word that is not cut; a line holds 998
VALUE = 256 << 10  # characters of a value, the limit of a field that GK reads

_NAME = re.compile(r"[!-9;-~]{1,76}")
_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PIECES = re.compile(r"( *)([^ ]+)")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_SAFE_IN_Q = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")  # RFC 2047 5 (3)
_DOMAIN = re.compile(r"[A-Za-z0-9.\[\]:-]{1,255}")

Token = tuple[str, bytes]  # blanks before a word, and the word


class ComposeError(ValueError):
    """The name or value cannot stand in a header field."""


def field(name: str, value: str, *, utf8: bool = False) -> bytes:
    """One unstructured field with its CRLF, folded at 78 octets; words outside ASCII as RFC 2047 encoded words.

    `utf8` leaves them as UTF-8 (RFC 6532). Raises ComposeError for line ends, control characters and lone surrogates.
    """
    check(value)
    tokens: list[Token] = []
    used = len(name) + 2
    run = ""
    gap = ""
    for blanks, word in _PIECES.findall(value.strip(" ")):
        if not _needs_encoding(word, utf8):
            if run:
                tokens.extend(_encoded(gap, run, 0 if tokens else used))
                run = ""
            tokens.append((blanks, word.encode()))
        elif run:
            run += blanks + word  # blanks between encoded words are lost unless they are in one (RFC 2047 6.2)
        else:
            gap, run = blanks, word
    if run:
        tokens.extend(_encoded(gap, run, 0 if tokens else used))
    return _fold(name, tokens)


def addresses(name: str, mailboxes: Iterable[tuple[str | None, Address]], *, utf8: bool = False) -> bytes:
    """One address field: (display name, address) pairs, names quoted or encoded as needed (RFC 5322 section 3.4)."""
    tokens: list[Token] = []
    for display, address in mailboxes:
        if tokens:
            tokens[-1] = (tokens[-1][0], tokens[-1][1] + b",")
        spec = _spec(address, utf8)
        if display:
            tokens.extend(_phrase(display, utf8, 0 if tokens else len(name) + 2))
            tokens.append((" ", b"<" + spec + b">"))
        else:
            tokens.append((" ", spec))
    return _fold(name, tokens)


def message_id(domain: str) -> bytes:
    """A new msg-id in its angle brackets (RFC 5322 section 3.6.4), 128 random bits on the left."""
    if not _DOMAIN.fullmatch(domain):
        raise ComposeError("domain of a message id against the grammar")
    return b"<%b@%b>" % (token_hex(16).encode(), domain.encode())


def check(value: str) -> None:
    """Raise ComposeError for a value that no header field may hold."""
    if len(value) > VALUE:
        raise ComposeError("value too long")
    if _REFUSED.search(value):
        raise ComposeError("line end, control character or lone surrogate in a header value")


def clean(text: str) -> str:
    """`text` as one line that a field accepts: what `check` refuses becomes a blank, runs of blanks one."""
    return " ".join(unicodedata.normalize("NFC", _REFUSED.sub(" ", text[:VALUE])).split())


def _fold(name: str, tokens: list[Token]) -> bytes:
    """The field, a line broken before each word that would pass 78 octets (RFC 5322 section 2.2.3)."""
    if not _NAME.fullmatch(name):
        raise ComposeError("field name against the grammar")
    out = [name.encode("ascii"), b":"]
    length = len(name) + 1
    first = True
    for blanks, word in tokens:
        space = blanks.encode("ascii") or b" "
        if not first and length + len(space) + len(word) > LINE:
            out.append(b"\r\n")
            length = 0
        out.append(space)
        out.append(word)
        length += len(space) + len(word)
        first = False
    if first:
        out.append(b" ")
    out.append(b"\r\n")
    return b"".join(out)


def _needs_encoding(word: str, utf8: bool) -> bool:
    return "=?" in word or len(word.encode()) > WORD or not (utf8 or word.isascii())


def _encoded(gap: str, text: str, used: int) -> list[Token]:
    """`text` as encoded words of at most 75 octets, no character cut (RFC 2047 sections 2 and 5).

    `used` is how much of its line stands before the first word.
    """
    plain = sum(1 for character in text if character == " " or character in _SAFE_IN_Q)
    in_q = plain * 4 > len(text) * 3
    words: list[bytes] = []
    piece: list[bytes] = []
    size = 0
    room = _room(used, in_q)
    for character in text:
        item = _q(character.encode()) if in_q else character.encode()
        if size + len(item) > room:
            words.append(_word(piece, in_q))
            piece, size = [], 0
            room = _room(0, in_q)
        piece.append(item)
        size += len(item)
    words.append(_word(piece, in_q))
    return [(gap if index == 0 else " ", word) for index, word in enumerate(words)]


def _room(used: int, in_q: bool) -> int:
    """Octets that fit between `=?utf-8?q?` and `?=`, before base64 where that is used; at least one character."""
    left = max(63 - used, 16)
    return left if in_q else left // 4 * 3


def _q(octets: bytes) -> bytes:
    if octets == b" ":
        return b"_"
    return octets if octets.decode() in _SAFE_IN_Q else b"".join(b"=%02X" % octet for octet in octets)


def _word(piece: list[bytes], in_q: bool) -> bytes:
    text = b"".join(piece)
    return b"=?utf-8?q?" + text + b"?=" if in_q else b"=?utf-8?b?" + b64encode(text) + b"?="


def _phrase(display: str, utf8: bool, used: int) -> list[Token]:
    check(display)
    text = " ".join(display.split())
    if not text:
        return []
    if _needs_encoding(text, utf8):
        return _encoded(" ", text, used)
    if _ATOMS.fullmatch(text):
        return [(" ", word.encode()) for word in text.split(" ")]
    return [(" ", b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"')]


def _spec(address: Address, utf8: bool) -> bytes:
    check(str(address))
    if utf8 or address.is_ascii:
        return str(address).encode()
    if not address.local.isascii():
        raise ComposeError("address needs SMTPUTF8")
    try:
        return str(Address(address.local, ascii_domain(address.domain))).encode()
    except AddressError as error:
        raise ComposeError("address with a domain that is none") from error
