"""The TLS policy of a delivery: DANE beats MTA-STS, which beats what happens to be offered (RFC 8461 §2, RFC 7435).

`Policies.of` is asked once for a destination. For each server its `steps` are the ways to open a session, strictest
first; the next one is tried only after TLS failed on the one before. A session just opened is shown to `check`.

    destination = await policies.of(domain, hosts, require=..., optional=...)
    for policy in destination.steps(host):                       # raises Untrusted: the next server
        open a session; where policy.context is None without STARTTLS, else with it, SNI policy.hostname
        TLS failed: destination.record(host, policy, tls_result(error)); the next step
        destination.check(host, policy, ssl_object, extensions)  # raises Untrusted: leave the session, the next step
"""

import asyncio
import ipaddress
import logging
import ssl
import time
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gk import metrics
from gk.config import Config, Outbound
from gk.errors import ConfigError, Refused, Unavailable
from gk.mailauth.dane import Untrusted, judge, peer_chain, usable
from gk.mailauth.domain import canonical
from gk.mailauth.sts import Sts, StsFault, allows
from gk.message.header import fields, uncomment, unfold
from gk.net.dns import DnsFailed, NoSuchName, Tlsa, Vouching
from gk.outbound.relay import Relay
from gk.store.tls import DAY, StsPolicy, TlsRecords, TlsResult

log = logging.getLogger(__name__)

FLUSH = 60.0  # seconds results are counted in memory before they are rows
KINDS = 5000  # of results counted in memory; more are not told apart from nothing
RENEW = 3600.0  # seconds between rounds of renewals of MTA-STS policies
NEEDED, LACKING = "5.7.10", "5.7.30"  # encryption needed; REQUIRETLS support required (RFC 8689 §6)

Kind = Literal["clear", "may", "encrypt", "sts", "dane", "own"]  # "own": a relay, as it is configured


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """What one session must have. Without a `context` it is opened without TLS; `hostname` is the SNI.

    Equal policies may share a session.
    """

    kind: Kind
    context: ssl.SSLContext | None
    hostname: str
    tlsa: tuple[Tlsa, ...] = ()
    names: tuple[str, ...] = ()  # a certificate under a DANE trust anchor may be for, RFC 7672 §3.2.2
    require: bool = False  # REQUIRETLS

    @property
    def required(self) -> bool:
        """Whether a server without STARTTLS is not sent to this way."""
        return self.kind not in ("clear", "may")


@dataclass(frozen=True, slots=True)
class _Dane:
    """What was found for one server: its TLSA records and where, or that they could not be looked up."""

    base: str = ""
    records: tuple[Tlsa, ...] = ()
    unusable: bool = False
    failed: bool = False


