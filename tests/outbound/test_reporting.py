"""Our reports: who gets them, what is in them, and that they are sent once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gk import app
from gk.actions.context import Rooms
from gk.config import Config, Limits
from gk.mailauth import reports
from gk.mailauth.aggregate import Aggregate
from gk.mailauth.arc import NONE
from gk.mailauth.authentic import Authentic, Sent
from gk.mailauth.dkim import Dkim
from gk.mailauth.dmarc import Dmarc, parse
from gk.mailauth.iprev import Iprev
from gk.mailauth.questions import Questions
from gk.mailauth.signing import Signer
from gk.mailauth.spf import Spf
from gk.mailauth.tally import Tally
from gk.mailauth.tlsrpt import TlsReport
from gk.outbound.report_mail import mailto
from gk.outbound.reporting import Reporting, tls_wanted, wanted
from gk.store.tls import DAY, TlsResult
from tests.mailauth.signed import results
from tests.mailauth.table import Table
from tests.mailauth.verifiers import records

ALICE = "alice@example.test"
TODAY = 20_500
POLICY = "v=DMARC1; p=reject; sp=none; aspf=s; rua=mailto:dmarc@a.test"


@pytest.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[Rooms]:
    config = Config(domains=("example.test",), data=tmp_path / "data", limits=Limits(free_space_bytes=0))
    async with app.rooms(config) as here:
        await here.store.accounts.add(ALICE, None)
        here.names.keys.ensure(["example.test"])
        yield here


def reporting(rooms: Rooms, names: Table, day: int = TODAY) -> Reporting:
    signer = Signer(rooms.names.keys)
    return Reporting(
        rooms.store, rooms.directory, names, signer, "mail.example.test", ALICE, lambda: day * DAY + 20_000.0
    )


def seen(result: str = "fail", domain: str = "a.test", policy: str = POLICY, address: str = "192.0.2.1") -> Authentic:
    record = parse("a.test", policy.encode())
    assert record is not None
    aligned = ("dkim:a.test",) if result == "pass" else ()
    signature = Dkim("pass" if aligned else "fail", "a.test", "s", "rsa-sha256")
    judged = Dmarc(result, domain, record.p, record, aligned)
    return Authentic(Spf("softfail", "b.test"), (signature,), (judged,), NONE, Iprev("fail", address))


def sent(address: str = "192.0.2.1") -> Sent:
    return Sent(address, "mx.b.test", "x@B.test")


async def tallied(rooms: Rooms, *messages: tuple[Authentic, str], day: int = TODAY - 1) -> None:
    tally = Tally(rooms.store.reports, lambda: day * DAY + 5.0)
    for found, done in messages:
        tally.add(found, sent(), done, False)
    await tally.flush()


async def queued(rooms: Rooms) -> list[tuple[str, str, bytes]]:
    """(sender, recipient, message with its signatures) of what waits in the queue."""
    store = rooms.store
    rows = store.reader.execute(
        "SELECT o.message, o.sender, r.address, o.prefix FROM outgoing o JOIN outgoing_recipient r ON r.outgoing = o.id"
        " ORDER BY o.id, r.no"
    ).fetchall()
    found = []
    for message, sender, recipient, prefix in rows:
        content = await store.mailboxes.content_of(message)
        assert content is not None
        found.append((sender, recipient, prefix + content.read()))
        content.close()
    return found


async def test_what_was_counted_is_reported_once_and_erased(rooms: Rooms) -> None:
    await tallied(rooms, (seen(), "reject"), (seen(), "reject"), (seen("pass"), "none"), (seen(), "quarantine"))
    await tallied(rooms, (seen("temperror"), "none"), (seen(policy="v=DMARC1; p=reject"), "reject"))
    await tallied(rooms, (seen(), "reject"), day=TODAY)
    names = Table()
    service = reporting(rooms, names)
    assert await service.send() == 1
    ((sender, recipient, message),) = await queued(rooms)
    assert (sender, recipient) == ("", "dmarc@a.test")
    assert [one.result for one in results(message, _published(rooms))] == ["pass", "pass"]
    assert b"\r\nSubject: Report Domain: a.test Submitter: mail.example.test" in message
    found = reports.read(message)
    assert isinstance(found, Aggregate)
    assert (found.organisation, found.email) == ("mail.example.test", ALICE)
    assert (found.begin, found.end) == ((TODAY - 1) * DAY, TODAY * DAY - 1)
    published = found.published
    assert (published.p, published.sp, published.adkim, published.aspf) == ("reject", "none", "r", "s")
    rows = {(r.messages, r.disposition, r.dkim, r.spf, r.sender, r.spf_result, *r.reasons) for r in found.rows}
    assert rows == {
        (2, "reject", "fail", "fail", "b.test", "softfail"),
        (1, "pass", "pass", "fail", "b.test", "softfail"),
        (1, "quarantine", "fail", "fail", "b.test", "softfail", "local_policy"),
    }
    assert await service.send() == 0
    assert rooms.store.reports.due(TODAY + 5, 10) == [(TODAY, "a.test")]


async def test_nobody_gets_reports_who_did_not_ask_for_them(rooms: Rooms) -> None:
    names = Table()
    names.txt("b.test._report._dmarc.lent.test", "v=DMARC1")
    names.txt("a.test._report._dmarc.yes.test", "v=DMARC1;")
    names.txt("a.test._report._dmarc.other.test", "v=DMARC1; rua=mailto:real@other.test")
    names.txt("a.test._report._dmarc.evil.test", "v=DMARC1; rua=mailto:victim@victim.test")
    names.txt("a.test._report._dmarc.no.test", "v=spf1 -all")
    names.txt("_dmarc.a.test", "v=DMARC1; p=none")
    rua = ["https://a.test/r", "mailto:x@sub.a.test!10m"]
    rua += [f"mailto:x@{name}.test" for name in ("lent", "yes", "other", "evil", "no")]
    found = await wanted("a.test", rua, Questions(names, 5))
    assert [str(a) for a in found] == ["x@sub.a.test", "x@yes.test", "real@other.test", "x@evil.test"]
    assert len(await wanted("a.test", [f"mailto:x{n}@a.test" for n in range(50)], Questions(names, 5))) == 5
    await tallied(rooms, (seen(policy=POLICY.replace("dmarc@a.test", "x@victim.test")), "reject"))
    assert await reporting(rooms, names).send() == 0
    assert rooms.store.reports.due(TODAY, 10) == []


async def test_a_dns_that_is_silent_is_asked_again_for_two_days(rooms: Rooms) -> None:
    await tallied(rooms, (seen(policy=POLICY.replace("dmarc@a.test", "x@yes.test")), "reject"))
    names = Table()
    names.failing.add("a.test._report._dmarc.yes.test")
    assert await reporting(rooms, names).send() == 0
    assert rooms.store.reports.due(TODAY, 10) == [(TODAY - 1, "a.test")]
    names.failing.clear()
    names.txt("a.test._report._dmarc.yes.test", "v=DMARC1")
    assert await reporting(rooms, names).send() == 1


async def test_tls_results_are_reported_to_those_who_want_to_hear_of_them(rooms: Rooms) -> None:
    day = TODAY - 1
    counted = {
        TlsResult(day, "a.test", "sts", "", ""): 7,
        TlsResult(day, "a.test", "sts", "certificate-expired", "mx.a.test"): 2,
        TlsResult(day, "a.test", "no-policy-found", "", ""): 1,
        TlsResult(day, "quiet.test", "sts", "", ""): 1,
        TlsResult(TODAY, "a.test", "sts", "", ""): 100,
    }
    await rooms.store.tls.count(counted, (), TODAY * DAY)
    names = Table()
    names.txt("_smtp._tls.a.test", "v=TLSRPTv1; rua=https://a.test/tls,mailto:tls@a.test")
    assert await reporting(rooms, names).send() == 1
    ((sender, recipient, message),) = await queued(rooms)
    assert (sender, recipient) == ("", "tls@a.test")
    assert b"\r\nTLS-Report-Domain: a.test\r\n" in message and b"\r\nTLS-Required: No\r\n" in message
    assert [one.result for one in results(message, _published(rooms))] == ["pass", "pass"]
    found = reports.read(message)
    assert isinstance(found, TlsReport) and found.begin.endswith("T00:00:00Z") and found.end.endswith("T23:59:59Z")
    assert [(p.kind, p.domain, p.successes, p.failures) for p in found.policies] == [
        ("no-policy-found", "a.test", 1, 0),
        ("sts", "a.test", 7, 2),
    ]
    assert [(d.result, d.mx, d.sessions) for d in found.policies[1].details] == [
        ("certificate-expired", "mx.a.test", 2)
    ]
    assert await reporting(rooms, names).send() == 0


async def test_reports_to_an_address_of_ours_are_delivered_here(rooms: Rooms) -> None:
    policy = POLICY.replace("dmarc@a.test", f"{ALICE},mailto:dmarc@a.test")
    await tallied(rooms, (seen(policy=policy), "reject"))
    names = Table()
    names.txt("a.test._report._dmarc.example.test", "v=DMARC1")
    assert await reporting(rooms, names).send() == 1
    assert [recipient for _, recipient, _ in await queued(rooms)] == ["dmarc@a.test"]
    inbox = rooms.store.mailboxes.get(rooms.store.accounts.get(ALICE).id, "INBOX")
    assert rooms.store.mailboxes.status(inbox).messages == 1


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ("v=TLSRPTv1; rua=mailto:tls@a.test", ["tls@a.test"]),
        ("v=TLSRPTv1;rua=mailto:a@a.test, mailto:b@b.test", ["a@a.test", "b@b.test"]),
        ("v=TLSRPTv2; rua=mailto:tls@a.test", []),
        ("v=TLSRPTv1", []),
        ("v=TLSRPTv1; rua=" + "mailto:x@a.test," * 5000, ["x@a.test"]),
        ("v=TLSRPTv1; rua=mailto:,mailto:@,mailto:x@,mailto:x%0d%0ay@a.test,mailto:%40", []),
    ],
)
async def test_the_record_of_tls_reports_is_read(record: str, found: list[str]) -> None:
    names = Table()
    names.txt("_smtp._tls.a.test", record)
    assert [str(address) for address in await tls_wanted("a.test", Questions(names, 5))] == found


def test_a_destination_is_an_address_or_nothing() -> None:
    assert str(mailto("MAILTO:a%2Bb@a.test!10M?subject=x")) == "a+b@a.test"
    assert mailto("https://a.test/") is None and mailto("mailto:a b") is None


async def test_a_flood_of_sources_is_counted_in_part(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gk.mailauth.tally.KINDS", 3)
    tally = Tally(rooms.store.reports, lambda: TODAY * DAY)
    for number in range(10):
        tally.add(seen(), sent(f"192.0.2.{number}"), "reject", False)
    tally.add(seen(), sent("192.0.2.0"), "reject", False)
    await tally.flush()
    assert [messages for _, messages in rooms.store.reports.rows(TODAY, "a.test")] == [2, 1, 1]


def _published(rooms: Rooms) -> dict[str, bytes]:
    return {name: text.encode() for name, text in records(rooms.names.keys, "example.test").items()}
