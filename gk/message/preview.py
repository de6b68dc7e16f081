"""The beginning of a message in words, for a list of messages (RFC 8970)."""

import re
from collections.abc import Iterable
from dataclasses import replace

from gk.message.part import Part
from gk.message.searched import Sliced, plain, texts
from gk.message.text import walk

LONGEST = 200  # characters; RFC 8970 §3.1 allows 256
READ, READ_HTML = 8 << 10, 64 << 10  # characters of the text that are looked at

_QUOTED = re.compile(r"[ \t]*+(?:>|[-_=*]{4})")
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u034f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+"
)


def preview(raw: Sliced, part: Part) -> str:
    """At most 200 characters of the first text of a message on one line, "" where there is none.

    Plain text goes before HTML; quoted lines and rules are left out unless nothing else is there.
    """
    html: Part | None = None
    for item in walk(part):
        if item.children or item.type != b"text" or item.disposition == b"attachment":
            continue
        if item.subtype == b"html":
            html = html or item
        elif item.subtype == b"plain":
            text = _begin(texts(raw, item, body=True, header=False), READ)
            if line := _line(text, quotes=False) or _line(text, quotes=True):
                return line
    if html is None:
        return ""
    source = replace(html, subtype=b"plain")  # as it stands, once
    return _line(_begin(plain(_some(texts(raw, source, body=True, header=False))), READ), quotes=True)


def _some(pieces: Iterable[str]) -> Iterable[str]:
    left = READ_HTML
    for piece in pieces:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


def _begin(pieces: Iterable[str], limit: int) -> str:
    out: list[str] = []
    for piece in pieces:
        out.append(piece[:limit])
        limit -= len(piece)
        if limit <= 0:
            break
    return "".join(out)


def _line(text: str, *, quotes: bool) -> str:
    words: list[str] = []
    left = LONGEST
    for line in text.split("\n"):
        if not quotes and _QUOTED.match(line):
            continue
        found = _INVISIBLE.sub("", line[:READ]).split()
        words += found
        left -= sum(map(len, found)) + len(found)
        if left < 0:
            break
    line = " ".join(words)
    if len(line) <= LONGEST:
        return line
    cut = line[: LONGEST - 1]
    head, blank, tail = cut.rpartition(" ")
    return (head if blank and len(tail) < 20 else cut) + "…"
