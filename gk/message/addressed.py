"""The addresses of a header field as SEARCH sees them beside its text (RFC 3501 §6.4.4: FROM is the envelope's).

`<ann (home)@ (work) example.org>` is ann@example.org, which its text does not hold.
"""

import re
from collections.abc import Iterator

from gk.message.charset import decode
from gk.message.header import FIELD
from gk.message.mailboxes import Group, parse_list
from gk.message.searched import header_text
from gk.message.text import decode_words

FIELDS = frozenset({b"from", b"to", b"cc", b"bcc"})

# Without comments, escapes, quoted local parts and blanks inside an address, it stands in the text as it is.
_ODD = re.compile(rb'[(\\]|[ \t\r\n][@.>]|[@.<][ \t\r\n]|"@|>(?![ \t\r\n,;]|\Z)')


def addressed(value: bytes) -> str:
    """The names and addresses of an address field that its own text does not hold, one to a line; mostly none."""
    if not _ODD.search(value):
        return ""
    text = header_text(value)
    return "\n".join(word for word in _words(value[:FIELD]) if word not in text)


def _words(value: bytes) -> Iterator[str]:
    for entry in parse_list(value):
        if isinstance(entry, Group):
            yield decode_words(entry.name)
        for mailbox in entry.members if isinstance(entry, Group) else (entry,):
            if mailbox.name:
                yield decode_words(mailbox.name)
            yield decode(mailbox.local if mailbox.domain is None else mailbox.local + b"@" + mailbox.domain, None)
