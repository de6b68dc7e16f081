"""dkim_list: the keys that sign outgoing mail."""

import asyncio
from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.mailauth.domain import canonical


@dataclass(frozen=True, slots=True)
class Input:
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    domain: str
    pair: str
    state: str
    since: int
    selectors: list[str]
    damaged: list[str]


@dataclass(frozen=True, slots=True)
class Output:
    pairs: list[Listed]


@action("dkim_list", scope="admin")
async def dkim_list(context: Context, input: Input) -> Output:
    """List the pairs of DKIM keys of a domain, or of all: next, active or retired, and since when."""
    keys = context.names.keys
    domains = [canonical(input.domain)] if input.domain else await asyncio.to_thread(keys.domains)
    return Output(
        [
            Listed(domain, p.name, p.state, p.since, [key.selector for key in p.keys], list(p.damaged))
            for domain in domains
            for p in await asyncio.to_thread(keys.pairs, domain)
        ]
    )
