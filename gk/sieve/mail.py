"""A message as scripts see it: fields, addresses and texts, decoded when they are asked for."""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from gk.message.address import Address
from gk.message.charset import decode
from gk.message.header import SECTION, Raw, fields, joined, unfold
from gk.message.mailboxes import Group, parse_list
from gk.message.part import Part
from gk.message.scan import scan
from gk.message.searched import header_text, plain
from gk.message.text import decode_words, to_text, transfer_decode, walk

BODY = 1 << 20  # octets of content a body test looks at
READ = 64 << 10  # octets of a field that are looked at
STEP = 16 << 10  # octets in which the end of a header is looked for at once


class Field:
    """One field; `place` counts the fields of the message as it came, None where a script added it."""

    __slots__ = ("_addresses", "_text", "name", "place", "raw")

    def __init__(self, name: str, raw: bytes, place: int | None) -> None:
        self.name, self.raw, self.place = name, raw, place
        self._text: str | None = None
        self._addresses: list[tuple[str, str]] | None = None

    @property
    def text(self) -> str:
        """The value unfolded, without blanks around it, encoded words decoded (RFC 5228 §5.7)."""
        if self._text is None:
            self._text = decode_words(unfold(self.raw[:READ])).strip()
        return self._text

    @property
    def addresses(self) -> list[tuple[str, str]]:
        """(local part, domain) of each address, groups opened; what is no address is (its text, "")."""
        if self._addresses is None:
            self._addresses = list(_addresses(self.raw[:READ]))
        return self._addresses


def _addresses(value: bytes) -> Iterator[tuple[str, str]]:
    entries = parse_list(value)
    if not entries:
        yield "", ""
    for entry in entries:
        for mailbox in entry.members if isinstance(entry, Group) else (entry,):
            local, domain = decode(mailbox.local, None), decode(mailbox.domain or b"", None)
            yield (local, domain) if local else (f"@{domain}", "")


class Mail:
    """One message with its envelope; `recipient` is the address it is delivered for.

    `raw` is the message as it would be stored, `tree` its scan where there is one already.
    """

    def __init__(
        self,
        raw: Raw,
        tree: Part | None = None,
        *,
        sender: Address | None = None,
        recipient: Address | None = None,
        size: int | None = None,
    ) -> None:
        self.raw = raw
        self._tree = tree
        self.sender, self.recipient = sender, recipient
        self.size = len(raw) if size is None else size
        self._texts: dict[tuple[str, tuple[str, ...]], list[str]] = {}

    @cached_property
    def tree(self) -> Part:
        """The parts of the message; found when a script asks for them, and most do not."""
        return scan(self.raw) if self._tree is None else self._tree

    @cached_property
    def header_size(self) -> int:
        """Octets of the header section, its empty line included."""
        if self._tree is not None:
            return self._tree.body
        for start in range(0, min(len(self.raw), SECTION), STEP):
            piece = self.raw[max(0, start - 3) : start + STEP]
            crlf, bare = piece.find(b"\n\r\n"), piece.find(b"\n\n")
            if crlf >= 0 or bare >= 0:
                return max(0, start - 3) + (crlf + 3 if crlf >= 0 and (bare < 0 or crlf < bare) else bare + 2)
        return min(len(self.raw), SECTION)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The fields in their order."""
        raw = self.raw
        return tuple(
            Field(decode(name, None), raw[start:end], place)
            for place, (name, start, end) in enumerate(fields(raw, 0, self.header_size))
        )

    def body(self, transform: str, types: tuple[str, ...] = ()) -> list[str]:
        """The content as RFC 5173 §5 has it: `transform` is raw, text or content, `types` those of the latter.

        Of all parts together, 1 MiB is looked at.
        """
        key = (transform, types)
        if key not in self._texts:
            match transform:
                case "raw":
                    start = self.tree.body
                    self._texts[key] = [decode(self.raw[start : start + BODY], None)] if self._has_body else []
                case "text":
                    self._texts[key] = self._pieces(("text", "application/xhtml+xml"), _readable)
                case _:
                    self._texts[key] = self._pieces(types, None)
        return self._texts[key]

    @property
    def _has_body(self) -> bool:
        """Whether an empty line ends the header; else there is no body, not even an empty one (RFC 5173 §3)."""
        end = self.raw[max(0, self.tree.body - 3) : self.tree.body]
        return end.endswith((b"\n\n", b"\n\r\n")) or end in (b"\n", b"\r\n")

    def _pieces(self, types: tuple[str, ...], read: "Callable[[Part, str], str] | None") -> list[str]:
        """The texts of the parts that have one of the types."""
        left, out = BODY, []
        for part in walk(self.tree):
            if left <= 0:
                break
            if not _has_type(part, types):
                continue
            for start, end, encoding in _spans(self.raw, part):
                data = self.raw[start : min(end, start + left)]
                left -= len(data)
                charset = joined(part.params, b"charset") if part.type == b"text" else None
                text = to_text(transfer_decode(data, encoding), charset[1] if charset else None)
                out.append(read(part, text) if read is not None else text)
                if part.is_message and b"=?" in data:
                    out.append(header_text(data))  # and as people read it
        return out


def _has_type(part: Part, types: Iterable[str]) -> bool:
    """RFC 5173 §5.2: all of a type, one subtype of it, or with "" everything; what is neither matches nothing."""
    whole = decode(part.type, None)
    exact = whole + "/" + decode(part.subtype, None)
    return any(wanted in ("", whole, exact) for wanted in types)


def _spans(raw: Raw, part: Part) -> list[tuple[int, int, bytes]]:
    """(start, end, encoding) of what a part itself says: of a multipart what is around its parts (RFC 5173 §5.2)."""
    if part.is_multipart:
        if not part.children:
            return []
        prologue, epilogue = part.children[0].start, part.children[-1].end
        # Between them and the parts stand lines with the boundary, which belong to neither.
        before = max(part.body, raw.rfind(b"\n", part.body, max(part.body, prologue - 1)) + 1)
        line = raw.find(b"--", epilogue, min(part.end, epilogue + 4))
        behind = raw.find(b"\n", line, part.end) + 1 if line >= 0 else 0
        return [(part.body, before, b""), (behind or part.end, part.end, b"")]
    if part.is_message and part.children:
        start, end = part.children[0].start, part.children[0].body
        return [(start, end - len(b"\r\n") if raw[start:end].endswith(b"\n\r\n") else end, b"")]
    return [(part.body, part.end, part.encoding)]


def _readable(part: Part, text: str) -> str:
    return "".join(plain([text])) if part.subtype in (b"html", b"xhtml+xml") else text
