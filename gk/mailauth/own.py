"""The addresses of this machine: those its packets to the world carry, or those the person names."""

import ipaddress
import socket
from collections.abc import Sequence

from gk.errors import Refused
from gk.mailauth.records import Own

# Nothing is sent to these: a connected datagram socket only asks the kernel for a route (RFC 5737, RFC 3849).
AWAY = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}


def own(families: frozenset[int], named: Sequence[str] = ()) -> list[Own]:
    """`named`, or else the public addresses mail leaves from; `families` are those mail is received on."""
    if named:
        return [Own(address, True) for address in dict.fromkeys(map(_parsed, named))]
    found = [address for family in AWAY if (address := _source(family))]
    return [Own(a, (6 if ":" in a else 4) in families) for a in found if ipaddress.ip_address(a).is_global]


def _parsed(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.replace("%", " ")))  # an address with a scope is nobody else's business
    except ValueError:
        raise Refused(f"{text!r} is no IP address") from None


def _source(family: socket.AddressFamily) -> str | None:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((AWAY[family], 9))
            address: str = probe.getsockname()[0]
    except OSError:
        return None
    return address.partition("%")[0]
