"""dkim_remove: a pair of keys is no longer needed."""

import asyncio
from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused
from gk.mailauth.domain import canonical


@dataclass(frozen=True, slots=True)
class Input:
    domain: str
    pair: str


@dataclass(frozen=True, slots=True)
class Output:
    domain: str
    removed: str


@action("dkim_remove", scope="admin")
async def dkim_remove(context: Context, input: Input) -> Output:
    """Remove a pair of DKIM keys; of a domain that is served here never the one in use."""
    domain = canonical(input.domain)
    keys = context.names.keys
    active = [pair.name for pair in await asyncio.to_thread(keys.pairs, domain) if pair.state == "active"]
    if input.pair in active and domain in context.directory.domains:
        raise Refused(f"mail of {domain} is signed with {input.pair}; «gk dkim rotate {domain}» comes first")
    await asyncio.to_thread(keys.remove, domain, input.pair)
    return Output(domain, input.pair)
