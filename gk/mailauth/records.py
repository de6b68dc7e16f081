"""Every DNS record a domain needs, each with the reason it is there.

MX and addresses (RFC 5321 §5.1), SPF (RFC 7208), DKIM (RFC 6376 §3.6), DMARC (RFC 7489), MTA-STS (RFC 8461),
TLSRPT (RFC 8460), SRV (RFC 6186, RFC 8314 §5.1, RFC 6764) and the names mail programs ask for their settings.
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gk.config import Config, endpoint
from gk.errors import ConfigError
from gk.mailauth.pair import Pair
from gk.mailauth.wording import say

STRING = 255  # octets of one string of a TXT record, RFC 1035 §3.3.14
WELL_KNOWN = "https://mta-sts.{domain}/.well-known/mta-sts.txt"  # RFC 8461 §3.3

Need = Literal["required", "recommended"]


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `name` without its final dot, `value` as in a zone file but a text without its quotes.

    `aside` says why it is not to be published in this zone now; "" where it is.
    """

    kind: str
    name: str
    type: str
    value: str
    why: str
    need: Need = "required"
    aside: str = ""

    @property
    def rdata(self) -> str:
        """The value as a zone file has it, texts as quoted strings of at most 255 octets."""
        return quoted(self.value) if self.type == "TXT" else self.value


@dataclass(frozen=True, slots=True)
class Offer:
    """What the world is to know of this server: its name and the ports of its services, None for those without."""

    hostname: str
    submission: int | None = None
    submissions: int | None = None
    imap: int | None = None
    imaps: int | None = None
    https: int | None = None
    smarthost: str = ""  # the host of the relay that takes the mail no route names
    port: int = 25  # of the servers it sends to
    families: frozenset[int] = frozenset({4, 6})  # of the addresses it receives mail on
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # as in outbound.source
    managesieve: int | None = None
    reports: str = ""  # the address reports about our mail come to

    @classmethod
    def of(cls, config: Config) -> "Offer":
        """As it is configured."""
        hosts = [endpoint(text)[0] for text in config.smtp.mx]
        rest = next((r.host for r in config.outbound.routes if "*" in r.domains), config.outbound.smarthost)
        return cls(
            config.hostname.lower(),
            _port(config.smtp.submission),
            _port(config.smtp.submissions),
            _port(config.imap.starttls),
            _port(config.imap.tls),
            _port(config.http.https),
            endpoint(rest)[0] if rest else "",
            config.outbound.port,
            frozenset(6 if ":" in host else 4 for host in hosts),
            config.outbound.source,
            _port(config.managesieve.listen),
            config.reports.address.lower(),
        )

    def reported_to(self, domain: str) -> str:
        """Where reports about a domain are wanted: nobody has to be asked about an address of its own."""
        return self.reports if self.reports.rpartition("@")[2] == domain else f"postmaster@{domain}"

    def sends_from(self, domain: str) -> tuple[str, ...]:
        """The public addresses mail of a domain leaves from, where that is configured."""
        listed = self.sources.get(domain, self.sources.get("*", ()))
        return tuple(address for address in listed if ipaddress.ip_address(address).is_global)


@dataclass(frozen=True, slots=True)
class Own:
    """An address mail of this server comes from; `receives` where it also listens there."""

    address: str
    receives: bool


def wanted(domain: str, offer: Offer, own: Sequence[Own], pairs: Iterable[Pair], others: Sequence[str]) -> list[Record]:
    """The records of `domain`, the most needed first. `others` are all domains of this server."""
    rua = f"rua=mailto:{offer.reported_to(domain)}"
    return [
        *_mail(domain, offer, own, others),
        *dkim(domain, pairs),
        Record("dmarc", f"_dmarc.{domain}", "TXT", f"v=DMARC1; p=quarantine; {rua}", say("why.dmarc", domain=domain)),
        Record("tlsrpt", f"_smtp._tls.{domain}", "TXT", f"v=TLSRPTv1; {rua}", say("why.tlsrpt"), "recommended"),
        *_sts(domain, offer),
        *_services(domain, offer),
        *[pointer(item.address, offer.hostname) for item in own],
    ]  # fmt: skip


def _mail(domain: str, offer: Offer, own: Sequence[Own], others: Sequence[str]) -> list[Record]:
    host = offer.hostname
    found = [Record("mx", domain, "MX", f"10 {host}.", say("why.mx", domain=domain))]
    why = say("why.address", host=host)
    receiving = [item.address for item in own if item.receives]
    found += [Record("address", host, "AAAA" if ":" in a else "A", a, why) for a in receiving]
    if not receiving:
        found.append(Record("address", host, "A", "<address>", why, aside=say("aside.address")))
    found.append(_spf(domain, offer, own))
    if host not in others and not offer.smarthost:
        found.append(Record("spf.host", host, "TXT", _own_spf("a", own), say("why.spf.host"), "recommended"))
    return found