@dataclass(slots=True)
class Destination:
    """The policy for one domain, for one attempt."""

    policies: "Policies"
    domain: str
    sts: StsPolicy | None = None
    fault: StsFault | None = None
    dane: dict[str, _Dane] = field(default_factory=dict)
    require: bool = False
    quiet: bool = False  # not a matter of the domain's policy: nothing is reported
    relay: Relay | None = None  # which takes the domain's mail, as it is configured
    _told: set[str] = field(default_factory=set)  # servers whose session has its result

    def steps(self, host: str) -> tuple[TlsPolicy, ...]:
        """The ways to open a session with one server, strictest first; raises Untrusted where there is none."""
        name, policies = _name(host), self.policies
        self._told.discard(name)
        if self.relay is not None:
            return (self._own(self.relay, name),)
        dane = self.dane.get(name, _Dane())
        if dane.failed:  # not "there are none": who can break a look-up would choose, RFC 7672 §2.2
            raise self._told_no(name, "tlsa", "dnssec-invalid", "4.7.5 the TLSA records cannot be looked up now")
        if dane.records:
            names = tuple(dict.fromkeys((dane.base, name, self.domain)))
            return (TlsPolicy("dane", policies.encrypting, dane.base, dane.records, names, self.require),)
        believed = TlsPolicy("sts", policies.believing, name, require=self.require)
        enforced = self.sts is not None and (self.sts.mode == "enforce" or (self.require and self.sts.mode != "none"))
        listed = self.sts is not None and allows(self.sts, name)
        if enforced and not listed:
            raise self._told_no(
                name, "sts", "validation-failure", "4.7.5 the server is not one of the domain's MTA-STS policy"
            )
        if enforced:
            return (believed,)
        if self.require:
            text = f"{NEEDED} the message requires TLS, and nothing proves the servers of {self.domain}"
            raise Untrusted(text, "validation-failure", 0 if self.fault else 550)  # 0: nobody knows yet
        if dane.unusable:  # RFC 7672 §2.2: encrypted, to nobody in particular
            return (TlsPolicy("encrypt", policies.encrypting, name),)
        tail = TlsPolicy("may", policies.any, name), TlsPolicy("clear", None, name)
        if self.sts is None or self.sts.mode != "testing":
            return tail
        if not listed:
            self._tell(name, "sts", "validation-failure")
            return tail
        return believed, *tail

    def check(self, host: str, policy: TlsPolicy, session: ssl.SSLObject | None, offers: Container[str]) -> None:
        """Judge a session just opened, by its TLS and the extensions (lower case) offered in it; raises Untrusted."""
        try:
            if session is None and policy.required and self.relay is None:
                raise Untrusted("4.7.5 the server offers no STARTTLS", "starttls-not-supported")
            if policy.kind == "dane" and session is not None:
                try:
                    judge(policy.tlsa, peer_chain(session), policy.names)
                except Untrusted as error:
                    raise Untrusted(f"4.7.5 {error}", error.result) from None
        except Untrusted as error:
            self.record(host, policy, error.result)
            raise
        self.record(host, policy, "starttls-not-supported" if session is None else "")
        if policy.require and session is None:
            raise Untrusted(f"{NEEDED} the message requires TLS", "starttls-not-supported", 550)
        if policy.require and "requiretls" not in offers:  # RFC 8689 §4.2.1
            raise Untrusted(f"{LACKING} the server does not promise to require TLS", "validation-failure", 550)

    def record(self, host: str, policy: TlsPolicy, result: str) -> None:
        """Count what became of the first step of a session, "" for success; steps after it tell nothing new."""
        kind = {"dane": "tlsa", "encrypt": "tlsa", "sts": "sts"}.get(policy.kind, "no-policy-found")
        if policy.kind == "encrypt" and not result:
            result = "tlsa-invalid"
        if kind == "no-policy-found" and self.fault is not None and self.fault.result:
            kind, result = "sts", self.fault.result
        self._tell(_name(host), kind, result)

    def _own(self, relay: Relay, name: str) -> TlsPolicy:
        if relay.context is None and self.require:
            raise Untrusted(f"{NEEDED} the message requires TLS, and {relay.host} is spoken to without", "", 550)
        return TlsPolicy("own", relay.context, name, require=self.require)

    def _told_no(self, name: str, kind: str, result: str, text: str) -> Untrusted:
        self._tell(name, kind, result)
        return Untrusted(text, result)

    def _tell(self, name: str, kind: str, result: str) -> None:
        if not (self.quiet or self.relay or name in self._told):
            self._told.add(name)
            self.policies.tally(self.domain, kind, result, name)


