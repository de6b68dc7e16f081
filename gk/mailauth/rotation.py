"""Changing keys without a gap: a pair signs once the DNS publishes it, and stays published after it signed last."""

import asyncio
from dataclasses import dataclass

from gk.mailauth.asking import Asking
from gk.mailauth.domain_check import key_problem
from gk.mailauth.keys import Keys
from gk.mailauth.pair import Pair
from gk.net.dns import DnsFailed, Lookups


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
