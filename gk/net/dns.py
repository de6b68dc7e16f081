"""Names: MX, addresses and TXT by dnspython, cached; an answer, "there is none", or "not now" (RFC 2308)."""

import ipaddress
from collections.abc import Sequence
from typing import Protocol

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver

from gk.config import endpoint
from gk.errors import Unavailable

LIFETIME = 10.0  # seconds for one question, all servers and tries together


class NoSuchName(Exception):
    """The name does not exist (NXDOMAIN)."""


class DnsFailed(Unavailable):
    """No answer now: the question must be asked again later."""


class Resolver(Protocol):
    """Where names are looked up; tests bring their own."""

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        """(preference, host) of each, unsorted; empty when there is none. Raises NoSuchName, DnsFailed."""
        ...

    async def addresses(self, host: str) -> list[str]:
        """IPv6 and IPv4 addresses; empty when there is none. Raises DnsFailed."""
        ...


class SystemResolver:
    """Asks the configured resolvers, or those of the system."""

    def __init__(self, resolvers: Sequence[str]) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=not resolvers)
        self._resolver.lifetime = LIFETIME
        self._resolver.cache = dns.resolver.LRUCache(10_000)
        if resolvers:
            servers = [dns.nameserver.Do53Nameserver(*endpoint(text)) for text in resolvers]
            self._resolver.nameservers = servers

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        answer = await self._ask(domain, "MX")
        return [(r.preference, r.exchange.to_text(omit_final_dot=True)) for r in answer]

    async def addresses(self, host: str) -> list[str]:
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        found: list[str] = []
        failed: DnsFailed | None = None
        for kind in ("AAAA", "A"):
            try:
                found += [r.address for r in await self._ask(host, kind)]
            except NoSuchName:
                return []
            except DnsFailed as error:  # one family may do without the other
                failed = error
        if failed and not found:
            raise failed
        return found

    async def _ask(self, name: str, kind: str) -> list:  # type: ignore[type-arg]
        try:
            return list(await self._resolver.resolve(name.rstrip(".") + ".", kind, raise_on_no_answer=False))
        except dns.resolver.NXDOMAIN:
            raise NoSuchName(name) from None
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise DnsFailed(f"the name {name} cannot be looked up now ({type(error).__name__})") from None
