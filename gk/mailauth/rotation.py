"""Changing keys without a gap: a pair signs once the DNS publishes it, and stays published after it signed last."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gk.bus import Bus
from gk.events import ConfigReloaded
from gk.mailauth.asking import Asking
from gk.mailauth.domain_check import key_problem
from gk.mailauth.keys import Keys
from gk.mailauth.pair import Pair
from gk.net.dns import DnsFailed, Lookups

log = logging.getLogger(__name__)

DAY = 86_400.0  # seconds between looks


@dataclass(frozen=True, slots=True)
class Changed:
    """What one look changed at a domain: the pair that signs from now on, the pairs that are gone."""

    domain: str
    activated: str | None
    dropped: tuple[str, ...]


async def unpublished(domain: str, pair: Pair, lookups: Lookups) -> list[str]:
    """The selectors of a pair that the DNS does not publish as they are. Raises DnsFailed."""
    asking = Asking(lookups)
    absent = list(pair.damaged)
    for key in pair.keys:
        found = [text for text in await asking.texts(f"{key.selector}._domainkey.{domain}") if "p=" in text]
        if len(found) != 1 or key_problem(found[0], key.record) not in ("", "t=y"):
            absent.append(key.selector)
    return absent


async def promote(keys: Keys, lookups: Lookups) -> list[Changed]:
    """Once a day: sign with every next pair the DNS publishes, drop what retired long enough ago; what changed."""
    changes = []
    for domain in await asyncio.to_thread(keys.domains):
        activated = None
        waiting = [pair for pair in keys.pairs(domain) if pair.state == "next"]
        for pair in waiting[:1]:
            try:
                published = not await unpublished(domain, pair, lookups)
            except DnsFailed:
                published = False  # tomorrow is another day
            if published:
                await asyncio.to_thread(keys.activate, domain, pair.name)
                activated = pair.name
        dropped = await asyncio.to_thread(keys.drop_retired, domain)
        if activated or dropped:
            changes.append(Changed(domain, activated, tuple(dropped)))
    return changes


class Rotation:
    """A service: every domain has keys from the start and after a reload, and once a day those that are due change."""

    name = "dkim-keys"

    def __init__(self, keys: Keys, domains: Callable[[], Sequence[str]], lookups: Lookups, bus: Bus) -> None:
        self._keys, self._domains, self._lookups, self._bus = keys, domains, lookups, bus

    async def run(self, ready: asyncio.Event) -> None:
        with self._bus.subscribe(ConfigReloaded) as reloaded:
            await self._ensure()
            ready.set()
            while True:
                try:
                    async with asyncio.timeout(DAY):
                        await reloaded.wait()
                    reloaded.drain()
                    await self._ensure()
                except TimeoutError:
                    for changed in await promote(self._keys, self._lookups):
                        log.info(
                            "event=dkim_keys_changed domain=%s signs=%s dropped=%d",
                            changed.domain, changed.activated or "as before", len(changed.dropped),
                        )  # fmt: skip

    async def _ensure(self) -> None:
        for domain in await asyncio.to_thread(self._keys.ensure, self._domains()):
            log.info("event=dkim_keys_made domain=%s remedy=%s", domain, "«gk dns» prints the records to publish")
