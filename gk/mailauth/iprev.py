"""Whether the name of a client's address leads back to the address (RFC 8601 §3)."""

import functools
import ipaddress
from dataclasses import dataclass

from gk.mailauth.questions import Questions

NAMES = 5  # of one address that are followed


@dataclass(frozen=True, slots=True)
class Iprev:
    """pass, fail, temperror or permerror; `name` is the one that leads back."""

    result: str
    address: str
    name: str = ""


@functools.lru_cache(1024)
def pointer(address: str) -> tuple[str, str]:
    """(the name an address has in the DNS, the address itself in its one spelling); "" for what is no address."""
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        return "", ""
    client = getattr(client, "ipv4_mapped", None) or client
    return client.reverse_pointer, str(client)


async def check(address: str, questions: Questions) -> Iprev:
    """Follow the address to its names and back; never raises."""
    name, client = pointer(address)
    if not name:
        return Iprev("permerror", address)
    found = await questions.ask(name, "PTR")
    if found.failed:
        return Iprev("temperror", address)
    names = list(dict.fromkeys(found.records))[:NAMES]
    answers = await questions.every([(name, "AAAA" if ":" in client else "A") for name in names])
    for name, answer in zip(names, answers, strict=True):
        if any(_same(text, client) for text in answer.records):
            return Iprev("pass", address, name)
    if any(answer.failed for answer in answers):
        return Iprev("temperror", address)
    return Iprev("fail" if names else "permerror", address)  # RFC 8601 §2.7.3: permerror without a PTR record


def _same(text: str, address: str) -> bool:
    if text == address:
        return True
    try:
        return str(ipaddress.ip_address(text)) == address
    except ValueError:
        return False
