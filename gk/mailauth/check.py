"""One look at the DNS of domains and of the server, all questions at once, within one deadline."""

import asyncio
from collections.abc import Mapping

from gk.mailauth.asking import Asking
from gk.mailauth.domain_check import DomainCheck, Look
from gk.mailauth.findings import Finding, finding
from gk.mailauth.pair import Pair
from gk.mailauth.records import Offer, Own, Record, wanted
from gk.mailauth.server_check import ServerCheck, sending
from gk.mailauth.wording import say
from gk.net.dns import DnsFailed, Lookups

DEADLINE = 4.0  # seconds for everything


async def check(
    domains: Mapping[str, tuple[Pair, ...]],
    offer: Offer,
    own: list[Own],
    lookups: Lookups,
    *,
    probe: str | None = None,
    deadline: float = DEADLINE,
) -> list[Finding]:
    """The findings for the server and each domain, in a fixed order; takes `deadline` seconds at most.

    Where nothing at all was answered, one finding says so.
    """
    asking = Asking(lookups)
    known: asyncio.Future[list[str]] = asyncio.ensure_future(sending(asking, offer, own))

    async def addresses() -> list[str]:
        return await asyncio.shield(known)

    looks: list[tuple[str, Record, Look]] = [
        ("", record, look)
        for record, look in ServerCheck(asking, offer, own, addresses).looks([*domains], probe)
    ]  # fmt: skip
    for domain, pairs in domains.items():
        records = wanted(domain, offer, own, pairs, [*domains])
        looked_at = DomainCheck(asking, domain, offer, addresses).looks(records, pairs)
        looks += [(domain, record, look) for record, look in looked_at]
    tasks = [asyncio.ensure_future(_answered(domain, record, look)) for domain, record, look in looks]
    try:
        await asyncio.wait(tasks, timeout=deadline)
        found = [
            task.result() if task.done() else [_unanswered(domain, record)]
            for task, (domain, record, _) in zip(tasks, looks, strict=True)
        ]
    finally:
        known.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, known, return_exceptions=True)
    flat = [item for items in found for item in items]
    if all(item.status in ("unknown", "skipped") for item in flat):
        fix = say("fix.resolver", seconds=deadline)
        return [Finding("", "resolver", "", "", "unknown", (), fix)]
    return flat


async def _answered(domain: str, record: Record, look: Look) -> list[Finding]:
    try:
        return list(await look())
    except DnsFailed:
        return [_unanswered(domain, record)]


def _unanswered(domain: str, record: Record) -> Finding:
    return finding(domain, record, "unknown", [], say("fix.unknown"))
