"""IMAP ENVELOPE (RFC 3501 section 7.4.2), as the bytes that go on the wire."""

from functools import lru_cache

from gk.message.fields import read_fields
from gk.message.header import Raw
from gk.message.mailboxes import Group, Mailbox, parse_list
from gk.message.nstring import quote
from gk.message.part import Part

_REMEMBERED = 200  # octets of an address field whose rendering is worth keeping


def envelope(raw: Raw, part: Part) -> bytes:
    """The ENVELOPE of the message whose header `part` begins with.

    (date subject from sender reply-to to cc bcc in-reply-to message-id): NIL for an absent field, "" for an empty one;
    sender and reply-to default to from.
    """
    found = part.fields
    if found is None:
        found = read_fields(raw[part.start : part.body])
    get = found.get
    author = addresses(get(b"from"))
    sender = get(b"sender")
    reply_to = get(b"reply-to")
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        quote(get(b"date")),
        quote(get(b"subject")),
        author,
        addresses(sender) if sender else author,
        addresses(reply_to) if reply_to else author,
        addresses(get(b"to")),
        addresses(get(b"cc")),
        addresses(get(b"bcc")),
        quote(get(b"in-reply-to")),
        quote(get(b"message-id")),
    )


def addresses(value: bytes | None) -> bytes:
    """An address field as a parenthesised list of address structures, NIL when it holds none."""
    if not value:
        return b"NIL"
    return _remembered(value) if len(value) <= _REMEMBERED else _render(value)


def _render(value: bytes) -> bytes:
    items: list[bytes] = []
    for entry in parse_list(value):
        if isinstance(entry, Mailbox):
            items.append(_address(entry))
        else:
            items.append(_group(entry))
    return b"(" + b"".join(items) + b")" if items else b"NIL"


_remembered = lru_cache(maxsize=1024)(_render)


def _address(mailbox: Mailbox) -> bytes:
    # A NIL host would announce a group (RFC 3501 section 7.4.2), so what is missing is named, as Dovecot does.
    return b"(%b %b %b %b)" % (
        quote(mailbox.name),
        quote(mailbox.route),
        quote(mailbox.local or b"MISSING_MAILBOX"),
        quote(mailbox.domain or b"MISSING_DOMAIN"),
    )


def _group(group: Group) -> bytes:
    members = b"".join(map(_address, group.members))
    return b"(NIL NIL %b NIL)%b(NIL NIL NIL NIL)" % (quote(group.name), members)
