"""From bytes to text: encoded words, parameters, transfer encodings, and how two texts are compared."""

import re
import unicodedata
from binascii import Error, a2b_base64, a2b_qp

from gk.message.charset import decode
from gk.message.header import Params, joined
from gk.message.part import Part

WORDS = 1_000  # encoded words of one field that are decoded

_WORD = re.compile(rb"=\?([!->@-~]{1,64}+)\?([BbQq])\?([^?\r\n]*+)\?=")
_BETWEEN = re.compile(rb"[ \t\r\n]*+\Z")
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


def decode_words(value: bytes) -> str:
    """A header value as text: RFC 2047 encoded words decoded, white space between neighbours dropped (section 6.2).

    At most 1,000 words are decoded, the rest stays as it stands; raw 8-bit text is read as UTF-8 (RFC 6532).
    """
    if b"=?" not in value:
        return decode(value, None)
    out: list[str] = []
    pending: list[bytes] = []  # neighbours in one charset: a character may be cut between words, against section 5
    charset = b""
    at = 0
    for count, word in enumerate(_WORD.finditer(value)):
        if count == WORDS:
            break
        between = value[at : word.start()]
        said = bool(between) and (at == 0 or not between.isspace())  # blanks between words say nothing
        label = word[1].partition(b"*")[0].lower()  # RFC 2231 section 5: charset*language
        if said or label != charset:
            out.append(decode(b"".join(pending), charset))
            pending.clear()
        if said:
            out.append(decode(between, None))
        pending.append(_word_octets(word[2], word[3]))
        charset = label
        at = word.end()
    out.append(decode(b"".join(pending), charset))
    out.append(decode(value[at:], None))
    return "".join(out)


def _word_octets(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"Bb":
        return _base64(text)
    return a2b_qp(text.replace(b" ", b"_"), header=True)


def parameter(params: Params, name: bytes | str) -> str | None:
    """A parameter as text: RFC 2231 pieces, charset and percent-encoding, and RFC 2047 words, which many send."""
    key = name.encode() if isinstance(name, str) else name
    found = joined(params, key.lower())
    if found is None:
        return None
    charset, value = found
    if charset is None and b"=?" in value:
        return decode_words(value)
    return decode(value, charset)


def file_name(part: Part) -> str | None:
    """The file name a part gives itself: filename of its disposition, else name of its type (RFC 2183, RFC 2046)."""
    return parameter(part.disposition_params, b"filename") or parameter(part.params, b"name")


def file_names(part: Part) -> list[str]:
    """The file names in the tree, in the order of the parts."""
    return [name for item in walk(part) if (name := file_name(item))]


def walk(part: Part) -> list[Part]:
    """The part and all parts inside it, in the order they stand in the message."""
    out: list[Part] = []
    todo = [part]
    while todo:
        item = todo.pop()
        out.append(item)
        todo.extend(reversed(item.children))
    return out


def transfer_decode(data: bytes, encoding: bytes) -> bytes:
    """Content without its transfer encoding (RFC 2045 section 6); unknown ones leave it as it is."""
    match encoding.lower():
        case b"base64":
            return _base64(data)
        case b"quoted-printable":
            return a2b_qp(data)
    return data


def _base64(data: bytes) -> bytes:
    """Base64 as RFC 2045 section 6.8 wants it read: other octets are skipped, missing padding forgiven."""
    try:
        return a2b_base64(data)
    except Error:
        clean = data.partition(b"=")[0].translate(None, _NOT_BASE64)
        if len(clean) % 4 == 1:
            clean = clean[:-1]
        return a2b_base64(clean + b"=" * (-len(clean) % 4))


def to_text(data: bytes, charset: bytes | None) -> str:
    """Decoded content as text, by the fixed table of charsets; never an error."""
    return decode(data, charset)


def fold(text: str) -> str:
    """The form in which two texts are compared: NFC, then case folded (Unicode 3.13, D145)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
