"""dns_check: does the DNS say what it must?"""

import asyncio
from dataclasses import dataclass, field

from gk.actions.context import Context
from gk.actions.dns_records import chosen, texts
from gk.actions.registry import action
from gk.mailauth.check import check
from gk.mailauth.findings import Finding
from gk.mailauth.own import own


@dataclass(frozen=True, slots=True)
class Input:
    domain: str = ""
    addresses: list[str] = field(default_factory=list)
    probe: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    well: bool
    findings: list[Finding]


@action("dns_check", scope="admin")
async def dns_check(context: Context, input: Input) -> Output:
    """Compare the DNS with what a domain of this server needs, or all of them do; each fault comes with its remedy."""
    names = context.names
    domains = chosen(context, input.domain)
    addresses = own(names.offer.families, texts(input.addresses))
    await asyncio.to_thread(names.keys.ensure, domains)
    pairs = {domain: names.keys.pairs(domain) for domain in domains}
    findings = await check(pairs, names.offer, addresses, names.resolver(), probe=input.probe or None)
    return Output(all(item.status not in ("wrong", "unknown") for item in findings), findings)
