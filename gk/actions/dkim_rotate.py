"""dkim_rotate: new keys for a domain, first published, then signed with."""

import asyncio
from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.dns_records import Shown, show
from gk.actions.registry import action
from gk.errors import Refused
from gk.mailauth.domain import canonical
from gk.mailauth.pair import Pair
from gk.mailauth.records import dkim
from gk.mailauth.rotation import unpublished


@dataclass(frozen=True, slots=True)
class Input:
    domain: str
    activate: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    domain: str
    pair: str
    state: str
    records: list[Shown]


@action("dkim_rotate", scope="admin")
async def dkim_rotate(context: Context, input: Input) -> Output:
    """Make the next pair of DKIM keys; with `activate` sign with it, provided the DNS publishes it."""
    domain = canonical(input.domain)
    if domain not in context.directory.domains:
        raise Refused(f"{domain} is not among the domains of this server")
    keys = context.names.keys
    found = await asyncio.to_thread(keys.pairs, domain)
    if not found:
        await asyncio.to_thread(keys.ensure, [domain])
        pair = keys.pairs(domain)[0]
    elif input.activate:
        pair = await _activate(context, domain, found)
    else:
        pair = await asyncio.to_thread(keys.prepare, domain)
    return Output(domain, pair.name, pair.state, [show(record) for record in dkim(domain, [pair])])


async def _activate(context: Context, domain: str, found: tuple[Pair, ...]) -> Pair:
    waiting = [pair for pair in found if pair.state == "next"]
    if not waiting:
        raise Refused(f"{domain} has no next pair of keys; «gk dkim rotate {domain}» makes one")
    pair = waiting[0]
    if absent := await unpublished(domain, pair, context.names.resolver()):
        names = " and ".join(f"{selector}._domainkey.{domain}" for selector in absent)
        raise Refused(f"the DNS does not publish the key at {names} yet; «gk dns {domain}» shows the records")
    return await asyncio.to_thread(context.names.keys.activate, domain, pair.name)
