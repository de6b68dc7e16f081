"""Address lists of header fields (RFC 5322 section 3.4, obsolete syntax of section 4.4 included), read tolerantly.

Every byte is looked at a bounded number of times: no input makes it slow, none makes it raise.
"""

import re
from dataclasses import dataclass

from gk.message.header import unfold

ADDRESSES = 1_000  # of one field that are parsed; Dovecot CVE-2024-23184
TOKENS = 25_000  # of one field, at 25 to an address

_TOKEN = re.compile(
    rb'[ \t\r\n]++|"(?:[^"\\]++|\\.)*+"?+|\[[^\]\r\n]*+\]?+|[^\x00-\x20"()<>\[\]:;@,\\]++|.',
    re.DOTALL,
)
# The usual shapes, `Name <local@domain>` and `local@domain`, up to and with the comma that follows.
_USUAL = re.compile(
    rb"[ \t]*+(?:"
    rb'(?:"([^"\\]*+)"|([^\x00-\x1f"<>@,;:()\\\[\]]*+))[ \t]*+'
    rb"<([A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x80-\xff-]++)@([A-Za-z0-9.\x80-\xff_-]++)>"
    rb"|([A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x80-\xff-]++)@([A-Za-z0-9.\x80-\xff_-]++)"
    rb")[ \t]*+(?:,|\Z)"
)
_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_IN_COMMENT = re.compile(rb"[^()\\]++|\\.|[()\\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address of a header, unquoted bytes as sent; `domain` is None where there was none.

    `route` is what RFC 5322 section 4.4 still lets stand before it, `@a,@b` of `<@a,@b:u@d>`.
    """

    name: bytes | None
    local: bytes
    domain: bytes | None
    route: bytes | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """`name: members;` (RFC 5322 section 3.4)."""

    name: bytes
    members: tuple[Mailbox, ...]


def parse_list(value: bytes) -> list[Mailbox | Group]:
    """The mailboxes and groups of an address field; encoded words stay as they are. At most 1,000 mailboxes."""
    if b"\n" in value:
        value = unfold(value)
    found: list[Mailbox | Group] = []
    at = 0
    size = len(value)
    while at < size and len(found) < ADDRESSES:
        usual = _USUAL.match(value, at)
        if usual is None:
            return _Reader(value, at, found).read()
        quoted, phrase, local, domain, bare, host = usual.groups()
        if bare is not None:
            found.append(Mailbox(None, bare, host))
        else:
            if quoted is None:
                name = phrase.rstrip()
                if b"  " in name:
                    name = b" ".join(name.split())
            else:
                name = quoted
            found.append(Mailbox(name or None, local, domain))
        at = usual.end()
    return found


class _Reader:
    """The whole grammar, token by token."""

    def __init__(self, value: bytes, at: int, found: list[Mailbox | Group]) -> None:
        self.value = value
        self.at = at
        self.found = found
        self.count = len(found)
        self.group: bytes | None = None
        self.members: list[Mailbox] = []
        self.clear()

    def clear(self) -> None:
        """Begin the next address."""
        self.phrase: list[bytes] = []  # words and blanks before `<` or `@`
        self.name = b""
        self.route: list[bytes] = []  # hosts
        self.local: list[bytes] | None = None
        self.domain: list[bytes] | None = None
        self.comment: bytes | None = None
        self.angle = False
        self.closed = False  # `>` was read, or a word that the domain cannot hold
        self.tail: list[bytes] = []  # words behind that
        self.gap = False  # a blank was read behind the domain

    def read(self) -> list[Mailbox | Group]:
        """Read to the end of the value or to the limit."""
        size = len(self.value)
        for _ in range(TOKENS):
            if self.at >= size or self.count >= ADDRESSES:
                break
            token = _TOKEN.match(self.value, self.at)
            if token is None:  # pragma: no cover - the last alternative matches any byte
                break
            self.at = token.end()
            self.take(token[0])
        self.flush()
        self.end_group()
        return self.found

    def take(self, token: bytes) -> None:
        """Act on one token."""
        match token:
            case b"(":
                self.skip_comment()
            case b",":
                if self.in_route():  # `<@a,@b:u@d>`: the next host of the route follows
                    self.end_host()
                else:
                    self.flush()
            case b";":
                self.flush()
                self.end_group()
            case b":":
                self.colon()
            case b"<":
                if self.angle:  # the comma between two addresses is missing
                    tail = self.tail
                    self.flush()
                    self.phrase = tail
                self.open()
            case b">":
                self.closed = self.closed or self.angle
            case b"@":
                self.at_sign()
            case _:
                self.word(token)

    def open(self) -> None:
        """What stood before `<` is a name, even where it looks like an address: `a@b.example <a@b.example>`."""
        words = self.phrase
        if self.local is not None and self.domain is not None:
            words = [self.name, b" ", *self.local, b"@", *self.domain, b" ", *self.tail]
        self.name = text(words)
        self.phrase = []
        self.local = self.domain = None
        self.closed = self.gap = False
        self.angle = True

    def in_route(self) -> bool:
        """Whether an obsolete source route is being read (RFC 5322 section 4.4)."""
        return self.angle and not self.closed and self.local is None and self.domain is not None

    def end_host(self) -> None:
        """One host of a source route was read."""
        self.route.append(b"@" + b"".join(self.domain or ()))
        self.domain = None

    def word(self, token: bytes) -> None:
        """A word, a quoted string, a domain literal, a blank or a stray byte."""
        blank = token.isspace()
        if self.closed:
            self.tail.append(b" " if blank else token)
        elif self.domain is not None:
            if blank:
                self.gap = bool(self.domain)
            elif self.gap and token[:1] != b"." and self.domain[-1][-1:] != b".":
                self.closed = True
                self.tail.append(token)
            else:
                self.domain.append(token)
                self.gap = False
        elif token[:1] == b'"':
            self.phrase.append(unquote(token))
        elif blank:
            if self.phrase and self.phrase[-1] != b" ":
                self.phrase.append(b" ")
        else:
            self.phrase.append(token)

    def at_sign(self) -> None:
        """The local part ends, or did at an earlier sign that then belongs to it."""
        if self.closed:
            return
        if self.domain is None:
            if self.angle and not self.phrase:
                self.domain = []  # `<@route:` or `<@domain>`
                return
            self.local = self.phrase
            self.phrase = []
            if not self.angle:
                self.split_name()
        elif self.local is not None:
            self.local.append(b"@")
            self.local.extend(self.domain)
        self.domain = []
        self.gap = False

    def split_name(self) -> None:
        """`Name local@domain`, brackets forgotten: the last word is the local part."""
        words = self.local or []
        while words and words[-1] == b" ":
            words.pop()
        if b" " in words:
            last = len(words) - words[::-1].index(b" ")
            self.name = text(words[:last])
            self.local = words[last:]

    def colon(self) -> None:
        """The end of a source route or of a group's name."""
        if self.in_route():
            self.end_host()
        elif not self.angle and self.domain is None and self.group is None:
            name = text(self.phrase)
            self.clear()
            self.group = name
        else:
            self.word(b":")

    def flush(self) -> None:
        """End the address being read, if there is one."""
        local = text(self.phrase if self.local is None else self.local)
        domain = b"".join(self.domain) if self.domain else None
        name = self.name
        if name or local or domain:
            mailbox = Mailbox(name or self.comment, local, domain, b",".join(self.route) or None)
            self.count += 1
            if self.group is None:
                self.found.append(mailbox)
            else:
                self.members.append(mailbox)
        self.clear()

    def end_group(self) -> None:
        """End the group being read, if there is one."""
        if self.group is not None:
            self.count += 1
            self.found.append(Group(self.group, tuple(self.members)))
            self.group = None
            self.members = []

    def skip_comment(self) -> None:
        """Pass over a comment and what is nested in it; the first of an address may serve as its name."""
        depth = 1
        start = self.at
        for piece in _IN_COMMENT.finditer(self.value, start):
            token = piece[0]
            if token == b"(":
                depth += 1
            elif token == b")":
                depth -= 1
                if depth == 0:
                    self.at = piece.end()
                    break
        else:
            self.at = len(self.value)
        if self.comment is None:
            inside = self.value[start : self.at - (depth == 0)]
            self.comment = _PAIR.sub(rb"\1", inside).strip() or None


def text(words: list[bytes]) -> bytes:
    """Words and blanks as one run of text."""
    return b"".join(words).strip()


def unquote(token: bytes) -> bytes:
    """The content of a quoted string, closed or not (RFC 5322 section 3.2.4)."""
    inside = token[1:-1] if len(token) > 1 and token[-1:] == b'"' else token[1:]
    return _PAIR.sub(rb"\1", inside) if b"\\" in inside else inside
