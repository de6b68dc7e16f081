"""What the rules look at of a message: read once, decoded, and bounded, so that no message takes long."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlsplit

from gk.message import header
from gk.message.mailboxes import Mailbox, parse_list
from gk.message.part import Part
from gk.message.scan import scan
from gk.message.searched import Sliced, decoded, plain
from gk.message.text import decode_words, file_name, walk

TEXT = 24 << 10  # characters of text, and as many of HTML, that are read: spam says what it wants sooner
READ = 8 << 10  # characters of text in which phrases are looked for
PARTS, FIELDS, LINKS, FILES = 50, 200, 200, 50
VALUE = 2000  # characters of one field
SHOWN = 300  # characters between <a> and </a>

_ANCHOR = re.compile(r"<a\b([^<>]{0,4000})>", re.IGNORECASE)
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_BARE = re.compile(  # `\b(https?://…|www\.…)`, so written that the pattern leaps from one possible letter to the next
    r"""[hHwW](?<!\w[hHwW])(?i:(?<=h)ttps?://[^\s<>"']{1,2000}|(?<=w)ww\.[^\s<>"']{1,200})"""
)
_HOST = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,10}[^\W\d_][\w-]{1,62}")


@dataclass(frozen=True, slots=True)
class Link:
    """A link: the host and path it leads to, and the text that is shown for it ("" outside HTML)."""

    host: str
    path: str
    shown: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody named in a field: the name, decoded, and the address in lower case."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Seen:
    """A message, as far as it matters. `fields` are (lower-case name, decoded value, offset, length) in order."""

    fields: tuple[tuple[str, str, int, int], ...]
    author: Person | None
    reply_to: Person | None
    subject: str
    words: str  # subject and text in lower case, one blank between words and at both ends, no marks
    vocabulary: frozenset[str]  # the same, each once
    text: str
    html: str
    links: tuple[Link, ...]
    files: tuple[tuple[str, str], ...]  # (name, type) of the attachments
    types: tuple[str, ...]  # of the parts without parts

    def values(self, name: str) -> list[str]:
        """The values of the fields with this lower-case name."""
        return [value for known, value, _, _ in self.fields if known == name]

    def value(self, name: str) -> str:
        """The first of them, "" without one."""
        return next(iter(self.values(name)), "")

    def where(self, name: str) -> tuple[int, int] | None:
        """(offset, length) of the first field of that name."""
        return next(((at, length) for known, _, at, length in self.fields if known == name), None)


def see(raw: bytes) -> Seen:
    """Read a message with CRLF line ends. No message makes it raise."""
    tree = scan(raw)
    fields, people = _fields(raw[: min(tree.body, header.SECTION)])
    texts: list[str] = []
    sources: list[str] = []
    files: list[tuple[str, str]] = []
    types: list[str] = []
    for part in walk(tree)[: 4 * PARTS]:
        if part.children:
            continue
        kind = f"{part.type.decode('latin-1')}/{part.subtype.decode('latin-1')}".lower()
        types.append(kind)
        name = file_name(part)
        if (name or part.disposition == b"attachment") and len(files) < FILES:
            files.append(((name or "")[:VALUE], kind))
        if part.type.lower() == b"text" and len(types) <= PARTS:
            source = _content(raw, part)
            if part.subtype.lower() == b"html":
                sources.append(source)
                source = "".join(plain([source]))
            texts.append(source)
    text, html = "\n".join(texts)[:TEXT], "\n".join(sources)[:TEXT]
    named = {name: value for name, value, _, _ in reversed(fields)}
    subject = named.get("subject", "")
    words = _plain(f"{subject} . {text[:READ]}").split()
    return Seen(
        fields=fields,
        author=people.get("from"),
        reply_to=people.get("reply-to"),
        subject=subject,
        words=f" {' '.join(words)} ",
        vocabulary=frozenset(words),
        text=text,
        html=html,
        links=tuple(_links(text, html)),
        files=tuple(files),
        types=tuple(types[:PARTS]),
    )


def _content(raw: Sliced, part: Part) -> str:
    kept, length = [], 0
    for piece in decoded(raw, part):
        kept.append(piece)
        length += len(piece)
        if length >= TEXT:
            break
    return "".join(kept)[:TEXT]


_Field = tuple[str, str, int, int]


def _fields(section: bytes) -> tuple[tuple[_Field, ...], dict[str, Person]]:
    """The fields, and the first address in From and in Reply-To."""
    found: list[_Field] = []
    people: dict[str, Person] = {}
    for name, start, end in header.fields(section, 0, len(section))[:FIELDS]:
        value = header.unfold(section[start : min(end, start + 4 * VALUE)])
        known = name.decode("latin-1").lower()
        if known in ("from", "reply-to") and known not in people and (person := _person(value[:VALUE])):
            people[known] = person
        text = decode_words(value) if b"=?" in value else value.decode("utf-8", "replace")
        found.append((known, text.strip()[:VALUE], start, end - start))
    return tuple(found), people


def _person(value: bytes) -> Person | None:
    first = next((one for one in parse_list(value) if isinstance(one, Mailbox)), None)
    if first is None:
        return None
    domain = (first.domain or b"").decode("utf-8", "replace").lower()
    shown = decode_words(first.name or b"")[:VALUE]
    return Person(shown, f"{first.local.decode('utf-8', 'replace').lower()}@{domain}")


_MARKS = re.compile(r"[^\w'@-]+")
_ASCII_MARKS = {code: " " for code in range(128) if _MARKS.match(chr(code))}


def _plain(text: str) -> str:
    """A text in lower case, blanks for its marks."""
    if text.isascii():
        return text.lower().translate(_ASCII_MARKS)
    return _MARKS.sub(" ", text.lower().replace("’", "'"))


def _links(text: str, html: str) -> Iterator[Link]:
    count = 0
    for anchor in _ANCHOR.finditer(html):
        found = _HREF.search(anchor[1])
        if found is None:
            continue
        end = html.find("</", anchor.end(), anchor.end() + 4 * SHOWN)
        shown = "".join(plain([html[anchor.end() : end if end >= 0 else anchor.end() + SHOWN]]))[:SHOWN]
        if (link := _link(unescape(found[1] or found[2] or found[3] or ""), shown)) is not None:
            yield link
            count += 1
            if count == LINKS:
                return
    for match in _BARE.finditer(text):
        if (link := _link(match[0], "")) is not None:
            yield link
            count += 1
            if count == LINKS:
                return


def _link(address: str, shown: str) -> Link | None:
    address = address.strip()
    if address[:4].lower() == "www.":
        address = "http://" + address
    if address[:7].lower() not in ("http://", "https:/"):
        return None
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return None
    return Link(host, parts.path[:VALUE], shown) if host else None


def host_in(text: str) -> str:
    """The first thing in a text that looks like the name of a host, in lower case; "" without one."""
    found = _HOST.search(text)
    return found[0].lower() if found else ""


def site(host: str) -> str:
    """The domain a host is likely to be registered under: its last two labels, three where the second is short."""
    labels = host.split(".")
    short = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in ("co", "com", "org", "net", "gov", "ac", "gouv")
    return ".".join(labels[-3 if short else -2 :])
