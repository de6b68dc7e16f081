"""What the world knows of this server itself: its addresses, their names, block lists, and the way out by port 25."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from gk.mailauth.asking import Asking
from gk.mailauth.domain_check import Look
from gk.mailauth.findings import Finding, Status, finding
from gk.mailauth.records import Offer, Own, Record, pointer
from gk.mailauth.spf_reach import VERSION
from gk.mailauth.wording import say
from gk.net.dns import DnsFailed

LISTS = {  # zone → where its operators tell why an address is on it
    "zen.spamhaus.org": "check.spamhaus.org",
    "bl.spamcop.net": "www.spamcop.net/bl.shtml",
    "psbl.surriel.com": "psbl.org",
}
LISTED = ipaddress.ip_network("127.0.0.0/8")  # RFC 5782 §2.1
REFUSED = ipaddress.ip_network("127.255.255.0/24")  # what Spamhaus answers to those it does not serve
WELL_KNOWN = "gmail.com"  # whose mail servers are tried where no other is named
ATTEMPTS = 3  # addresses of it
GREETING = 512  # octets of a greeting that are read


class ServerCheck:
    """The looks at the server. `own` are its addresses as known here, `sending` those its mail comes from."""

    def __init__(
        self, asking: Asking, offer: Offer, own: list[Own], sending: Callable[[], Awaitable[list[str]]]
    ) -> None:
        self._asking, self._offer, self._own, self._sending = asking, offer, own, sending

    def looks(self, domains: list[str], probe: str | None) -> Iterator[tuple[Record, Look]]:
        """What is to be looked at."""
        host = self._offer.hostname
        record = Record("address", host, "A", "<address>", "")
        yield record, partial(self._addresses, record)
        if host not in domains and not self._offer.smarthost:
            record = Record("spf.host", host, "TXT", "v=spf1 a -all", "")
            yield record, partial(self._spf, record)
        record = Record("ptr", host, "PTR", f"{host}.", "")
        yield record, partial(self._pointers, record)
        for zone in LISTS:
            record = Record("list", zone, "A", "", "")
            yield record, partial(self._list, record)
        record = Record("probe", probe or "", "", "", "")
        yield record, partial(self._probe, record)

    def _say(self, record: Record, status: Status, found: list[str], key: str = "", **values: object) -> Finding:
        named = {"name": record.name, "type": record.type, "value": record.rdata, "host": self._offer.hostname}
        return finding("", record, status, found, say(key, **(named | values)) if key else "")

    async def _addresses(self, record: Record) -> list[Finding]:
        found = await self._asking.addresses(self._offer.hostname)
        own = [item.address for item in self._own if item.receives]
        answers = []
        for address in own:
            type_ = "AAAA" if ":" in address else "A"
            wanted = Record("address", record.name, type_, address, "")
            good = address in found
            answers.append(self._say(wanted, "ok" if good else "wrong", found, "" if good else "fix.publish"))
        if own and (others := [a for a in found if a not in own]):
            answers.append(self._say(record, "advice", found, "fix.address.other", others=", ".join(others)))
        if not own:
            answers.append(self._say(record, *(("ok", found) if found else ("wrong", found, "fix.address.none"))))
        return answers

    async def _spf(self, record: Record) -> list[Finding]:
        found = await self._asking.versioned(record.name, VERSION)
        if not found:
            return [self._say(record, "advice", found, "fix.publish")]
        if len(found) > 1:
            return [self._say(record, "wrong", found, "fix.spf.two", count=len(found))]
        return [self._say(record, "ok", found)]

    async def _pointers(self, record: Record) -> list[Finding]:
        addresses = await self._sending()
        if not addresses:
            return [self._say(record, "skipped", [], "skip.ptr")]
        return [await self._pointer(address) for address in addresses]

    async def _pointer(self, address: str) -> Finding:
        """Whether the address has a name that leads back to it, and that is ours (RFC 1912 §2.1)."""
        record = pointer(address, self._offer.hostname)
        found = await self._asking.records(record.name, "PTR")
        names = [text.rstrip(".") for text in found]
        if not names:
            return self._say(record, "wrong", found, "fix.ptr.none", address=address)
        names.sort(key=lambda name: name != self._offer.hostname)
        for name in names[:ATTEMPTS]:
            if address in await self._asking.addresses(name):
                if name == self._offer.hostname:
                    return self._say(record, "ok", found)
                return self._say(record, "advice", found, "fix.ptr.other")
        return self._say(record, "wrong", found, "fix.ptr.forward", address=address, other=names[0][:255])

    async def _list(self, record: Record) -> list[Finding]:
        """Whether a block list has one of our public addresses (RFC 5782 §2)."""
        public = [a for a in await self._sending() if ipaddress.ip_address(a).is_global]
        if not public:
            return [self._say(record, "skipped", [], "skip.list")]
        return [await self._listed(record, address) for address in public]

    async def _listed(self, record: Record, address: str) -> Finding:
        reverse = ipaddress.ip_address(address).reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
        found = await self._asking.records(f"{reverse}.{record.name}", "A")
        answers = [ipaddress.ip_address(text) for text in found]
        if any(answer in REFUSED for answer in answers):
            return self._say(record, "skipped", found, "fix.list.refused", zone=record.name)
        if any(answer in LISTED for answer in answers):
            return self._say(record, "wrong", found, "fix.listed", address=address, site=LISTS[record.name])
        return self._say(record, "ok", [address])

    async def _probe(self, record: Record) -> list[Finding]:
        """Whether a mail server elsewhere greets us: many networks keep port 25 closed."""
        if not record.name:
            return [self._say(record, "skipped", [], "skip.probe")]
        port = self._offer.port
        hosts = [host for _, host in await self._asking.exchangers(record.name) if host] or [record.name]
        addresses = await self._asking.addresses(hosts[0])
        if not addresses:
            return [self._say(record, "unknown", [], "fix.probe.name", host=record.name, port=port)]
        for address in sorted(addresses, key=lambda a: ":" in a)[:ATTEMPTS]:
            if greeting := await _greeting(address, port):
                return [self._say(record, "ok", [greeting])]
        return [self._say(record, "wrong", addresses, "fix.probe", port=port)]


async def _greeting(address: str, port: int) -> str:
    """The first line a mail server says, "" where none does. Its patience and ours: the deadline of the whole look."""
    try:
        reader, writer = await asyncio.open_connection(address, port, limit=GREETING)
    except OSError:
        return ""
    try:
        line = await reader.readline()
        writer.write(b"QUIT\r\n")
    except (OSError, ValueError):
        return ""
    finally:
        writer.transport.abort()
    return line.decode("ascii", "backslashreplace").strip() if line.startswith(b"220") else ""


async def sending(asking: Asking, offer: Offer, own: list[Own]) -> list[str]:
    """The addresses mail of this server comes from: its own, or where it knows none the public ones of its name."""
    if own:
        return [item.address for item in own]
    try:
        found = await asking.addresses(offer.hostname)
    except DnsFailed:
        return []
    return [address for address in found if ipaddress.ip_address(address).is_global]
