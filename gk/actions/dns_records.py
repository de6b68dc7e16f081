"""dns_records: what the DNS must say so that mail comes in and is believed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused
from gk.mailauth.domain import canonical
from gk.mailauth.own import own
from gk.mailauth.records import Record, sts_policy, wanted


@dataclass(frozen=True, slots=True)
class Input:
    domain: str = ""
    addresses: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shown:
    """A record; `rdata` is its value as a zone file has it. `aside`: why it is not published in this zone now."""

    kind: str
    name: str
    type: str
    value: str
    rdata: str
    why: str
    need: str
    aside: str


@dataclass(frozen=True, slots=True)
class Domain:
    domain: str
    records: list[Shown]


@dataclass(frozen=True, slots=True)
class Output:
    domains: list[Domain]
    sts_policy: str


@action("dns_records", scope="admin")
async def dns_records(context: Context, input: Input) -> Output:
    """List every DNS record a domain of this server needs, or all of them do, each with its reason."""
    names = context.names
    domains = chosen(context, input.domain)
    addresses = own(names.offer.families, texts(input.addresses))
    await asyncio.to_thread(names.keys.ensure, domains)
    every = context.directory.domains
    found = [(d, wanted(d, names.offer, addresses, names.keys.pairs(d), every)) for d in domains]
    policy = sts_policy(names.offer.hostname)
    return Output([Domain(domain, [show(record) for record in records]) for domain, records in found], policy)


def show(record: Record) -> Shown:
    """A record as an answer has it."""
    return Shown(
        record.kind, record.name, record.type, record.value, record.rdata, record.why, record.need, record.aside
    )


def chosen(context: Context, domain: str) -> list[str]:
    """The domain, which must be one of this server's, or all of them that are fit for the DNS."""
    if not domain:
        return [name for name in context.directory.domains if _fits(name)]
    name = canonical(domain)
    if name not in context.directory.domains:
        raise Refused(f"{name} is not among the domains of this server")
    return [name]


def texts(values: Sequence[object]) -> list[str]:
    """The list with nothing but texts in it."""
    if not all(isinstance(value, str) for value in values):
        raise Refused("an address is a text")
    return [str(value) for value in values]


def _fits(name: str) -> bool:
    try:
        return canonical(name) == name
    except Refused:
        return False
