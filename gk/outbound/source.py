"""The addresses mail leaves from: the sender's domain chooses, for its SPF record names them (RFC 7208 §2.4)."""

import ipaddress
import logging
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gk.message.address import AddressError, ascii_domain

log = logging.getLogger(__name__)

IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h: the port is chosen at connect, so that one serves many destinations


class NoSource(Exception):
    """This machine cannot send from the address it should; nobody else is to blame."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where one sender's mail leaves from; "" for a family that is not used, and both "" where any address will do."""

    v4: str = ""
    v6: str = ""

    def serves(self, address: str) -> bool:
        """Whether a server at this address can be reached from here."""
        return self == ANY or bool(self.v6 if ":" in address else self.v4)

    def bind(self, sock: socket.socket) -> None:
        """Give a fresh socket its address. Raises NoSource."""
        if self == ANY:
            return
        address = self.v6 if sock.family == socket.AF_INET6 else self.v4
        try:
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((address, 0))
        except OSError as error:
            raise NoSource(f"this server cannot send from {address} ({error.strerror})") from None


ANY = Source()


class Sources:
    """The source of every sender."""

    def __init__(self, configured: Mapping[str, Iterable[str]]) -> None:
        """`configured` as in outbound.source: domain, or * for the others → addresses."""
        found = {_ascii(domain): _source(addresses) for domain, addresses in configured.items()}
        self._rest = found.pop("*", ANY)
        self._sources = found

    def of(self, sender: str) -> Source:
        """The source for an envelope sender; the null sender's is that of the others."""
        return self._sources.get(_ascii(sender.rpartition("@")[2]), self._rest)

    def check(self) -> None:
        """Say at the start which addresses this machine does not have now: mail from them waits for them."""
        for source in {*self._sources.values(), self._rest} - {ANY}:
            for family, address in ((socket.AF_INET, source.v4), (socket.AF_INET6, source.v6)):
                if address:
                    try:
                        with socket.socket(family, socket.SOCK_STREAM) as probe:
                            source.bind(probe)
                    except (NoSource, OSError) as error:
                        log.warning("event=source_missing address=%s reason=%r", address, str(error))


def _source(addresses: Iterable[str]) -> Source:
    found = {"v4": "", "v6": ""}
    for text in addresses:
        address = ipaddress.ip_address(text)
        found[f"v{address.version}"] = str(address)
    return Source(**found)


def _ascii(domain: str) -> str:
    try:
        return ascii_domain(domain)
    except AddressError:
        return domain.lower()
