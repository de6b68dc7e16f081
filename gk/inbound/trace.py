"""Trace fields: Received, Return-Path and Delivered-To (RFC 5321 §4.4), and what of them is removed at the border."""

import functools
import itertools
import re
import time
from dataclasses import dataclass

from gk.message.address import Address
from gk.message.date import format_date
from gk.message.header import uncomment, unfold

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")  # RFC 5322 §2.2, and the blank of §4.5
_MBOX = (b"From ", b">From ")  # a mailbox separator some programs leave above the header
_RECEIVED = re.compile(rb"^received[ \t]*:", re.IGNORECASE | re.MULTILINE)
_DELIVERED = re.compile(rb"^delivered-to[ \t]*:([^\r\n]{1,1000})", re.IGNORECASE | re.MULTILINE)
_ALIEN = re.compile(
    rb"^(return-path|authentication-results|x-gk-[a-z0-9-]+)[ \t]*:((?:[^\r\n]++|\r\n[ \t])*+)(?:\r\n|\Z)",
    re.IGNORECASE | re.MULTILINE,
)
_UNSAFE = re.compile(r"[^A-Za-z0-9._:\[\]-]")  # would end the clause or open a comment
_TOKEN = re.compile(rb'\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))')

DELIVERED = 100  # Delivered-To fields that are looked at: a message has fewer hops
RESULTS = 200  # fields whose author is looked for; of more all go, for nobody honest brings so many
READ = 4096  # bytes of a field that are looked at for its author; nobody honest puts more in front


@dataclass(frozen=True, slots=True)
class Client:
    """Who hands a message over: the name it gave, its address, and how it speaks.

    `hidden` leaves name and address out: where a user writes from is nobody's business.
    """

    helo: str
    address: str
    extended: bool
    tls: str | None  # the protocol version
    authenticated: bool
    hidden: bool = False

    def protocol(self, utf8: bool) -> str:
        """The `with` of Received (RFC 3848, RFC 6531 §4.3)."""
        if not self.extended:
            return "SMTP"
        return ("UTF8SMTP" if utf8 else "ESMTP") + ("S" if self.tls else "") + ("A" if self.authenticated else "")


def received(client: Client, hostname: str, id: str, utf8: bool, recipient: Address | None) -> bytes:
    """A Received field; `recipient` only where the message has a single one, or a Bcc would show."""
    if client.hidden:
        origin = "client.invalid"  # the clause is not optional; RFC 2606 §2: nobody's name
    else:
        literal = f"IPv6:{client.address}" if ":" in client.address else client.address
        origin = f"{_UNSAFE.sub('_', client.helo)} ([{_UNSAFE.sub('_', literal)}])"
    tls = f" ({client.tls})" if client.tls else ""
    target = f"\r\n\tfor <{recipient}>" if recipient else ""
    text = f"Received: from {origin}\r\n\tby {hostname} with {client.protocol(utf8)}{tls} id {id}{target};\r\n\t"
    return text.encode() + _date(int(time.time())) + b"\r\n"


def return_path(sender: Address | None) -> bytes:
    """The Return-Path field of the final delivery (RFC 5321 §4.4)."""
    return f"Return-Path: <{sender or ''}>\r\n".encode()


def delivered_to(address: str) -> bytes:
    """The Delivered-To field (RFC 9228)."""
    return f"Delivered-To: {address}\r\n".encode()


def split(content: bytes) -> tuple[bytes, bytes]:
    """(header section, the empty line and the body) of a message with CRLF line ends.

    What does not begin with a header field has no header: an empty line is put above it, or its text would be taken
    for a part of the header written over it.
    """
    if content.startswith(b"\r\n"):
        return b"", content
    if not _FIELD.match(content) and not content.startswith(_MBOX):
        return b"", b"\r\n" + content
    end = content.find(b"\r\n\r\n") + 2
    return (content[:end], content[end:]) if end > 1 else (content, b"")


def hops(header: bytes) -> int:
    """How many Received fields a header has."""
    return len(_RECEIVED.findall(header))


def delivered(header: bytes) -> set[str]:
    """The addresses in the Delivered-To fields of a header, in lower case; of so many as anybody honest has."""
    found = itertools.islice(_DELIVERED.finditer(header), DELIVERED)
    return {match[1].decode("utf-8", "replace").strip().strip("<>").lower() for match in found}


def without_alien(header: bytes, hostname: str) -> bytes:
    """The header without what only we may write: Return-Path, X-GK fields, results under our name (RFC 8601 §5)."""
    ours = hostname.lower().encode()
    count = 0

    def judge(field: re.Match[bytes]) -> bytes:
        nonlocal count
        if field[1].lower() != b"authentication-results":
            return b""
        count += 1
        mine = count > RESULTS or authserv_id(field[2]) in (ours, None)
        return b"" if mine else field[0]

    return _ALIEN.sub(judge, header)


def authserv_id(value: bytes) -> bytes | None:
    """Who wrote an Authentication-Results field (RFC 8601 §2.2), in lower case; None when that is not to be found."""
    text = uncomment(unfold(value[:READ]))
    found = _TOKEN.match(text)
    if found is None or (len(value) > READ and found.end() == len(text)):
        return None
    name = (re.sub(rb"\\(.)", rb"\1", found[1]) if found[1] is not None else found[2]).lower()
    return name.partition(b"/")[0].rstrip(b".")  # a version behind a slash, as some still read it (RFC 5451 §2.2)


@functools.lru_cache(4)
def _date(second: int) -> bytes:
    return format_date(second)
