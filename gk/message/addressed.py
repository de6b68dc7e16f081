"""The addresses of a header field as SEARCH sees them beside its text (RFC 3501 §6.4.4: FROM is the envelope's).

`<ann (home)@ (work) example.org>` is ann@example.org, which its text does not hold.
"""

import re
from collections.abc import Iterator

from gk.message.charset import decode
from gk.message.header import FIELD
from gk.message.mailboxes import Group, Mailbox, parse_list
from gk.message.text import decode_words

FIELDS = frozenset({b"from", b"to", b"cc", b"bcc"})

# Without comments, escapes, quoted local parts and blanks inside an address, it stands in the text as it is.
_ODD = re.compile(rb'[(\\]|[ \t\r\n][@.>]|[@.<][ \t\r\n]|"@|>(?![ \t\r\n,;]|\Z)')


def addressed(value: bytes) -> str:
    """The names and addresses of an address field, one to a line; "" where the field's own text has all of them."""
    return "\n".join(_lines(value[:FIELD])) if _ODD.search(value) else ""


def _lines(value: bytes) -> Iterator[str]:
    for entry in parse_list(value):
        if isinstance(entry, Group):
            yield decode_words(entry.name)
            yield from map(_line, entry.members)
        else:
            yield _line(entry)


def _line(mailbox: Mailbox) -> str:
    address = mailbox.local if mailbox.domain is None else mailbox.local + b"@" + mailbox.domain
    text = decode(address, None)
    return f"{decode_words(mailbox.name)} <{text}>" if mailbox.name else text
