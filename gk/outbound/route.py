"""Where mail for a domain goes: MX by preference, equal ones shuffled, A/AAAA without MX (RFC 5321 §5.1)."""

import asyncio
import ipaddress
import random
from collections.abc import Callable
from dataclasses import dataclass

from gk.config import Outbound
from gk.errors import Refused
from gk.net.dns import DnsFailed, NoSuchName, Resolver
from gk.outbound.relay import Relay

HOSTS, ADDRESSES = 10, 20  # looked at of one domain: more is an attack, or hopeless


class Undeliverable(Refused):
    """No server takes mail for the domain; `status` is the enhanced code (RFC 3463, RFC 7505)."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Target:
    """One address to try; `host` is the name its certificate and greeting should carry."""

    host: str
    address: str
    port: int


class Route:
    """Finds targets; `own(address, port)` tells whether that is a door of this server."""

    def __init__(
        self,
        resolver: Resolver,
        config: Outbound,
        hostname: str,
        own: Callable[[str, int], bool],
        chance: random.Random,
    ) -> None:
        self._resolver, self._config, self._own, self._chance = resolver, config, own, chance
        self._hostname = hostname.lower()

    async def targets(self, domain: str, relay: Relay | None = None) -> list[Target]:
        """Addresses in the order to try them, at least one: of `relay`, or of the domain's own servers.

        Raises Undeliverable, DnsFailed.
        """
        if relay is not None:
            return await self._through(relay)
        if domain.startswith("["):
            return self._before_own([(0, self._literal(domain))])
        exchangers, failed = await self._exchangers(domain)
        try:
            return self._before_own(exchangers)[:ADDRESSES]
        except Undeliverable:
            if failed:  # a better server may be among those that cannot be looked up now
                raise failed from None
            raise

    async def _through(self, relay: Relay) -> list[Target]:
        """What goes wrong here is not the sender's fault: somebody will mend the configuration or the DNS."""
        here = ["127.0.0.1", "::1"]  # RFC 6761 §6.3: not a matter of the DNS
        addresses = here if relay.host == "localhost" else await self._addresses(relay.host)
        found = [Target(relay.host, address, relay.port) for address in addresses]
        if not found:
            raise DnsFailed(f"{relay.host}, which mail leaves through, has no address")
        elsewhere = [target for target in found if not self._own(target.address, target.port)]
        if not elsewhere:
            raise DnsFailed(f"{relay.host}, which mail leaves through, is this server")
        return elsewhere[:ADDRESSES]

    def _literal(self, domain: str) -> Target:
        """An address in brackets (RFC 5321 §4.1.3)."""
        text = domain[1:-1]
        try:
            address = ipaddress.ip_address(text[5:] if text[:5].upper() == "IPV6:" else text)
        except ValueError:
            raise Undeliverable("5.1.2", f"{domain} is no address mail can be sent to") from None
        return Target(domain, str(address), self._config.port)

    async def _exchangers(self, domain: str) -> tuple[list[tuple[int, Target]], DnsFailed | None]:
        """(preference, target) of every address of the domain's mail servers, best first; a fault met on the way."""
        try:
            records = await self._resolver.mx(domain)
        except NoSuchName:
            raise Undeliverable("5.1.2", f"the domain {domain} does not exist") from None
        if [host for _, host in records] in (["."], [""]):
            raise Undeliverable("5.1.10", f"the domain {domain} takes no mail (null MX)")  # RFC 7505 §3
        records = records or [(0, domain)]
        self._chance.shuffle(records)
        records.sort(key=lambda record: record[0])
        records = [(preference, host.rstrip(".")) for preference, host in records if host.rstrip(".")][:HOSTS]
        looked_up = await asyncio.gather(*(self._addresses(host) for _, host in records), return_exceptions=True)
        targets: list[tuple[int, Target]] = []
        failed: DnsFailed | None = None
        for (preference, host), found in zip(records, looked_up, strict=True):
            if isinstance(found, DnsFailed):
                failed = found
            elif isinstance(found, BaseException):
                raise found
            else:
                targets += [(preference, Target(host, address, self._config.port)) for address in found]
        return targets, failed

    async def _addresses(self, host: str) -> list[str]:
        try:
            return await self._resolver.addresses(host)
        except NoSuchName:
            return []

    def _before_own(self, found: list[tuple[int, Target]]) -> list[Target]:
        """Only servers preferred to this one: mail must not run in circles (RFC 5321 §5.1)."""
        ours = [p for p, t in found if t.host.lower() == self._hostname or self._own(t.address, t.port)]
        better = [target for preference, target in found if not ours or preference < min(ours)]
        if not found:
            raise Undeliverable("5.4.4", "no address was found for the mail servers of the domain")
        if not better:
            raise Undeliverable("5.4.6", "the mail would come back to this server, which does not know the domain")
        return better
