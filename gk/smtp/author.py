"""What a submission server does to the header of a user's message (RFC 6409 §8): who wrote it, and what is missing."""

import re
import time
from collections.abc import Callable

from gk.message.address import Address, AddressError, parse_list
from gk.message.compose import message_id
from gk.message.date import format_date
from gk.message.header import FIELDS, fields, uncomment
from gk.message.mailboxes import Mailbox
from gk.smtp.reply import Refusal

_BCC = re.compile(rb"^(?:resent-)?bcc[ \t]*:(?:[^\r\n]++|\r\n[ \t])*+(?:\r\n|\Z)", re.IGNORECASE | re.MULTILINE)

_QUOTED = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)

AUTHORS = 4096  # octets of a field that names authors: all of it is read before it is believed
NOT_YOURS = "550 5.7.1 The message names an author who is not you"


def complete(header: bytes, own: Address, domain: str, owns: Callable[[Address], bool]) -> bytes:
    """The header as it leaves: Bcc removed; From, Date and Message-ID added where missing.

    `own` is the user's address and `owns` says whether an address is the user's; raise Refusal when From, Sender or
    their Resent- fields name somebody else. `domain` is the right side of a new Message-ID.
    """
    found: dict[bytes, list[bytes]] = {}
    listed = fields(header, 0, len(header))
    if len(listed) >= FIELDS:  # further ones are not seen: an author could hide there
        raise Refusal("552 5.3.4 The message has too many header fields")
    for name, start, end in listed:
        found.setdefault(name, []).append(header[start:end])
    if len(found.get(b"from", ())) > 1 or len(found.get(b"sender", ())) > 1:
        raise Refusal("550 5.6.0 The message has two fields where there can be one")  # RFC 5322 §3.6
    for name in (b"from", b"sender", b"resent-from", b"resent-sender"):
        if not all(owns(author) for value in found.get(name, ()) for author in _authors(value)):
            raise Refusal(NOT_YOURS)
    added = b""
    if b"from" not in found:
        added += f"From: {own}\r\n".encode()
    if b"date" not in found:
        added += b"Date: " + format_date(int(time.time())) + b"\r\n"
    if b"message-id" not in found:
        added += b"Message-ID: " + message_id(domain) + b"\r\n"
    if b"bcc" in found or b"resent-bcc" in found:
        header = _BCC.sub(b"", header)
    return added + header


def _authors(value: bytes) -> list[Address]:
    """The addresses of From or Sender; raise Refusal where they are not plain addresses.

    A reader may find an address where `parse_list` forgives a slip: each @ outside quotes and comments has to be one
    of theirs.
    """
    authors = []
    if len(value) > AUTHORS:
        raise Refusal(NOT_YOURS)
    for item in parse_list(value):
        if not isinstance(item, Mailbox) or item.domain is None:
            raise Refusal(NOT_YOURS)
        try:
            authors.append(Address(item.local.decode(), item.domain.decode().lower()))
        except (UnicodeDecodeError, AddressError):
            raise Refusal(NOT_YOURS) from None
    if b"(" not in value:
        value = _QUOTED.sub(b"", value)
    elif b'"' not in value:  # where both are, what quotes what is a matter of opinion
        value = uncomment(value)
    if not authors or value.count(b"@") != len(authors):
        raise Refusal(NOT_YOURS)
    return authors
