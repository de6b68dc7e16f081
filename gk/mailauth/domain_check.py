"""What the DNS says of a domain, compared with what it should say: by meaning, not by letters."""

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial

from gk.mailauth.asking import Asking
from gk.mailauth.findings import Finding, Status, finding, missing
from gk.mailauth.pair import Pair
from gk.mailauth.records import Offer, Record
from gk.mailauth.spf_reach import VERSION, Broken, Reach, vouches_for_all
from gk.mailauth.tags import BadTags, tags
from gk.mailauth.wording import say

Look = Callable[[], Awaitable[list[Finding]]]

PARENTS = 4  # domains above that may have the DMARC record
POLICIES = ("none", "quarantine", "reject")


class DomainCheck:
    """The looks at one domain. `sending` gives the addresses its mail comes from."""

    def __init__(self, asking: Asking, domain: str, offer: Offer, sending: Callable[[], Awaitable[list[str]]]) -> None:
        self._asking, self._domain, self._offer, self._sending = asking, domain, offer, sending

    def looks(self, wanted: Iterable[Record], pairs: Iterable[Pair]) -> Iterator[tuple[Record, Look]]:
        """What is to be looked at for each record, the server's own ones left out."""
        by_kind = {
            "mx": self._mx, "spf": self._spf, "dkim": self._dkim, "dmarc": self._dmarc, "tlsrpt": self._tlsrpt,
            "sts": self._sts, "srv": self._srv, "alias": self._alias,
        }  # fmt: skip
        for record in wanted:
            if record.kind in by_kind and not record.aside:
                yield record, partial(by_kind[record.kind], record)
        for pair in pairs:
            for selector in pair.damaged:
                name = f"{selector}._domainkey.{self._domain}"
                record = Record("dkim", name, "TXT", "", "")
                yield record, partial(self._damaged, record)

    def _say(self, record: Record, status: Status, found: list[str], key: str = "", **values: object) -> list[Finding]:
        named = {"name": record.name, "type": record.type, "value": record.rdata, "domain": self._domain,
                 "host": self._offer.hostname}  # fmt: skip
        return [finding(self._domain, record, status, found, say(key, **(named | values)) if key else "")]

    async def _mx(self, record: Record) -> list[Finding]:
        exchangers = await self._asking.exchangers(self._domain)
        found = [f"{preference} {host or '.'}" for preference, host in exchangers]
        hosts = [host for _, host in exchangers]
        if not found:
            return self._say(record, "wrong", found, "fix.publish")
        if hosts == [""]:
            return self._say(record, "wrong", found, "fix.mx.null")
        if self._offer.hostname not in hosts:
            return self._say(record, "wrong", found, "fix.replace")
        if await self._asking.records(self._offer.hostname, "CNAME"):
            return self._say(record, "wrong", found, "fix.mx.cname")
        others = ", ".join(dict.fromkeys(host for host in hosts if host != self._offer.hostname))
        if others:
            return self._say(record, "advice", found, "fix.mx.other", others=others[:300])
        return self._say(record, "ok", found)

    async def _spf(self, record: Record) -> list[Finding]:
        found = await self._asking.versioned(record.name, VERSION)
        if not found:
            return self._say(record, "wrong", found, "fix.publish")
        if len(found) > 1:
            return self._say(record, "wrong", found, "fix.spf.two", count=len(found))
        if vouches_for_all(found[0]):
            return self._say(record, "wrong", found, "fix.spf.all")
        addresses: Sequence[str] = ()
        if not self._offer.smarthost:
            addresses = self._offer.sends_from(self._domain) or await self._sending()
        try:
            for text in addresses:
                address = ipaddress.ip_address(text)
                result = await Reach(self._asking, address).of(record.name)
                if result == "open":
                    return self._say(record, "advice", found, "fix.spf.unsure", address=address)
                if result != "pass":
                    mechanism = f"ip{address.version}:{address}"
                    return self._say(
                        record, "wrong", found, "fix.spf.reach", mechanism=mechanism, address=address, result=result
                    )
        except Broken as error:
            return self._say(record, "wrong", found, "fix.spf.broken", reason=error)
        if not addresses and not self._offer.smarthost:
            return self._say(record, "skipped", found, "skip.spf")
        return self._say(record, "ok", found)

    async def _dkim(self, record: Record) -> list[Finding]:
        found = [text for text in await self._asking.texts(record.name) if "p=" in text]
        if not found:
            return self._say(record, missing(record), found, "fix.publish")
        if len(found) > 1:
            return self._say(record, "wrong", found, "fix.dkim.two")
        problem = key_problem(found[0], record.value)
        if problem == "t=y":
            return self._say(record, "advice", found, "fix.dkim.test")
        if problem == "key":
            return self._say(record, "wrong", found, "fix.dkim.key")
        if problem:
            return self._say(record, "wrong", found, "fix.dkim.tag", tag=problem)
        return self._say(record, "ok", found)

    async def _damaged(self, record: Record) -> list[Finding]:
        return self._say(record, "wrong", [], "fix.dkim.damaged")

    async def _dmarc(self, record: Record) -> list[Finding]:
        """The domain's record, or that of a domain above it (RFC 7489 §6.6.3, RFC 9989 §4.10)."""
        labels = self._domain.split(".")
        for at in range(min(PARENTS + 1, max(len(labels) - 1, 1))):
            name = "_dmarc." + ".".join(labels[at:])
            found = await self._asking.versioned(name, "v=DMARC1")
            if found:
                return self._policy(record, found, name)
        found = await self._asking.texts(record.name)
        return self._say(record, "wrong", found, "fix.publish")

    def _policy(self, record: Record, found: list[str], name: str) -> list[Finding]:
        if len(found) > 1:
            return self._say(record, "wrong", found, "fix.dmarc.two", name=name)
        try:
            list_ = tags(found[0])
        except BadTags as error:
            return self._say(record, "wrong", found, "fix.dmarc.broken", name=name, reason=error)
        policy = list_.get("p", "").lower()
        if name != record.name:
            policy = list_.get("sp", policy).lower()  # of a domain below it
        if policy not in POLICIES:
            reason = "p= must be none, quarantine or reject"
            return self._say(record, "wrong", found, "fix.dmarc.broken", name=name, reason=reason)
        if policy == "none":
            return self._say(record, "advice", found, "fix.dmarc.none", name=name)
        return self._say(record, "ok", found)

    async def _tlsrpt(self, record: Record) -> list[Finding]:
        return await self._one_version(record, "v=TLSRPTv1", "rua")

    async def _sts(self, record: Record) -> list[Finding]:
        return await self._one_version(record, "v=STSv1", "id")

    async def _one_version(self, record: Record, version: str, needed: str) -> list[Finding]:
        """One record of the version with the tag it is nothing without; its value is the domain's affair."""
        found = await self._asking.versioned(record.name, version)
        if not found:
            return self._say(record, missing(record), found, "fix.publish")
        try:
            good = len(found) == 1 and bool(tags(found[0]).get(needed))
        except BadTags:
            good = False
        return self._say(record, "ok", found) if good else self._say(record, "wrong", found, "fix.replace")

    async def _srv(self, record: Record) -> list[Finding]:
        found = await self._asking.records(record.name, "SRV")
        ends = {tuple(text.split()[2:]) for text in found}  # port and host: the rest is how they share the load
        wanted = tuple(record.value.split()[2:])
        if not found:
            offered = wanted != ("0", ".")  # what is not offered need not be said
            return self._say(record, "advice", found, "fix.publish") if offered else self._say(record, "ok", found)
        if wanted in ends:
            return self._say(record, "ok", found)
        return self._say(record, "wrong", found, "fix.srv.other")

    async def _alias(self, record: Record) -> list[Finding]:
        found = await self._asking.records(record.name, "CNAME")
        if f"{self._offer.hostname}." in found:
            return self._say(record, "ok", found)
        reached = await self._asking.addresses(record.name)
        if not reached:
            return self._say(record, missing(record), found, "fix.publish")
        if set(reached) <= set(await self._asking.addresses(self._offer.hostname)):
            return self._say(record, "ok", found or reached)
        return self._say(record, "wrong", found or reached, "fix.alias.other")


def key_problem(published: str, wanted: str) -> str:
    """What keeps a published key record from serving ours: "key", a tag, "t=y", or "" (RFC 6376 §3.6.1)."""
    ours = tags(wanted)
    try:
        theirs = tags(published)
    except BadTags:
        return "key"
    if theirs.get("v", "DKIM1") != "DKIM1" or theirs.get("k", "rsa").lower() != ours["k"]:
        return "key"
    if "".join(theirs.get("p", "").split()) != ours["p"]:
        return "key"
    if "sha256" not in [word.strip().lower() for word in theirs.get("h", "sha256").split(":")]:
        return "h="
    if not {"*", "email"} & {word.strip().lower() for word in theirs.get("s", "*").split(":")}:
        return "s="
    if "y" in [word.strip().lower() for word in theirs.get("t", "").split(":")]:
        return "t=y"
    return ""
