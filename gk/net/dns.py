"""Names: MX and addresses by dnspython, cached; an answer, "there is none", or "not now" (RFC 2308)."""

import asyncio
import ipaddress
import logging
from collections.abc import Sequence
from typing import Any, Protocol

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver

from gk.config import endpoint
from gk.errors import Unavailable

log = logging.getLogger(__name__)

Records = list[Any]  # of dnspython's, all of one type

LIFETIME = 10.0  # seconds for one question, all servers and tries together
CACHE = 10_000  # answers


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
        """IPv6 and IPv4 addresses; empty when there is none. Raises NoSuchName, DnsFailed."""
        ...


class SystemResolver:
    """Asks the configured resolvers, or those of the system."""

    def __init__(self, resolvers: Sequence[str]) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        if resolvers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(*endpoint(text)) for text in resolvers]
        else:
            try:
                self._resolver.read_resolv_conf("/etc/resolv.conf")
            except (dns.exception.DNSException, ValueError):  # a machine without DNS still serves its own users
                log.warning("event=no_resolver remedy=%s", "name one in dns.resolver of gk.toml")
        self._resolver.lifetime = LIFETIME
        self._resolver.cache = dns.resolver.LRUCache(CACHE)
        self._asked: dict[tuple[str, str], asyncio.Future[Records]] = {}

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        return [(r.preference, r.exchange.to_text()) for r in await self._ask(domain, "MX")]

    async def addresses(self, host: str) -> list[str]:
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        answers = await asyncio.gather(self._ask(host, "AAAA"), self._ask(host, "A"), return_exceptions=True)
        found: list[str] = []
        failed: BaseException | None = None
        for answer in answers:
            if isinstance(answer, BaseException):  # one family may do without the other
                failed = answer
            else:
                found += [record.address for record in answer]
        if failed and not found:
            raise failed
        return found

    async def _ask(self, name: str, kind: str) -> Records:
        """One question for all who wait for its answer: a domain's messages come in flocks."""
        answer = self._asked.get((name, kind))
        if answer is None:
            answer = self._asked[name, kind] = asyncio.ensure_future(self._look_up(name, kind))
            answer.add_done_callback(lambda done: self._answered(name, kind, done))
        return await asyncio.shield(answer)

    def _answered(self, name: str, kind: str, done: "asyncio.Future[Records]") -> None:
        del self._asked[name, kind]
        if not done.cancelled():
            done.exception()  # seen, even where nobody waits any more

    async def _look_up(self, name: str, kind: str) -> Records:
        try:
            return list(await self._resolver.resolve(name.rstrip(".") + ".", kind, raise_on_no_answer=False))
        except dns.resolver.NXDOMAIN:
            raise NoSuchName(name) from None
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise DnsFailed(f"the name {name} cannot be looked up now ({type(error).__name__})") from None
