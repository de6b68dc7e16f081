"""What FETCH asks for (RFC 3501 §6.4.5): items, section specifications and modifiers as values."""

import re
from dataclasses import dataclass

from gk.imap.grammar import LARGEST_MODSEQ, BadSyntax, Cursor

ITEMS_OF_A_COMMAND = 200
FIELDS_OF_A_SECTION = 200
PARTS_DEEP = 100  # part numbers of one section: as deep as the scanner goes

_PLAIN = frozenset(b"FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE MODSEQ EMAILID THREADID".split())
_MACROS = {
    b"FAST": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE"),
    b"ALL": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE"),
    b"FULL": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODY"),
}
_FIELD = re.compile(rb"[\x20-\x7e]+")  # what can be named in the answer, and no less than RFC 5322 §2.2 allows
_BARE = re.compile(rb"[A-Za-z0-9]+\Z")


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of a message: `BODY[…]<…>` or one of RFC822's names for the same.

    `path` are part numbers, `text` is "", HEADER, TEXT or MIME; with `fields` (lower case) only those header fields,
    or with `negate` all but those. `partial` is (first byte, bytes). `label` names it in the answer.
    """

    label: bytes
    path: tuple[int, ...] = ()
    text: str = ""
    fields: frozenset[bytes] | None = None
    negate: bool = False
    partial: tuple[int, int] | None = None
    peek: bool = False


Item = bytes | Section  # the bytes are one of the plain names, in upper case


@dataclass(frozen=True, slots=True)
class Fetch:
    """The items of one FETCH in the order asked for, each once, and its modifiers."""

    items: tuple[Item, ...]
    changed_since: int | None = None

    @property
    def sees(self) -> bool:
        """Whether it sets \\Seen."""
        return any(isinstance(item, Section) and not item.peek for item in self.items)


_RFC822 = {
    b"RFC822": Section(b"RFC822"),
    b"RFC822.HEADER": Section(b"RFC822.HEADER", text="HEADER", peek=True),
    b"RFC822.TEXT": Section(b"RFC822.TEXT", text="TEXT"),
}


def parse(cursor: Cursor) -> Fetch:
    """Read the items, and the modifiers of RFC 7162 §3.1.4.1, to the end of the command."""
    if cursor.at(b"("):
        groups = cursor.listed(lambda: _item(cursor), ITEMS_OF_A_COMMAND)
        if not groups:
            raise BadSyntax("an empty list of items")
    else:
        groups = [_item(cursor)]
    items = tuple(dict.fromkeys(item for group in groups for item in group))
    changed_since = None
    if cursor.at(b" ("):
        cursor.space()
        changed_since = _modifiers(cursor)
        if b"MODSEQ" not in items:  # RFC 7162 §3.1.4.1: CHANGEDSINCE asks for MODSEQ, too
            items += (b"MODSEQ",)
    cursor.end()
    return Fetch(items, changed_since)


def _item(cursor: Cursor) -> tuple[Item, ...]:
    name = cursor.fetch_name()
    if cursor.at(b"["):
        if name not in (b"BODY", b"BODY.PEEK"):
            raise BadSyntax("only BODY and BODY.PEEK have sections")
        return (_section(cursor, peek=name == b"BODY.PEEK"),)
    if name in _PLAIN:
        return (name,)
    if name in _RFC822:
        return (_RFC822[name],)
    if name in _MACROS:
        return _MACROS[name]
    raise BadSyntax("an unknown item to fetch")


def _section(cursor: Cursor, *, peek: bool) -> Section:
    cursor.need(b"[")
    path: tuple[int, ...] = ()
    text, fields, negate = "", None, False
    written = b""
    if not cursor.at(b"]"):
        path, text = _specification(cursor.section_words())
        written = b".".join([*(b"%d" % n for n in path), *([text.encode()] if text else [])])
        if text.startswith("HEADER.FIELDS"):
            negate = text.endswith("NOT")
            cursor.space()
            names = cursor.listed(cursor.astring, FIELDS_OF_A_SECTION)
            if not names or not all(map(_FIELD.fullmatch, names)):
                raise BadSyntax("header fields have names of printable characters")
            text, fields = "HEADER", frozenset(name.lower() for name in names)
            written += b" (" + b" ".join(_written(name.upper()) for name in names) + b")"
    cursor.need(b"]")
    partial = None
    label = b"BODY[" + written + b"]"
    if cursor.skip(b"<"):
        first = cursor.number(LARGEST_MODSEQ)
        cursor.need(b".")
        length = cursor.number(LARGEST_MODSEQ)
        cursor.need(b">")
        if not length:
            raise BadSyntax("a part of no bytes")
        partial = (first, length)
        label += b"<%d>" % first
    return Section(label, path, text, fields, negate, partial, peek)


def _specification(words: bytes) -> tuple[tuple[int, ...], str]:
    """`1.2.HEADER` → ((1, 2), "HEADER")."""
    parts = words.upper().split(b".")
    path: list[int] = []
    while parts and parts[0].isdigit():
        number = int(parts.pop(0)[:11])
        if not 0 < number <= 0xFFFFFFFF or len(path) == PARTS_DEEP:
            raise BadSyntax("there is no such part number")
        path.append(number)
    text = b".".join(parts).decode("ascii")
    if text not in ("", "HEADER", "TEXT", "MIME", "HEADER.FIELDS", "HEADER.FIELDS.NOT") or (
        text == "MIME" and not path
    ):
        raise BadSyntax("an unknown section")
    return tuple(path), text


def _written(name: bytes) -> bytes:
    if _BARE.match(name.replace(b"-", b"")):
        return name
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _modifiers(cursor: Cursor) -> int:
    found: list[int] = []

    def modifier() -> None:
        if cursor.word() != b"CHANGEDSINCE" or found:
            raise BadSyntax("an unknown fetch modifier")
        cursor.space()
        found.append(cursor.number(LARGEST_MODSEQ))

    cursor.listed(modifier, 2)
    if not found:
        raise BadSyntax("an empty list of modifiers")
    return found[0]
