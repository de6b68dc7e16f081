"""An address as a script writes it: plain, or with a name, `Ann <ann@example.org>` (RFC 5228 §2.4.2.3)."""

from gk.message.address import Address, AddressError, parse_address
from gk.message.mailboxes import Mailbox, parse_list
from gk.message.text import decode_words


def parse_mailbox(text: str) -> tuple[str, Address]:
    """(name, "" where there is none; address). Raises AddressError."""
    try:
        return "", parse_address(text)
    except AddressError:
        entries = parse_list(text.encode("utf-8", "replace")) if "<" in text else []
        if len(entries) != 1 or not isinstance(entries[0], Mailbox) or entries[0].domain is None:
            raise
    found = entries[0]
    try:
        address = parse_address(f"{found.local.decode()}@{(found.domain or b'').decode()}")
    except UnicodeDecodeError:
        raise AddressError("an address is UTF-8") from None
    return decode_words(found.name) if found.name else "", address
