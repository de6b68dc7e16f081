"""Names: MX, addresses, texts and any other type by dnspython; an answer, "there is none", or "not now" (RFC 2308)."""

import asyncio
import ipaddress
import logging
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.nameserver
import dns.rdatatype
import dns.resolver

from gk.config import endpoint, is_loopback
from gk.errors import Unavailable

log = logging.getLogger(__name__)

LIFETIME = 10.0  # seconds for one question, all servers and tries together
CACHE, LONGEST = 20_000, 86_400  # answers that are remembered, and for how many seconds


class Records(list[Any]):
    """Records of dnspython's, all of one type; `name` is where they are, behind aliases.

    `vouched`: a resolver that is trusted says that it validated them (DNSSEC, the AD bit of RFC 4035 §3.2.3).
    `read`: what somebody made of them who asks often, forgotten with them.
    """

    name = ""
    vouched = False
    read: object = None


@dataclass(frozen=True, slots=True)
class Tlsa:
    """What a TLSA record says of a certificate (RFC 6698 §2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes


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


class Lookups(Resolver, Protocol):
    """A resolver of every type of record."""

    async def texts(self, name: str) -> list[bytes]:
        """The TXT records, strings joined (RFC 7208 §3.3); empty when there is none. Raises NoSuchName, DnsFailed."""
        ...

    async def records(self, name: str, kind: str) -> list[str]:
        """The records of a type in the form of zone files; empty when there is none. Raises NoSuchName, DnsFailed."""
        ...


class Vouching(Lookups, Protocol):
    """A resolver that tells which answers are authentic."""

    async def vouched(self, name: str, kind: str) -> str | None:
        """Where the records of a type really are, behind aliases; None where the answer is not authentic.

        That there are none is an answer, too. Raises NoSuchName, DnsFailed.
        """
        ...

    async def tlsa(self, name: str) -> list[Tlsa]:
        """The authentic TLSA records; empty when there is none. Raises NoSuchName, DnsFailed."""
        ...


class SystemResolver:
    """Asks the configured resolvers, or those of the system."""

    def __init__(self, resolvers: Sequence[str], *, remember: bool = True, validating: bool = False) -> None:
        """`remember` keeps answers as long as they say; without it every question is asked anew.

        `validating` resolvers are trusted to have validated what they mark so; those on loopback are in any case.
        """
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        if resolvers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(*endpoint(text)) for text in resolvers]
        else:
            try:
                self._resolver.read_resolv_conf("/etc/resolv.conf")
            except (dns.exception.DNSException, ValueError):  # a machine without DNS still serves its own users
                log.warning("event=no_resolver remedy=%s", "name one in dns.resolver of gk.toml")
        self._resolver.lifetime = LIFETIME
        self._known: OrderedDict[tuple[str, str], tuple[float, Records | None]] | None = (
            OrderedDict() if remember else None
        )
        addresses = [str(getattr(server, "address", server)) for server in self._resolver.nameservers]
        self._trusted = validating or (bool(addresses) and all(is_loopback(address) for address in addresses))
        if self._trusted:
            self._resolver.flags = dns.flags.RD | dns.flags.AD  # "tell me", RFC 6840 §5.7
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

    async def texts(self, name: str) -> list[bytes]:
        return [b"".join(record.strings) for record in await self._ask(name, "TXT")]

    async def records(self, name: str, kind: str) -> list[str]:
        return [record.to_text() for record in await self._ask(name, kind)]

    async def vouched(self, name: str, kind: str) -> str | None:
        if not self._trusted:
            return None
        found = await self._ask(name, kind)
        return found.name if found.vouched else None

    async def tlsa(self, name: str) -> list[Tlsa]:
        found = await self._ask(name, "TLSA")
        return [Tlsa(r.usage, r.selector, r.mtype, r.cert) for r in found] if found.vouched else []

    def remembered(self, name: str, kind: str) -> Records | None:
        """The records of a name, if they are known already. Raises NoSuchName."""
        kept = self._known.get((name, kind)) if self._known is not None else None
        if kept is None or kept[0] < time.time():
            return None
        if kept[1] is None:
            raise NoSuchName(name)
        return kept[1]

    async def _ask(self, name: str, kind: str) -> Records:
        """One question for all who wait for its answer: a domain's messages come in flocks."""
        if (kept := self.remembered(name, kind)) is not None:
            return kept
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
            answer = await self._resolver.resolve(name.rstrip(".") + ".", kind, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as error:
            self._keep(name, kind, _negative(error), None)
            raise NoSuchName(name) from None
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise DnsFailed(f"the name {name} cannot be looked up now ({type(error).__name__})") from None
        found = Records(answer)
        found.name = answer.canonical_name.to_text(omit_final_dot=True)
        found.vouched = self._trusted and bool(answer.response.flags & dns.flags.AD)
        self._keep(name, kind, answer.chaining_result.minimum_ttl, found)  # that of the SOA record where it is empty
        return found

    def _keep(self, name: str, kind: str, seconds: int, found: Records | None) -> None:
        """Remember an answer; dnspython's own memory costs four times as much to ask."""
        if self._known is None or seconds <= 0:
            return
        self._known[name, kind] = (time.time() + min(seconds, LONGEST), found)
        self._known.move_to_end((name, kind))
        if len(self._known) > CACHE:
            self._known.popitem(last=False)


def _negative(error: dns.resolver.NXDOMAIN) -> int:
    """How long it may be remembered that a name does not exist (RFC 2308 §5): not at all without an SOA record."""
    spans = [
        min(rrset.ttl, rrset[0].minimum)
        for response in error.responses().values()  # type: ignore[no-untyped-call]
        for rrset in response.authority
        if rrset.rdtype == dns.rdatatype.SOA
    ]
    return min(spans, default=0)
