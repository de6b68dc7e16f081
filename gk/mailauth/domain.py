"""One spelling of a domain, fit for the DNS and for a file name: lower case, A-labels, no final dot (RFC 5890)."""

import re

from gk.errors import Refused
from gk.message.address import AddressError, ascii_domain

LENGTH = 253  # characters of a name in the DNS without the final dot, RFC 1035 §2.3.4

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")


def canonical(domain: str) -> str:
    """The one spelling of `domain`; Refused for anything that mail cannot have as its domain, wildcards included."""
    text = domain.strip().removesuffix(".")
    try:
        name = ascii_domain(text) if len(text) <= LENGTH else ""
    except AddressError:
        name = ""
    if len(name) > LENGTH or not _NAME.fullmatch(name):
        shown = domain if len(domain) <= 80 else domain[:80] + "…"
        raise Refused(f'{shown!r} is no domain; write one like "example.org"')
    return name
