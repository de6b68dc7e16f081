"""What an SPF record says of an address of ours (RFC 7208 §4.6): enough to check a record, not to judge strangers.

The mechanisms exists and ptr, and domains with macros, depend on the single mail: they leave the answer open.
"""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Literal

from gk.mailauth.asking import Asking

LOOKUPS = 10  # terms that ask the DNS, RFC 7208 §4.6.4
EXCHANGERS = 10  # of one mx mechanism, the same
TERMS = 200  # of one record
VERSION = "v=spf1"

Result = Literal["pass", "fail", "softfail", "neutral", "none", "permerror", "open"]

_RESULTS: dict[str, Result] = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_TERM = re.compile(r"([-+~?])?([a-z0-9]+)(?::([^/]*))?(?:/(\d{1,3}))?(?://(\d{1,3}))?", re.IGNORECASE)
_NETWORK = re.compile(r"([-+~?])?(ip4|ip6):([0-9a-f.:]+(?:/\d{1,3})?)", re.IGNORECASE)
_MODIFIER = re.compile(r"([a-z][a-z0-9._-]*)=(.*)", re.IGNORECASE)


class Broken(Exception):
    """The record is a permanent error; the message says why."""


@dataclass
class Reach:
    """One evaluation: whether mail from `address` passes."""

    asking: Asking
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    lookups: int = field(default=0)
    open: bool = field(default=False)  # whether a term was met that this cannot decide

    async def of(self, domain: str) -> Result:
        """The result for a sender at `domain`. Raises Broken, DnsFailed."""
        records = await self.asking.versioned(domain, VERSION)
        if not records:
            return "none"
        if len(records) > 1:
            raise Broken("there are several")  # §4.5
        redirect = ""
        words = records[0].split()[1:]
        if len(words) > TERMS:
            raise Broken("it has too many terms")
        for word in words:
            modifier = _MODIFIER.fullmatch(word)
            if modifier:
                if modifier[1].lower() == "redirect":
                    redirect = modifier[2]
            elif found := await self._term(word, domain):
                return found if not self.open or found == "pass" else "open"
        if redirect and "%" in redirect:
            self.open = True
        elif redirect:
            self._count()  # no deeper than it may count to
            found = await self.of(redirect)
            if found == "none":
                raise Broken("its redirect leads to no SPF record")
            return found
        return "open" if self.open else "neutral"

    async def _term(self, word: str, domain: str) -> Result | None:
        """The result where the mechanism matches, None where it does not."""
        network = _NETWORK.fullmatch(word)
        if network:
            return _RESULTS[network[1] or "+"] if self._within(network[3], None, None) else None
        term = _TERM.fullmatch(word)
        if term is None:
            raise Broken("it has a term nobody knows")
        qualifier, name = term[1] or "+", term[2].lower()
        host = term[3] if term[3] is not None else domain
        if name == "all":
            return _RESULTS[qualifier]
        if name not in ("include", "a", "mx", "exists", "ptr") or not host:
            raise Broken("it has a term nobody knows")
        self._count()
        if "%" in host or name in ("exists", "ptr"):
            self.open = True
            return None
        return _RESULTS[qualifier] if await self._matches(name, host, term[4], term[5]) else None

    async def _matches(self, name: str, host: str, four: str | None, six: str | None) -> bool:
        if name == "include":
            inner = Reach(self.asking, self.address, self.lookups)
            found = await inner.of(host)  # no deeper than it may count to
            self.lookups, self.open = inner.lookups, self.open or found == "open"
            if found == "none":
                raise Broken("an include leads to no SPF record")  # §5.2
            return found == "pass"
        hosts = [h for _, h in (await self.asking.exchangers(host))[:EXCHANGERS]] if name == "mx" else [host]
        for each in hosts:
            if each and any(self._within(a, four, six) for a in await self.asking.addresses(each)):
                return True
        return False

    def _within(self, text: str, four: str | None, six: str | None) -> bool:
        length = six if ":" in text else four
        try:
            network = ipaddress.ip_network(f"{text}/{length}" if length else text, strict=False)
        except ValueError:
            raise Broken("it has a network that is none") from None
        return self.address.version == network.version and self.address in network

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > LOOKUPS:
            raise Broken("it takes more than 10 lookups")


def vouches_for_all(record: str) -> bool:
    """Whether the record lets everybody send."""
    return any(word.lower() in ("all", "+all") for word in record.split()[1:])
