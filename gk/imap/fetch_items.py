"""What FETCH asks for (RFC 3501 §6.4.5): items, section specifications and modifiers as values.

BINARY is of RFC 3516, PREVIEW of RFC 8970, SAVEDATE of RFC 8514, the modifiers of RFC 7162 and RFC 9394.
"""

import re
from dataclasses import dataclass

from gk.imap.grammar import LARGEST_MODSEQ, BadSyntax, Cursor
from gk.imap.header_fields import NAME
from gk.imap.search_options import Partial, page

ITEMS_OF_A_COMMAND = 200
FIELDS_OF_A_SECTION = 200
PARTS_DEEP = 100  # part numbers of one section: as deep as the scanner goes

_PLAIN = frozenset(
    b"FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE MODSEQ EMAILID THREADID PREVIEW SAVEDATE".split()
)
_MACROS = {
    b"FAST": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE"),
    b"ALL": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE"),
    b"FULL": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODY"),
}
_FIELD = re.compile(rb"[\x20-\x7e]+")  # what can be named in the answer, and no less than RFC 5322 §2.2 allows
_BARE = re.compile(rb"[A-Za-z0-9]+\Z")


_LAZY = b"PREVIEW LAZY"


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


@dataclass(frozen=True, slots=True)
class Binary:
    """`BINARY[…]<…>`, a part without its transfer encoding, or with `size` only how long that is.

    RFC 3516 has part numbers alone; headers and texts, which have no encoding, are given as BODY gives them.
    """

    label: bytes
    section: Section
    size: bool = False

    @property
    def peek(self) -> bool:
        return self.section.peek

    @property
    def path(self) -> tuple[int, ...]:
        return self.section.path


Item = bytes | Section | Binary  # the bytes are one of the plain names, in upper case


@dataclass(frozen=True, slots=True)
class Fetch:
    """The items of one FETCH in the order asked for, each once, and its modifiers."""

    items: tuple[Item, ...]
    changed_since: int | None = None
    vanished: bool = False  # tell what was expunged since, too (RFC 7162 §3.2.6)
    partial: Partial | None = None  # of the messages chosen only this page (RFC 9394 §3.2)
    lazy: bool = False  # a preview only where there is one already (RFC 8970 §3.1)

    @property
    def sees(self) -> bool:
        """Whether it sets \\Seen."""
        return any(isinstance(item, Section | Binary) and not item.peek for item in self.items)


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
    lazy = _LAZY in items
    if lazy:
        items = tuple(dict.fromkeys(b"PREVIEW" if item == _LAZY else item for item in items))
    modifiers = _Modifiers()
    if cursor.at(b" ("):
        cursor.space()
        modifiers = _modifiers(cursor)
        if modifiers.changed_since is not None and b"MODSEQ" not in items:  # RFC 7162 §3.1.4.1: asked for, too
            items += (b"MODSEQ",)
    cursor.end()
    return Fetch(items, modifiers.changed_since, modifiers.vanished, modifiers.partial, lazy)


def parse_list(cursor: Cursor) -> Fetch:
    """Items in brackets, without modifiers: what NOTIFY fetches of new messages (RFC 5465 §8)."""
    groups = cursor.listed(lambda: _item(cursor), ITEMS_OF_A_COMMAND)
    return Fetch(tuple(dict.fromkeys(item for group in groups for item in group)))


def _item(cursor: Cursor) -> tuple[Item, ...]:
    name = cursor.fetch_name()
    if cursor.at(b"["):
        if name in (b"BODY", b"BODY.PEEK"):
            return (_section(cursor, peek=name == b"BODY.PEEK"),)
        if name in (b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE"):
            return (_binary(cursor, name),)
        raise BadSyntax("only BODY and BINARY have sections")
    if name == b"PREVIEW" and cursor.skip_word(b" (LAZY)"):
        return (_LAZY,)
    if name in _PLAIN:
        return (name,)
    if name in _RFC822:
        return (_RFC822[name],)
    if name in _MACROS:
        return _MACROS[name]
    raise BadSyntax("an unknown item to fetch")


def _section(cursor: Cursor, *, peek: bool, name: bytes = b"BODY") -> Section:
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
            if not names or not all(map(_FIELD.fullmatch, names)) or max(map(len, names)) > NAME:
                raise BadSyntax("header fields have names of 1 to 998 printable characters")
            text, fields = "HEADER", frozenset(name.lower() for name in names)
            written += b" (" + b" ".join(_written(name.upper()) for name in names) + b")"
    cursor.need(b"]")
    partial, where = _partial(cursor)
    return Section(name + b"[" + written + b"]" + where, path, text, fields, negate, partial, peek)


def _binary(cursor: Cursor, name: bytes) -> Binary:
    size = name == b"BINARY.SIZE"
    section = _section(cursor, peek=name != b"BINARY", name=name if size else b"BINARY")
    if size and section.partial is not None:
        raise BadSyntax("BINARY.SIZE is of the whole part")  # RFC 3516 §7
    return Binary(section.label, section, size)


def _partial(cursor: Cursor) -> tuple[tuple[int, int] | None, bytes]:
    """`<first.length>`, and what of it stands in the answer; `<first>` alone, which some clients say, is to the end."""
    if not cursor.skip(b"<"):
        return None, b""
    first = cursor.number(LARGEST_MODSEQ)
    length = cursor.number(LARGEST_MODSEQ) if cursor.skip(b".") else LARGEST_MODSEQ
    cursor.need(b">")
    if not length:
        raise BadSyntax("a part of no bytes")
    return (first, length), b"<%d>" % first


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


@dataclass(slots=True)
class _Modifiers:
    changed_since: int | None = None
    vanished: bool = False
    partial: Partial | None = None


def _modifiers(cursor: Cursor) -> _Modifiers:
    found = _Modifiers()
    seen: set[bytes] = set()

    def modifier() -> None:
        word = cursor.word()
        if word in seen:
            raise BadSyntax("a fetch modifier is there twice")
        seen.add(word)
        match word:
            case b"CHANGEDSINCE":
                cursor.space()
                found.changed_since = cursor.number(LARGEST_MODSEQ)
            case b"VANISHED":
                found.vanished = True
            case b"PARTIAL":
                cursor.space()
                found.partial = page(cursor)
            case _:
                raise BadSyntax("an unknown fetch modifier")

    cursor.listed(modifier, 5)
    if not seen:
        raise BadSyntax("an empty list of modifiers")
    if found.vanished and found.changed_since is None:
        raise BadSyntax("VANISHED needs CHANGEDSINCE")  # RFC 7162 §3.2.6
    return found
