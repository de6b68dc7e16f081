"""Who a message speaks for: its From field (RFC 5322 section 3.6.2), or the domain of that."""

import re

from gk.message.address import Address, AddressError, ascii_domain
from gk.message.mailboxes import Group, parse_list

_FROM = re.compile(rb"^from[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)


def author(header: bytes) -> Address | None:
    """The one author; None where there are several, or none that is an address."""
    found = _FROM.search(header)
    authors = parse_list(found[1]) if found else []
    if len(authors) != 1 or isinstance(authors[0], Group) or not authors[0].domain:
        return None
    try:
        return Address(authors[0].local.decode(), authors[0].domain.decode().lower())
    except (AddressError, UnicodeDecodeError):
        return None


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