def _spf(domain: str, offer: Offer, own: Sequence[Own]) -> Record:
    if not offer.smarthost:
        receiving = [item.address for item in own if item.receives]
        configured = [Own(a, False) for a in offer.sends_from(domain) if a not in receiving]
        value = _own_spf("mx", configured or own)
        return Record("spf", domain, "TXT", value, say("why.spf", domain=domain))
    value = f"v=spf1 mx {_mechanism(offer.smarthost)} ~all"
    return Record("spf", domain, "TXT", value, say("why.spf.smarthost", smarthost=offer.smarthost))


def _own_spf(first: str, own: Sequence[Own]) -> str:
    """Addresses that only send are not behind the MX."""
    return " ".join(["v=spf1", first, *(_mechanism(item.address) for item in own if not item.receives), "-all"])


def _mechanism(host: str) -> str:
    """The SPF mechanism of a host or an address (RFC 7208 §5)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"a:{host}"
    return f"ip{address.version}:{address}"


def dkim(domain: str, pairs: Iterable[Pair]) -> list[Record]:
    """The keys of a domain, those in use first."""
    order = ("active", "next", "retired")
    return [
        Record(
            "dkim", f"{key.selector}._domainkey.{domain}", "TXT", key.record,
            say(f"why.dkim.{pair.state}", domain=domain), "required" if pair.state == "active" else "recommended",
        )
        for pair in sorted(pairs, key=lambda pair: order.index(pair.state))
        for key in pair.keys
    ]  # fmt: skip


def sts_policy(hostname: str) -> str:
    """The policy that mta-sts.<domain> serves (RFC 8461 §3.2)."""
    return f"version: STSv1\r\nmode: testing\r\nmx: {hostname}\r\nmax_age: 604800\r\n"


def _sts(domain: str, offer: Offer) -> list[Record]:
    version = hashlib.sha256(sts_policy(offer.hostname).encode()).hexdigest()[:20]  # new with every other policy
    aside = "" if offer.https else say("aside.https")
    url = WELL_KNOWN.format(domain=domain)
    return [
        Record("sts", f"_mta-sts.{domain}", "TXT", f"v=STSv1; id={version};", say("why.sts", url=url), "recommended",
               aside),
        Record("alias", f"mta-sts.{domain}", "CNAME", f"{offer.hostname}.", say("why.sts.host"), "recommended", aside),
    ]  # fmt: skip


def _services(domain: str, offer: Offer) -> list[Record]:
    found = []
    for service, port, web in (
        ("submissions", offer.submissions, False),
        ("submission", offer.submission, False),
        ("imaps", offer.imaps, False),
        ("imap", offer.imap, False),
        *([("sieve", offer.managesieve, False)] if offer.managesieve else []),  # RFC 5804 §1.8
        ("caldavs", offer.https, True),
        ("carddavs", offer.https, True),
    ):
        if port:
            value, why = f"0 1 {port} {offer.hostname}.", say("why.srv", service=service)
        elif web:
            value, why = f"0 1 443 {offer.hostname}.", say("why.srv", service=service)
        else:
            value, why = "0 0 0 .", say("why.srv.none", service=service)  # RFC 6186 §3.4
        aside = say("aside.https") if web and not port else ""
        found.append(Record("srv", f"_{service}._tcp.{domain}", "SRV", value, why, "recommended", aside))
    aside = "" if offer.https else say("aside.https")
    for name in ("autoconfig", "autodiscover"):
        why = say(f"why.{name}")
        found.append(Record("alias", f"{name}.{domain}", "CNAME", f"{offer.hostname}.", why, "recommended", aside))
    return found


def pointer(address: str, hostname: str) -> Record:
    """The PTR record of an address (RFC 1035 §3.5, RFC 3596 §2.5)."""
    name = ipaddress.ip_address(address).reverse_pointer
    return Record("ptr", name, "PTR", f"{hostname}.", say("why.ptr"), aside=say("aside.ptr"))


def quoted(text: str) -> str:
    """A text as the strings of a TXT record in a zone file (RFC 1035 §5.1)."""
    octets = text.encode()
    strings = [octets[at : at + STRING] for at in range(0, len(octets), STRING)] or [b""]
    return " ".join('"' + "".join(map(_escaped, string)) + '"' for string in strings)


def _escaped(octet: int) -> str:
    if octet in b'"\\':
        return "\\" + chr(octet)
    return chr(octet) if 32 <= octet < 127 else f"\\{octet:03}"


def _port(addresses: Sequence[str]) -> int | None:
    try:
        return endpoint(addresses[0])[1] if addresses else None
    except ConfigError:
        return None
