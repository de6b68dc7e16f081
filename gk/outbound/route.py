"""Where mail for a domain goes: MX by preference, equal ones shuffled, A/AAAA without MX (RFC 5321 §5.1)."""

import ipaddress
import random
from collections.abc import Callable
from dataclasses import dataclass

from gk.config import Outbound, endpoint
from gk.errors import Refused
from gk.net.dns import DnsFailed, NoSuchName, Resolver

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
    """Finds targets; `own(address)` tells whether an address is this server's own."""

    def __init__(
        self,
        resolver: Resolver,
        config: Outbound,
        hostname: str,
        own: Callable[[str, int], bool],
        chance: random.Random,
    ) -> None:
        self._resolver, self._config, self._hostname, self._own, self._chance = resolver, config, hostname, own, chance

    async def targets(self, domain: str) -> list[Target]:
        """Addresses in the order to try them. Raises Undeliverable, DnsFailed."""
        if self._config.smarthost:
            host, port = endpoint(self._config.smarthost)
            return [Target(host, a, port) for a in await self._addresses(host)]
        if domain.startswith("["):
            literal = domain.strip("[]")
            address = str(ipaddress.ip_address(literal[5:] if literal.upper().startswith("IPV6:") else literal))
            return self._without_own([Target(domain, address, self._config.port)])
        hosts = await self._hosts(domain)
        targets: list[Target] = []
        failed: DnsFailed | None = None
        for host in hosts[:HOSTS]:
            try:
                targets += [Target(host, a, self._config.port) for a in await self._addresses(host)]
            except DnsFailed as error:
                failed = error
        if not targets and failed:
            raise failed
        if not targets:
            raise Undeliverable("5.4.4", f"no address was found for the mail servers of {domain}")
        return self._without_own(targets)[:ADDRESSES]

    async def _hosts(self, domain: str) -> list[str]:
        try:
            records = await self._resolver.mx(domain)
        except NoSuchName:
            raise Undeliverable("5.1.2", f"the domain {domain} does not exist") from None
        if not records:
            return [domain]
        if [host for _, host in records] in (["."], [""]):
            raise Undeliverable("5.1.10", f"the domain {domain} takes no mail (null MX)")  # RFC 7505 §3
        self._chance.shuffle(records)
        records.sort(key=lambda record: record[0])
        ours = [preference for preference, host in records if host.lower().rstrip(".") == self._hostname.lower()]
        if ours:  # only better ones than ourselves: mail must not run in circles, RFC 5321 §5.1
            records = [r for r in records if r[0] < min(ours)]
            if not records:
                raise Undeliverable("5.4.6", f"the mail server of {domain} is this one, which does not know the domain")
        return [host for _, host in records if host not in (".", "")]

    async def _addresses(self, host: str) -> list[str]:
        try:
            return await self._resolver.addresses(host)
        except NoSuchName:
            return []

    def _without_own(self, targets: list[Target]) -> list[Target]:
        others = [t for t in targets if not self._own(t.address, t.port)]
        if not others:
            raise Undeliverable("5.4.6", "the mail would come back to this server")
        return others
