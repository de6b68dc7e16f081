"""FETCH responses as bytes (RFC 3501 §7.4.2): columns of the index and pieces of messages, no I/O.

What the index holds is rendered column by column for a whole slice of messages; `%` on a template does the rest.
"""

from collections.abc import Sequence
from functools import lru_cache

from gk.imap import header_fields
from gk.imap.fetch_items import Item, Section
from gk.message import header, section, table
from gk.message.date import format_internal
from gk.message.part import Part

COLUMNS = {  # what an item needs of the store's rows
    b"INTERNALDATE": "internaldate",
    b"RFC822.SIZE": "size",
    b"ENVELOPE": "envelope",
    b"BODY": "bodystructure",
    b"BODYSTRUCTURE": "bodystructure",
    b"EMAILID": "message",
    b"THREADID": "thread",
    b"SAVEDATE": "saved",
}
MORE_COLUMNS = {b"INTERNALDATE": "zone"}  # beside it
_FORMATS = {
    b"UID": b"%d",
    b"RFC822.SIZE": b"%d",
    b"FLAGS": b"(%b)",
    b"MODSEQ": b"(%d)",
    b"EMAILID": b"(G%d)",
    b"THREADID": b"(T%d)",
}


def template(items: Sequence[Item]) -> bytes:
    """`* %d FETCH (UID %d …`: what comes after the number, without the closing bracket."""
    parts = []
    for item in items:
        if isinstance(item, bytes):
            parts.append(item + b" " + _FORMATS.get(item, b"%b"))
        else:
            parts.append(item.label.replace(b"%", b"%%") + b" %b")
    return b"* %d FETCH (" + b" ".join(parts)


@lru_cache(1 << 15)
def _minute(minute: int) -> bytes:
    return format_internal(minute * 60)[:-9]


_SECONDS = [b'%02d +0000"' % second for second in range(60)]


def internal_date(epoch: int, zone: int = 0) -> bytes:
    """`" 1-Feb-2026 12:00:00 +0000"`, in a zone of so many minutes east."""
    minute, second = divmod(epoch + zone * 60, 60)
    return _minute(minute) + (_SECONDS[second] if not zone else b'%02d %b"' % (second, _zone(zone)))


@lru_cache(64)
def _zone(minutes: int) -> bytes:
    return b"%c%02d%02d" % (b"-" if minutes < 0 else b"+", *divmod(abs(minutes), 60))


# -- pieces of messages


def from_header(wanted: Section) -> bool:
    """Whether the stored header has all of it."""
    return wanted.text == "HEADER" and not wanted.path


def of_header(wanted: Section, head: bytes) -> bytes:
    """BODY[HEADER…] as a string."""
    return string(_part(head if wanted.fields is None else _fields(wanted.fields, wanted.negate, head), wanted.partial))


def span(wanted: Section, size: int, head: int, tree: Part | None) -> tuple[int, int] | None:
    """Where in the message a section lies: (first byte, the one behind the last); None when there is no such part.

    `head` is the size of the message's header, `tree` its parts, which only sections with a path need.
    """
    if wanted.path:
        assert tree is not None
        return section.resolve(tree, wanted.path, wanted.text)
    if wanted.text == "HEADER":
        return 0, head
    return (head, size) if wanted.text == "TEXT" else (0, size)


def encoded_part(wanted: Section, tree: Part | None) -> Part | None:
    """The part whose transfer encoding a BINARY section is without; None where nothing of it is encoded."""
    if not wanted.path or wanted.text or tree is None:
        return None
    part = section.find(tree, wanted.path)
    return part if part is not None and not part.children else None


def narrowed(found: tuple[int, int], partial: tuple[int, int] | None) -> tuple[int, int]:
    """The bytes `<first.length>` leaves of a span (RFC 3501 §6.4.5)."""
    if partial is None:
        return found
    start = min(found[0] + partial[0], found[1])
    return start, min(start + partial[1], found[1])


def filtered(wanted: Section, head: bytes) -> bytes:
    """The fields of an embedded message's header, as a string."""
    assert wanted.fields is not None
    return string(_part(_fields(wanted.fields, wanted.negate, head), wanted.partial))


def _fields(names: frozenset[bytes], negate: bool, head: bytes) -> bytes:
    return header.filter_fields(head, set(names), True) if negate else header_fields.fields(head, names)


def string(data: bytes) -> bytes:
    """A literal; the empty string is `""`. NUL, which no IMAP string may carry, becomes 0x80."""
    if not data:
        return b'""'
    return b"{%d}\r\n%b" % (len(data), clean(data))


def clean(data: bytes) -> bytes:
    return data.replace(b"\0", b"\x80") if b"\0" in data else data


def tree(parts: bytes) -> Part:
    return table.load(parts)


def _part(data: bytes, partial: tuple[int, int] | None) -> bytes:
    return data if partial is None else data[partial[0] : partial[0] + partial[1]]
