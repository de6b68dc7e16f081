"""Lists of addresses kept by others and asked over the DNS (RFC 5782): a client's address below the list's name.

None is asked unless the configuration names it: each question tells somebody who writes here.
"""

import asyncio
import ipaddress
from collections.abc import Mapping

from gk.errors import Unavailable
from gk.inbound.spam.rule import Hit
from gk.net.dns import NoSuchName, Resolver

PATIENCE = 5.0  # seconds for all lists together
LISTED = ipaddress.ip_network("127.0.0.0/8")
REFUSALS = ipaddress.ip_network(
    "127.255.255.0/24"
)  # "you ask too much", "you may not ask": no answer about the address


class Lists:
    """Asks all lists at once."""

    def __init__(self, resolver: Resolver, points: Mapping[str, float]) -> None:
        """`points` by the name of a list: positive for those who send junk, negative for those one trusts."""
        self._resolver, self._points = resolver, points

    @property
    def asked(self) -> bool:
        """Whether there is any."""
        return bool(self._points)

    async def ask(self, address: str) -> list[Hit]:
        """The lists this client is on; a list that does not answer says nothing."""
        if not self._points or not (name := reversed_name(address)):
            return []
        tasks = {zone: asyncio.create_task(self._resolver.addresses(f"{name}.{zone}")) for zone in self._points}
        try:
            await asyncio.wait(tasks.values(), timeout=PATIENCE)
        finally:
            for task in tasks.values():
                task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        hits = []
        for zone, task in tasks.items():
            if task.cancelled() or ((error := task.exception()) is not None and isinstance(error, _SILENT)):
                continue
            answers = [one for one in task.result() if _says_listed(one)]
            if answers:
                hits.append(Hit(f"list:{zone}"[:60], self._points[zone], f"{address} is listed there ({answers[0]})"))
        return hits


_SILENT = (NoSuchName, Unavailable)


def reversed_name(address: str) -> str:
    """An address as it is looked up: octets, or nibbles, from the last to the first; "" for what is none."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return ""
    known = getattr(known, "ipv4_mapped", None) or known
    return known.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


def _says_listed(answer: str) -> bool:
    try:
        found = ipaddress.ip_address(answer)
    except ValueError:
        return False
    return found in LISTED and found not in REFUSALS
