"""The domain a message speaks for: that of its From field (RFC 5322 section 3.6.2)."""

import re

from gk.message.address import AddressError, ascii_domain
from gk.message.mailboxes import Group, parse_list

_FROM = re.compile(rb"^from[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)


def author_domain(header: bytes) -> str:
    """The domain of the first author, as A-labels in lower case; "" where there is none."""
    found = _FROM.search(header)
    for mailbox in parse_list(found[1]) if found else ():
        if not isinstance(mailbox, Group) and mailbox.domain:
            try:
                return ascii_domain(mailbox.domain.decode("utf-8")).lower()
            except (AddressError, UnicodeDecodeError):
                return ""
    return ""
