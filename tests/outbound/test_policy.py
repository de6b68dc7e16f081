"""TLS policies against servers that keep them and servers that do not: what is sent, what waits, what is reported."""

import asyncio
import dataclasses
import hashlib
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiosmtplib
import pytest

from gk import metrics
from gk.bus import Bus
from gk.config import Config, Limits, Outbound
from gk.errors import ConfigError
from gk.mailauth.dane import Untrusted
from gk.mailauth.sts import Sts
from gk.net.dns import SystemResolver
from gk.net.guard import FetchFailed, Page
from gk.outbound import policy as policy_module
from gk.outbound.policy import Destination, Policies, TlsPolicy, authorities, says_optional, tls_result
from gk.outbound.relay import Relays
from gk.service import supervise
from gk.store import tls as tls_module
from gk.store.db import Store
from gk.store.tls import DAY, TlsResult
from tests.authority import Issued, issue
from tests.strangers import PATIENCE, Mx, MxSession, Zone, free_port, zone

HOST = "mx0.far.test"
ROOT = issue(authority=True)
GOOD = issue(HOST, issuer=ROOT)


@dataclasses.dataclass
class Exchange:
    """A domain far.test with one server on 127.0.0.2, and this side's policies."""

    store: Store
    zone: Zone
    port: int
    directory: Path
    stack: AsyncExitStack
    pages: dict[str, bytes]
    policies: Policies

    async def mx(self, issued: Issued | None = GOOD, *extensions: str, **replies: bytes) -> Mx:
        """The server; without a certificate it has no STARTTLS."""
        tls = issued.context(self.directory) if issued else None
        mx = Mx(dict(replies), extensions=("8BITMIME", *extensions), tls=tls)
        return await self.stack.enter_async_context(mx.serve("127.0.0.2", self.port))

    def sts(self, mode: str, *hosts: str) -> None:
        """far.test publishes a policy."""
        lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {host}" for host in hosts), "max_age: 604800"]
        self.pages["https://mta-sts.far.test/.well-known/mta-sts.txt"] = "\r\n".join(lines).encode()
        self.zone.add("_mta-sts.far.test", "TXT", '"v=STSv1; id=1;"')

    def tlsa(self, usage: int, issued: Issued, *, signed: bool = True) -> None:
        """far.test publishes a record of a key."""
        if signed:
            self.zone.signed.add("far.test")
        digest = hashlib.sha256(issued.spki).hexdigest()
        self.zone.add(f"_{self.port}._tcp.{HOST}", "TLSA", f"{usage} 1 1 {digest}")

    async def of(self, *, require: bool = False, optional: bool = False) -> Destination:
        return await self.policies.of("far.test", [HOST], require=require, optional=optional)

    async def attempt(self, *, require: bool = False, optional: bool = False) -> str:
        """The kind of the step that led to a session, as a courier takes them; raises Untrusted."""
        destination = await self.of(require=require, optional=optional)
        refusal: Untrusted | None = None
        for policy in destination.steps(HOST):
            try:
                server = await self.open(policy)
            except TlsFailedError as error:
                destination.record(HOST, policy, error.result)
                refusal = Untrusted(str(error), error.result)
                continue
            try:
                transport = server.transport
                assert transport is not None
                session = transport.get_extra_info("ssl_object")
                destination.check(HOST, policy, session, {name.lower() for name in server.esmtp_extensions})
                return policy.kind
            except Untrusted as error:
                refusal = error
            finally:
                await server.quit()
                server.close()
        assert refusal is not None
        raise refusal

    async def open(self, policy: TlsPolicy) -> aiosmtplib.SMTP:
        server = aiosmtplib.SMTP(
            hostname="127.0.0.2", port=self.port, start_tls=False, use_tls=False, timeout=PATIENCE, validate_certs=False
        )
        await server.connect()
        await server.ehlo()
        if policy.context is not None and server.supports_extension("starttls"):
            try:
                await server.starttls(tls_context=policy.context, server_hostname=policy.hostname)
                await server.ehlo()
            except (aiosmtplib.SMTPException, OSError) as error:
                server.close()
                raise TlsFailedError(tls_result(error)) from error
        elif policy.required:
            server.close()
            raise TlsFailedError("starttls-not-supported")
        return server

    async def results(self) -> list[tuple[str, str, str, int]]:
        """What is written down for today: (policy, result, host, sessions)."""
        await self.policies.flush()
        found = self.store.tls.results(int(time.time()) // DAY)
        assert all(result.domain == "far.test" for result, _ in found)
        return [(result.policy, result.result, result.mx, sessions) for result, sessions in found]


class TlsFailedError(Exception):
    def __init__(self, result: str) -> None:
        super().__init__(result)
        self.result = result


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with AsyncExitStack() as stack:
        config = Config(
            data=tmp_path / "data",
            limits=Limits(free_space_bytes=0),
            outbound=Outbound(port=free_port("127.0.0.2"), tls_ca=str(ROOT.pem(tmp_path / "ca.pem"))),
        )
        store = await stack.enter_async_context(Store.open(config, Bus()))
        names = await stack.enter_async_context(zone())
        names.domain("far.test", "127.0.0.2")
        resolver = SystemResolver([f"127.0.0.1:{names.port}"])
        pages: dict[str, bytes] = {}

        async def get(url: str) -> Page:
            if url not in pages:
                raise FetchFailed("no such host")
            return Page(200, "text/plain", pages[url])

        sts = Sts(resolver, get, store.tls)
        policies = Policies(resolver, sts, store.tls, config.outbound, authorities(config))
        yield Exchange(store, names, config.outbound.port, tmp_path, stack, pages, policies)


async def refused(exchange: Exchange, *, code: int = 0, result: str, require: bool = False) -> Untrusted:
    with pytest.raises(Untrusted) as caught:
        await exchange.attempt(require=require)
    assert (caught.value.code, caught.value.result) == (code, result)
    return caught.value


# --- nobody says anything ---------------------------------------------------------------------------------------------


async def test_without_a_policy_any_tls_will_do(exchange: Exchange) -> None:
    await exchange.mx(issue("elsewhere.test"))
    assert await exchange.attempt() == "may"
    assert await exchange.results() == [("no-policy-found", "", "", 1)]


async def test_without_a_policy_no_tls_will_do_and_is_told(exchange: Exchange) -> None:
    await exchange.mx(None)
    assert await exchange.attempt() == "may"
    assert await exchange.results() == [("no-policy-found", "starttls-not-supported", HOST, 1)]


async def test_without_a_policy_broken_tls_is_left_for_clear_text(exchange: Exchange) -> None:
    async def garbage(session: MxSession) -> None:
        session.writer.write(b"220 go ahead\r\n")
        await session.reader.read(1)
        session.writer.write(b"\x00garbage that is no TLS record\r\n" * 10)

    await exchange.mx(None, "STARTTLS", STARTTLS=garbage)  # type: ignore[arg-type]
    assert await exchange.attempt() == "clear"
    assert await exchange.results() == [("no-policy-found", "validation-failure", HOST, 1)]


# --- MTA-STS ----------------------------------------------------------------------------------------------------------


async def test_an_enforced_policy_is_kept_by_a_server_with_a_good_certificate(exchange: Exchange) -> None:
    await exchange.mx()
    exchange.sts("enforce", "*.far.test")
    assert await exchange.attempt() == "sts"
    assert await exchange.attempt() == "sts"
    assert await exchange.results() == [("sts", "", "", 2)]


BAD = [
    (issue("mx1.far.test", issuer=ROOT), "certificate-host-mismatch"),
    (issue("far.test", issuer=ROOT), "certificate-host-mismatch"),
    (issue(issuer=ROOT, common=HOST), "certificate-host-mismatch"),
    (issue(HOST, issuer=ROOT, days=(-9, -1)), "certificate-expired"),
    (issue(HOST), "certificate-not-trusted"),
    (issue(HOST, issuer=issue(authority=True)), "certificate-not-trusted"),
    (None, "starttls-not-supported"),
]


@pytest.mark.parametrize(("issued", "result"), BAD)
async def test_under_an_enforced_policy_a_bad_server_gets_nothing(
    exchange: Exchange, issued: Issued | None, result: str
) -> None:
    mx = await exchange.mx(issued)
    exchange.sts("enforce", HOST)
    await refused(exchange, result=result)
    assert await exchange.results() == [("sts", result, HOST, 1)]
    assert not [line for line in mx.lines if line.startswith("MAIL")]


@pytest.mark.parametrize(("issued", "result"), BAD)
async def test_under_a_policy_in_testing_a_bad_server_is_sent_to_and_told_of(
    exchange: Exchange, issued: Issued | None, result: str
) -> None:
    await exchange.mx(issued)
    exchange.sts("testing", HOST)
    assert await exchange.attempt() == "may"
    assert await exchange.results() == [("sts", result, HOST, 1)]


async def test_a_server_the_policy_does_not_list_gets_nothing_where_it_is_enforced(exchange: Exchange) -> None:
    mx = await exchange.mx()
    exchange.sts("enforce", "mx9.far.test")
    error = await refused(exchange, result="validation-failure")
    assert str(error).startswith("4.7.5 ")
    assert mx.sessions == 0
    assert await exchange.results() == [("sts", "validation-failure", HOST, 1)]


async def test_a_server_the_policy_does_not_list_is_sent_to_in_testing(exchange: Exchange) -> None:
    await exchange.mx()
    exchange.sts("testing", "mx9.far.test")
    assert await exchange.attempt() == "may"
    assert await exchange.results() == [("sts", "validation-failure", HOST, 1)]


async def test_a_policy_of_none_is_none(exchange: Exchange) -> None:
    await exchange.mx(issue("elsewhere.test"))
    exchange.sts("none")
    assert await exchange.attempt() == "may"
    assert await exchange.results() == [("no-policy-found", "", "", 1)]


async def test_a_policy_that_cannot_be_fetched_is_told_of_and_mail_goes_out(exchange: Exchange) -> None:
    await exchange.mx()
    exchange.sts("enforce", HOST)
    exchange.pages.clear()
    assert await exchange.attempt() == "may"
    assert await exchange.results() == [("sts", "sts-policy-fetch-error", HOST, 1)]


async def test_every_session_has_one_result_of_its_own(exchange: Exchange) -> None:
    await exchange.mx(issue(HOST))
    exchange.sts("enforce", HOST)
    destination = await exchange.of()
    for _ in range(2):  # two addresses of the same server
        (policy,) = destination.steps(HOST)
        for _ in range(2):
            destination.record(HOST, policy, "certificate-not-trusted")
    assert await exchange.results() == [("sts", "certificate-not-trusted", HOST, 2)]


# --- DANE -------------------------------------------------------------------------------------------------------------


async def test_dane_believes_a_certificate_nobody_else_does(exchange: Exchange) -> None:
    own = issue("whatever.test", days=(-9, -1))
    await exchange.mx(own)
    exchange.tlsa(3, own)
    assert await exchange.attempt() == "dane"
    assert await exchange.results() == [("tlsa", "", "", 1)]


async def test_dane_believes_what_a_trust_anchor_issued(exchange: Exchange) -> None:
    await exchange.mx(GOOD)
    exchange.tlsa(2, ROOT)
    assert await exchange.attempt() == "dane"


async def test_dane_does_not_believe_another_certificate(exchange: Exchange) -> None:
    mx = await exchange.mx(GOOD)
    exchange.tlsa(3, issue(HOST))
    await refused(exchange, result="tlsa-invalid")
    assert await exchange.results() == [("tlsa", "tlsa-invalid", HOST, 1)]
    assert not [line for line in mx.lines if line.startswith("MAIL")]


async def test_dane_wants_starttls(exchange: Exchange) -> None:
    await exchange.mx(None)
    exchange.tlsa(3, GOOD)
    await refused(exchange, result="starttls-not-supported")


async def test_dane_beats_mta_sts_both_ways(exchange: Exchange) -> None:
    own = issue("whatever.test")
    await exchange.mx(own)
    exchange.sts("enforce", "mx9.far.test")
    exchange.tlsa(3, own)
    assert await exchange.attempt() == "dane"


async def test_a_good_certificate_does_not_help_against_dane(exchange: Exchange) -> None:
    await exchange.mx(GOOD)
    exchange.sts("enforce", HOST)
    exchange.tlsa(3, issue(HOST))
    await refused(exchange, result="tlsa-invalid")


async def test_records_nobody_vouches_for_are_no_records(exchange: Exchange) -> None:
    await exchange.mx(GOOD)
    exchange.tlsa(3, issue(HOST), signed=False)
    assert await exchange.attempt() == "may"
    assert (f"_{exchange.port}._tcp.{HOST}", "TLSA") not in exchange.zone.asked


async def test_records_below_an_unsigned_domain_are_no_records(exchange: Exchange) -> None:
    await exchange.mx(GOOD)
    exchange.tlsa(3, issue(HOST), signed=False)
    exchange.zone.signed.add(HOST)  # the server's own zone: who leads there is not authentic
    assert await exchange.attempt() == "may"


async def test_unusable_records_ask_for_tls_and_for_no_name(exchange: Exchange) -> None:
    await exchange.mx(issue("elsewhere.test"))
    exchange.tlsa(1, GOOD)  # PKIX-EE
    assert await exchange.attempt() == "encrypt"
    assert await exchange.results() == [("tlsa", "tlsa-invalid", HOST, 1)]


async def test_unusable_records_leave_no_way_without_tls(exchange: Exchange) -> None:
    await exchange.mx(None)
    exchange.tlsa(0, GOOD)
    await refused(exchange, result="starttls-not-supported")


async def test_an_enforced_policy_holds_beside_unusable_records(exchange: Exchange) -> None:
    await exchange.mx(issue(HOST))
    exchange.tlsa(1, GOOD)
    exchange.sts("enforce", HOST)
    await refused(exchange, result="certificate-not-trusted")


@pytest.mark.parametrize("fault", ["servfail", "silent"])
async def test_records_that_cannot_be_looked_up_make_mail_wait(
    exchange: Exchange, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mx = await exchange.mx(GOOD)
    exchange.zone.signed.add("far.test")
    exchange.zone.faults[f"_{exchange.port}._tcp.{HOST}"] = fault
    monkeypatch.setattr(exchange.policies._resolver._resolver, "lifetime", 0.2)  # type: ignore[attr-defined]
    await refused(exchange, result="dnssec-invalid")
    assert mx.sessions == 0
    assert await exchange.results() == [("tlsa", "dnssec-invalid", HOST, 1)]


async def test_an_alias_is_looked_behind_and_then_at(exchange: Exchange) -> None:
    exchange.zone.signed |= {"far.test", "else.test"}
    exchange.zone.add("alias.far.test", "CNAME", "real.else.test.")
    exchange.zone.add("real.else.test", "A", "127.0.0.2")
    policies, name = exchange.policies, f"_{exchange.port}._tcp"
    exchange.zone.add(f"{name}.alias.far.test", "TLSA", f"3 1 1 {'ab' * 32}")
    (policy,) = (await policies.of("far.test", ["alias.far.test"])).steps("alias.far.test")
    assert (policy.hostname, set(policy.names)) == ("alias.far.test", {"alias.far.test", "far.test"})
    policies._resolver = SystemResolver([f"127.0.0.1:{exchange.zone.port}"])
    exchange.zone.add(f"{name}.real.else.test", "TLSA", f"3 1 1 {'cd' * 32}")
    (policy,) = (await policies.of("far.test", ["alias.far.test"])).steps("alias.far.test")
    assert (policy.hostname, policy.tlsa[0].data) == ("real.else.test", b"\xcd" * 32)


# --- what the sender asks for -----------------------------------------------------------------------------------------


async def test_a_message_that_requires_tls_goes_to_who_proves_itself_and_promises_the_same(exchange: Exchange) -> None:
    await exchange.mx(GOOD, "REQUIRETLS")
    exchange.tlsa(3, GOOD)
    assert await exchange.attempt(require=True) == "dane"


@pytest.mark.parametrize("mode", ["enforce", "testing"])
async def test_a_policy_proves_a_server_in_testing_too(exchange: Exchange, mode: str) -> None:
    await exchange.mx(GOOD, "REQUIRETLS")
    exchange.sts(mode, HOST)
    assert await exchange.attempt(require=True) == "sts"


async def test_a_server_that_promises_nothing_does_not_get_what_requires_tls(exchange: Exchange) -> None:
    await exchange.mx(GOOD)
    exchange.sts("enforce", HOST)
    error = await refused(exchange, code=550, result="validation-failure", require=True)
    assert str(error).startswith("5.7.30 ")
    assert await exchange.results() == [("sts", "", "", 1)]  # the domain's own policy was kept


async def test_a_server_nothing_proves_does_not_get_what_requires_tls(exchange: Exchange) -> None:
    mx = await exchange.mx(GOOD, "REQUIRETLS")
    error = await refused(exchange, code=550, result="validation-failure", require=True)
    assert str(error).startswith("5.7.10 ")
    assert mx.sessions == 0


@pytest.mark.parametrize("fault", ["page", "record"])
async def test_what_requires_tls_waits_while_nobody_knows_the_policy(exchange: Exchange, fault: str) -> None:
    exchange.sts("enforce", HOST)
    if fault == "page":
        exchange.pages.clear()
    else:
        exchange.zone.faults["_mta-sts.far.test"] = "servfail"
    await refused(exchange, code=0, result="validation-failure", require=True)


async def test_a_bad_certificate_is_no_reason_to_send_what_requires_tls(exchange: Exchange) -> None:
    await exchange.mx(issue(HOST), "REQUIRETLS")
    exchange.sts("testing", HOST)
    await refused(exchange, result="certificate-not-trusted", require=True)


async def test_a_sender_who_does_not_mind_overrules_the_domain(exchange: Exchange) -> None:
    await exchange.mx(None)
    exchange.sts("enforce", "mx9.far.test")
    exchange.tlsa(3, GOOD)
    assert await exchange.attempt(optional=True) == "may"
    assert await exchange.results() == []


@pytest.mark.parametrize(
    ("header", "optional"),
    [
        (b"From: a@b.test\r\nTLS-Required: No\r\n\r\n", True),
        (b"tls-required:\r\n nO (it is a report)\r\n\r\n", True),
        (b"TLS-Required: Yes\r\n\r\n", False),
        (b"TLS-Required: No, really\r\n\r\n", False),
        (b"TLS-Required: No\r\nTLS-Required: No\r\n\r\n", False),
        (b"X-TLS-Required: No\r\n\r\nTLS-Required: No\r\n", False),
        (b"", False),
    ],
)
def test_a_header_says_that_the_sender_does_not_mind(header: bytes, optional: bool) -> None:
    assert says_optional(header) is optional


async def test_requiring_tls_overrules_not_minding(exchange: Exchange) -> None:
    await exchange.mx(None)
    exchange.tlsa(3, GOOD)
    with pytest.raises(Untrusted):
        await exchange.attempt(require=True, optional=True)


async def test_an_address_for_a_domain_has_no_policy(exchange: Exchange) -> None:
    for literal, name in (("[127.0.0.2]", "127.0.0.2"), ("[IPv6:::1]", "::1")):
        destination = await exchange.policies.of(literal, [literal])
        assert [(p.kind, p.hostname) for p in destination.steps(literal)] == [("may", name), ("clear", name)]
        with pytest.raises(Untrusted):
            (await exchange.policies.of(literal, [literal], require=True)).steps(literal)
    assert exchange.zone.asked == []


async def test_the_smarthost_has_its_own_mode(exchange: Exchange) -> None:
    policies = exchange.policies
    for mode, verified in (("starttls", True), ("tls", True), ("none", False)):
        outbound = Outbound(smarthost="relay.test:587", smarthost_tls=mode)
        relay = Relays.of(Config(outbound=outbound)).to("far.test")
        (policy,) = (await policies.of("far.test", ["relay.test"], relay=relay)).steps("relay.test")
        assert policy.kind == "own"
        assert (policy.context is not None) is verified
        required = await policies.of("far.test", ["relay.test"], require=True, relay=relay)
        if verified:
            assert required.steps("relay.test")[0].require
        else:
            with pytest.raises(Untrusted, match=r"5\.7\.10"):
                required.steps("relay.test")
    assert exchange.zone.asked == []
    assert await exchange.results() == []


# --- what is written down ---------------------------------------------------------------------------------------------


def counted() -> float:
    return metrics.REGISTRY.get_sample_value("gk_tls_sessions_total", {"policy": "sts", "result": "success"}) or 0


async def test_sessions_are_a_metric(exchange: Exchange) -> None:
    before = counted()
    await exchange.mx()
    exchange.sts("enforce", HOST)
    await exchange.attempt()
    assert counted() == before + 1


async def test_results_are_bounded_in_days_and_rows(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_module, "RESULTS", 3)
    records, today = exchange.store.tls, int(time.time()) // DAY
    results = {TlsResult(today - ago, f"d{ago}.test", "sts", "", ""): 1 for ago in (0, 1, 2, 3, 91)}
    await records.count(results, [], today * DAY)
    assert [bool(records.results(today - ago)) for ago in (0, 1, 2, 3, 91)] == [True, True, True, False, False]


async def test_no_more_kinds_of_results_are_counted_than_fit(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_module, "KINDS", 2)
    for number in (1, 2, 3, 1):
        exchange.policies.tally(f"d{number}.test", "sts", "", HOST)
    await exchange.policies.flush()
    found = exchange.store.tls.results(int(time.time()) // DAY)
    assert [(result.domain, sessions) for result, sessions in found] == [("d1.test", 2), ("d2.test", 1)]


async def test_results_are_written_when_the_service_stops(exchange: Exchange) -> None:
    async with supervise(exchange.policies):
        exchange.policies.tally("far.test", "sts", "", HOST)
    assert exchange.store.tls.results(int(time.time()) // DAY)


async def test_what_cannot_be_written_now_is_kept(exchange: Exchange) -> None:
    exchange.policies.tally("far.test", "sts", "", HOST)
    exchange.store.commits.fail("the disk is gone")
    await exchange.policies.flush()
    assert sum(exchange.policies._tally.values()) == 1


async def test_the_service_renews_policies_at_its_start(exchange: Exchange) -> None:
    exchange.sts("enforce", HOST)
    await exchange.of()
    kept = exchange.store.tls.policy("far.test")
    assert kept is not None
    await exchange.store.tls.keep("far.test", dataclasses.replace(kept, fetched=kept.fetched - 2 * DAY))
    await exchange.store.tls.count({}, ["far.test"], int(time.time()))
    async with supervise(exchange.policies), asyncio.timeout(PATIENCE):
        while (policy := exchange.store.tls.policy("far.test")) is None or policy.fetched < kept.fetched:
            await asyncio.sleep(0)


# --- authorities ------------------------------------------------------------------------------------------------------


def test_the_authorities_come_from_the_configured_file_or_the_system(tmp_path: Path) -> None:
    assert authorities(Config()).verify_mode == ssl.CERT_REQUIRED
    config = Config(outbound=Outbound(tls_ca="ca.pem"), path=tmp_path / "gk.toml")
    with pytest.raises(ConfigError, match="tls_ca must be"):
        authorities(config)
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(ConfigError, match="tls_ca must be"):
        authorities(config)
    ROOT.pem(tmp_path / "ca.pem")
    context = authorities(config)
    assert (context.check_hostname, context.hostname_checks_common_name) == (True, False)
    assert len(context.get_ca_certs()) == 1
