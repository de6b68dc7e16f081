"""Which URLs and addresses of the world this server may be sent to: never itself, never its neighbours (SSRF).

A name is looked up once, every address it has is judged, and the caller connects to one of those very addresses.
"""

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass

from gk.errors import GkError
from gk.net.dns import DnsFailed, NoSuchName, Resolver

URL = 2048  # characters
ADDRESSES = 4  # of a host that are tried

_URL = re.compile(
    r"https://(?P<host>(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9]))"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<target>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?)?"
)

# Special purposes (IANA registries of RFC 6890), spelled out: what `ipaddress` knows of them depends on its version.
_CLOSED = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
        "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    )
]  # fmt: skip
_UNICAST = ipaddress.IPv6Network("2000::/3")  # all else of IPv6 is not the Internet: mapped, NAT64, local, multicast


class FetchFailed(GkError):
    """Nothing usable came back. `certificate`: the server's certificate was not the reason to believe it."""

    def __init__(self, text: str, *, certificate: bool = False) -> None:
        super().__init__(text)
        self.certificate = certificate


@dataclass(frozen=True, slots=True)
class Page:
    """What a server answered: `kind` is its media type in lower case, without parameters."""

    status: int
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """An https URL in parts, and the addresses of its host that may be connected to."""

    host: str
    port: int
    target: str
    addresses: tuple[str, ...]


def is_public(address: str) -> bool:
    """Whether an address is one of the Internet at large; text that is no address is not."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if ip.version == 6 and (ip.scope_id or ip not in _UNICAST):
        return False
    return ip.is_global and not any(ip in network for network in _CLOSED)


async def find(url: str, resolver: Resolver, allow: Collection[str] = ()) -> Place:
    """Take an https URL of a named host apart and look the host up; `allow` are addresses that need not be public.

    Raises FetchFailed.
    """
    found = _URL.fullmatch(url) if len(url) <= URL else None
    port = int(found["port"] or 443) if found else 0
    if found is None or port > 65535 or len(found["host"]) > 253:
        raise FetchFailed("this is no https URL of a named host")
    try:
        addresses = await resolver.addresses(found["host"])
    except (NoSuchName, DnsFailed):
        raise FetchFailed(f"{found['host']} cannot be looked up") from None
    if not addresses:
        raise FetchFailed(f"{found['host']} has no address")
    if not all(address in allow or is_public(address) for address in addresses):
        raise FetchFailed(f"{found['host']} has an address that is not of the Internet")
    return Place(found["host"], port, found["target"] or "/", tuple(addresses[:ADDRESSES]))
