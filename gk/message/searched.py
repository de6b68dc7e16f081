"""The text of a message that a search sees, in pieces: of a large message little is in memory at once."""

import re
from binascii import a2b_base64, a2b_qp
from collections.abc import Iterable, Iterator
from html import unescape
from typing import Protocol

from gk.message.charset import decoder
from gk.message.header import SECTION, joined
from gk.message.part import Part
from gk.message.text import decode_words, transfer_decode, walk

PIECE = 64 << 10  # octets of a message taken at once

_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_UNSEEN = re.compile(r"<(?:script|style)\b[^<>]*+>", re.IGNORECASE)
_SEEN_AGAIN = re.compile(r"</(?:script|style)", re.IGNORECASE)
_LONGEST_MARK = 9  # characters of those that tell where unseen text ends, and one
_TAG = re.compile(r"<[!/?a-zA-Z][^<>]*+>")
_UNFINISHED = re.compile(r"(?:<[^<>]*+|&[^\s;<>&]{0,32}+)\Z")  # a tag or an entity that goes on in the next piece


class Sliced(Protocol):
    """The bytes of a message, or whatever gives slices of them."""

    def __getitem__(self, where: slice, /) -> bytes: ...


def texts(raw: Sliced, part: Part, *, body: bool, header: bool) -> Iterator[str]:
    """What SEARCH BODY and TEXT look at (RFC 3501 section 6.4.4), decoded, in pieces that end where lines end.

    `header` takes the decoded header of the message, `body` the text parts and the headers inside the content: of
    embedded messages and of parts. HTML comes twice, as it stands and as it reads.
    """
    for item in walk(part):
        if (header if item is part else body) and item.body > item.start:
            yield header_text(raw[item.start : min(item.body, item.start + SECTION)]) + "\n"
        if body and not item.children and item.type == b"text":
            yield from _lines(decoded(raw, item))
            if item.subtype == b"html":
                yield from _lines(plain(decoded(raw, item)))


def searchable(raw: Sliced, part: Part, *, body: bool, header: bool, limit: int) -> str:
    """The same in one, at most `limit` characters."""
    out: list[str] = []
    for text in texts(raw, part, body=body, header=header):
        out.append(text[:limit])
        limit -= len(out[-1])
        if limit <= 0:
            break
    return "".join(out)


def header_text(header: bytes) -> str:
    """A header section as text, unfolded and decoded line by line."""
    return "\n".join(decode_words(line.strip(b"\r")) for line in _FOLD.sub(b"", header).split(b"\n")).strip()


def plain(html: Iterable[str]) -> Iterator[str]:
    """What a reader of this HTML sees, roughly: no markup, entities decoded, runs of white space as one space."""
    begun = spaced = False  # whether there was a word, and a space after it
    for text in _visible(html):
        decoded = unescape(_TAG.sub(" ", text))
        spaced |= decoded[:1].isspace()
        if words := decoded.split():
            yield (" " if begun and spaced else "") + " ".join(words)
            begun, spaced = True, decoded[-1:].isspace()


def _visible(html: Iterable[str]) -> Iterator[str]:
    """The text outside scripts and styles, never cut inside a tag or an entity."""
    kept, unseen = "", False
    for piece in html:
        text, at = kept + piece, 0
        while (mark := (_SEEN_AGAIN if unseen else _UNSEEN).search(text, at)) is not None:
            if not unseen:
                yield text[at : mark.start()] + " "
            at, unseen = mark.start() if unseen else mark.end(), not unseen
        end = len(text)
        if unseen:
            end = max(at, end - _LONGEST_MARK)
        else:
            if (unfinished := _UNFINISHED.search(text, max(at, end - PIECE))) is not None:
                end = unfinished.start()
            yield text[at:end]
        kept = text[end:]
    if not unseen:
        yield kept


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """The pieces with LF line ends, cut where lines end unless a line is longer than a piece; the last line too."""
    kept = ""
    for piece in pieces:
        text = kept + piece
        end = text.rfind("\n") + 1
        if not end and len(text) >= PIECE:
            end = len(text) - text.endswith("\r")
        kept = text[end:]
        if end:
            yield text[:end].replace("\r\n", "\n")
    yield kept + "\n"


def decoded(raw: Sliced, part: Part) -> Iterator[str]:
    """The content of a text part as text."""
    charset = joined(part.params, b"charset")
    decode = decoder(charset[1] if charset else None)
    for data in _octets(raw, part):
        yield decode(data, False)
    yield decode(b"", True)


def _octets(raw: Sliced, part: Part) -> Iterator[bytes]:
    """The content of a part without its transfer encoding."""
    match part.encoding.lower():
        case b"base64":
            return _base64(slices(raw, part))
        case b"quoted-printable":
            return map(a2b_qp, slices(raw, part))
    return slices(raw, part)


def slices(raw: Sliced, part: Part) -> Iterator[bytes]:
    """The content of a part as it stands, cut behind a line end or else before an equal sign near the cut."""
    at = part.body
    while at < part.end:
        piece = raw[at : min(at + PIECE, part.end)]
        if not piece:
            return
        if at + len(piece) < part.end:
            cut = piece.rfind(b"\n") + 1
            if not cut and (sign := piece.find(b"=", len(piece) - 2)) > 0:  # `=C3` stays whole
                cut = sign
            piece = piece[: cut or len(piece)]
        at += len(piece)
        yield piece


def _base64(pieces: Iterable[bytes]) -> Iterator[bytes]:
    kept = b""
    for piece in pieces:
        data = kept + piece.translate(None, _NOT_BASE64)
        if b"=" in data:  # the end, RFC 2045 section 6.8
            yield transfer_decode(data.partition(b"=")[0], b"base64")
            return
        whole = len(data) // 4 * 4
        kept = data[whole:]
        yield a2b_base64(data[:whole])
    yield transfer_decode(kept, b"base64")