class Policies:
    """A service that knows the TLS policy of every destination, and counts what came of it."""

    name = "tls-policies"

    def __init__(
        self, resolver: Vouching, sts: Sts, records: TlsRecords, config: Outbound, believing: ssl.SSLContext
    ) -> None:
        """`believing` is the context that verifies servers under MTA-STS, as `authorities` makes it."""
        self._resolver, self._sts, self._records = resolver, sts, records
        self.config, self.believing = config, believing
        self.any, self.encrypting = _unverified(), _unverified()
        self.encrypting.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tally: Counter[TlsResult] = Counter()
        self._used: set[str] = set()

    async def of(
        self,
        domain: str,
        hosts: Sequence[str],
        *,
        require: bool = False,
        optional: bool = False,
        relay: Relay | None = None,
    ) -> Destination:
        """The policy for a domain and its servers. `require`: REQUIRETLS (RFC 8689 §4.2); `optional`: the message
        has `TLS-Required: No` (§5), which REQUIRETLS overrules; `relay` has one of its own."""
        if relay is not None:
            return Destination(self, domain, require=require, relay=relay)
        try:
            asked = canonical(domain)
        except Refused:  # an address literal: no name, so no policy
            return Destination(self, domain, require=require, quiet=True)
        if optional and not require:
            return Destination(self, asked, quiet=True)
        names = list(dict.fromkeys(_name(host) for host in hosts))
        destination = Destination(self, asked, dane=await self._dane(asked, names), require=require)
        if all(name in destination.dane and destination.dane[name].records for name in names):
            return destination
        try:
            destination.sts = await self._sts.of(asked)
        except StsFault as fault:
            log.info("event=sts_fault domain=%s result=%s", asked, fault.result)
            destination.fault = fault
        if destination.sts is not None:
            self._used.add(asked)
        return destination

    async def _dane(self, domain: str, hosts: Sequence[str]) -> dict[str, _Dane]:
        """What DANE says of each server; nothing where the MX records are not authentic (RFC 7672 §2.2.1)."""
        try:
            if await self._resolver.vouched(domain, "MX") is None:
                return {}
        except NoSuchName:
            return {}
        except DnsFailed:
            return dict.fromkeys(hosts, _Dane(failed=True))
        found = await asyncio.gather(*(self._dane_of(host) for host in hosts))
        return {host: dane for host, dane in zip(hosts, found, strict=True) if dane is not None}

    async def _dane_of(self, host: str) -> _Dane | None:
        if _is_address(host):
            return None
        try:
            base = await self._place(host)
            if base is None:
                return None
            for name in dict.fromkeys((base, host)):  # behind aliases first, RFC 7672 §2.2.2
                records = await self._tlsa(name)
                if records:
                    good = usable(records)
                    return _Dane(name, good, unusable=not good)
        except DnsFailed:
            return _Dane(failed=True)
        return None

    async def _place(self, host: str) -> str | None:
        """Where a server's addresses really are, None where they are not authentic or there are none."""
        kinds = "AAAA", "A"
        answers = await asyncio.gather(*(self._resolver.vouched(host, k) for k in kinds), return_exceptions=True)
        places: list[str | None] = []
        for answer in answers:
            if isinstance(answer, BaseException):
                if not isinstance(answer, NoSuchName | DnsFailed):
                    raise answer
            else:  # one family may do without the other
                places.append(answer)
        if not places:
            failed = [answer for answer in answers if isinstance(answer, DnsFailed)]
            if failed:
                raise failed[0]
            return None
        return _name(places[0]) if places[0] is not None and None not in places else None

    async def _tlsa(self, name: str) -> list[Tlsa]:
        try:
            return await self._resolver.tlsa(f"_{self.config.port}._tcp.{name}")
        except NoSuchName:
            return []

    # --- what came of it ----------------------------------------------------------------------------------------------

    def tally(self, domain: str, policy: str, result: str, host: str) -> None:
        """Count a session; `host` is kept where it failed."""
        metrics.tls_sessions.labels(policy, result or "success").inc()
        counted = TlsResult(int(time.time()) // DAY, domain, policy, result, host if result else "")
        if counted in self._tally or len(self._tally) < KINDS:
            self._tally[counted] += 1

    async def flush(self) -> None:
        """Write down what was counted; what cannot be written now is kept for the next time."""
        tally, used = self._tally, self._used
        if not tally and not used:
            return
        self._tally, self._used = Counter(), set()
        try:
            await self._records.count(tally, used, int(time.time()))
        except Unavailable as error:
            log.warning("event=tls_results_wait reason=%s", type(error).__name__)
            self._tally += tally
            self._used |= used

    async def run(self, ready: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        renew = loop.time()
        ready.set()
        try:
            while True:
                if loop.time() >= renew:
                    renew = loop.time() + RENEW
                    try:
                        await self._sts.renew()
                    except Unavailable as error:
                        log.warning("event=sts_renewal_waits reason=%s", type(error).__name__)
                await asyncio.sleep(FLUSH)
                await self.flush()
        finally:
            await self.flush()


def authorities(config: Config) -> ssl.SSLContext:
    """A context that verifies servers by the authorities of the configuration, or the system's; raises ConfigError.

    TLS 1.2 or later (RFC 8996), the name among the certificate's subjectAltNames (RFC 8461 §4.1).
    """
    context = ssl.create_default_context() if not config.outbound.tls_ca else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if config.outbound.tls_ca:
        path = (config.path.parent if config.path else Path()) / config.outbound.tls_ca
        try:
            context.load_verify_locations(path)
        except (OSError, ssl.SSLError):
            raise ConfigError(f"{path}: outbound.tls_ca must be a PEM file of certificates that can be read") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    return context


def tls_result(error: BaseException) -> str:
    """Why TLS failed, in the words of RFC 8460 §4.3."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            named = {10: "certificate-expired", 62: "certificate-host-mismatch", 64: "certificate-host-mismatch"}
            return named.get(seen.verify_code, "certificate-not-trusted")  # X509_V_ERR_… of OpenSSL
        seen = seen.__cause__ or seen.__context__
    return "validation-failure"


def says_optional(header: bytes) -> bool:
    """Whether a message says `TLS-Required: No`, once (RFC 8689 §5)."""
    found = [header[at:end] for name, at, end in fields(header, 0, len(header)) if name == b"tls-required"]
    return len(found) == 1 and unfold(uncomment(found[0])).lower() == b"no"


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _name(host: str) -> str:
    """A server's name as it is compared and shown; an address literal without its brackets."""
    name = host.lower().removesuffix(".")
    return name[1:-1].removeprefix("ipv6:") if name.startswith("[") else name


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
