"""Mail whose sender is not who it seems, brought to a whole server: refused, junk, or named for what it is."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.flows.conftest import ALICE, House, house
from tests.flows.test_judged import OURS, THEIRS, deliver, results
from tests.mailauth.signed import TEXT, Author
from tests.mailauth.test_spf import txt

REST = TEXT.partition(b"\r\n")[2]


@pytest.fixture(scope="module")
def eve(tmp_path_factory: pytest.TempPathFactory) -> Author:
    return Author(tmp_path_factory.mktemp("keys"), "evil.test")


@pytest.fixture
async def gk(tmp_path: Path, eve: Author) -> AsyncIterator[House]:
    """a.test asks to refuse forgeries, q.test for junk; evil.test proves all that it sends itself."""
    async with house(tmp_path, judge="[judge]\ntrusted = []") as opened:
        for name, record in eve.published.items():
            opened.zone.add(name, "TXT", txt(record.decode()))
        for domain, client, policy in (("a", OURS, "reject"), ("q", OURS, "quarantine"), ("evil", THEIRS, "reject")):
            opened.zone.add(f"{domain}.test", "TXT", txt(f"v=spf1 ip4:{client} -all"))
            opened.zone.add(f"_dmarc.{domain}.test", "TXT", txt(f"v=DMARC1; p={policy}"))
        yield opened


def of(author: bytes) -> bytes:
    return b"From: " + author + b"\r\n" + REST


REFUSED = [
    b"Ann <ann@a.test>", b"ann@A.TEST", b'"ann@evil.test" <ann@a.test>', b"Ann <ann@sub.a.test>",
    b"eve@evil.test, ann@a.test", b"friends: eve@evil.test, ann@a.test;", b"<eve@evil.test> <ann@a.test>",
    b"Ann <@evil.test:ann@a.test>", b"Ann <ann@a(really).test>", b"Ann <ann@a.test", b"Ann <ann@evil@a.test>",
    b"eve@evil.test\r\nFrom: ann@a.test", b"eve@evil.test\r\nFROM : ann@a.test", b"\r\n Ann <ann@a.test>",
    b"eve@evil.test\r\n" + b"X-Filler: x\r\n" * 500 + b"From: ann@a.test",
]  # fmt: skip


async def test_an_author_somebody_else_signs_for_is_refused(gk: House, eve: Author) -> None:
    for author in REFUSED:
        code, reply = await deliver(gk, eve.sign(of(author)), sender="eve@evil.test")
        assert (code, reply[:5]) == (550, b"5.7.1"), author
    assert await gk.inbox() == [] == await gk.inbox(ALICE, "Junk")


JUNK = [
    b"Bob <bob@q.test>", b'"ann@a.test"', b"=?utf-8?q?ann=40a.test?=", b"Ann <ann@a..test>", b"Ann <ann@a.test\xff>",
    "Ann <ann@a\u3002test>".encode(), b", ".join(b"x%d@evil%d.test" % (n, n) for n in range(20)),
    b"eve@evil.test\r\n" + b"X-Filler: x\r\n" * 2500 + b"From: ann@a.test",
]  # fmt: skip


async def test_an_author_nobody_can_ask_about_is_junk(gk: House, eve: Author) -> None:
    for author in JUNK:
        assert (await deliver(gk, eve.sign(of(author)), sender="eve@evil.test"))[0] == 250, author
    assert await gk.inbox() == []
    junk = await gk.inbox(ALICE, "Junk")
    assert len(junk) == len(JUNK)
    for message in junk:
        assert {r.result for r in results(message).results if r.method == "dmarc"} & {"fail", "permerror"}


HONEST = [
    b"ann@a.test <eve@evil.test>", b'"Ann (ann@a.test)" <eve@evil.test>', b"eve@evil.test (ann@a.test)",
    b'"ann@a.test"@evil.test', b"ann%a.test@evil.test", b"eve@evil.test\r\nSender: ann@a.test",
    b"eve@evil.test\r\nReply-To: ann@a.test", b"eve@evil.test\r\nResent-From: ann@a.test",
]  # fmt: skip


async def test_words_that_look_like_another_author_prove_nothing_for_that_one(gk: House, eve: Author) -> None:
    forged = b"Authentication-Results: mail.example.test; dmarc=pass header.from=a.test\r\n"
    for author in HONEST:
        assert (await deliver(gk, forged + eve.sign(of(author)), sender="eve@evil.test"))[0] == 250
    found = await gk.inbox()
    assert len(found) == len(HONEST)
    for message in found:
        (dmarc,) = [r for r in results(message).results if r.method == "dmarc"]
        assert (dmarc.result, [p.value for p in dmarc.properties]) == ("pass", ["evil.test"])
        assert forged not in message


async def test_neither_a_null_sender_nor_the_right_one_helps_a_forger(gk: House, eve: Author) -> None:
    for sender in ("", "ann@a.test", "ANN@A.test", '"; dmarc=pass"@evil.test'):
        assert (await deliver(gk, eve.sign(TEXT), sender=sender))[0] == 550
    assert (await deliver(gk, TEXT, sender="ann@a.test", client=OURS))[0] == 250


async def test_a_signature_that_was_broken_or_borrowed_proves_nothing(gk: House, eve: Author) -> None:
    signed = eve.sign(of(b"eve@evil.test"))
    for broken in (
        signed.replace(b"Hello.", b"Hello!"),
        signed.replace(b"Subject: hello", b"Subject: other"),
        signed.replace(b"d=evil.test", b"d=a.test"),
        signed.replace(b"From: eve@evil.test", b"From: ann@a.test"),
        eve.sign(of(b"ann@evil.test"))[: -len(REST)] + b"From: eve@evil.test\r\n" + REST,
    ):
        assert broken != signed
        assert (await deliver(gk, broken, sender="x@other.test", client=OURS))[0] == 550


async def test_names_that_lead_in_circles_refuse_nobody(gk: House) -> None:
    gk.zone.add("c.test", "CNAME", "d.test.")
    gk.zone.add("d.test", "CNAME", "c.test.")
    gk.zone.add("e.test", "TXT", txt("v=spf1 include:f.test -all"))
    gk.zone.add("f.test", "TXT", txt("v=spf1 include:e.test -all"))
    for domain, result in (("c", "temperror"), ("e", "permerror")):
        content = TEXT.replace(b"ann@a.test", f"x@{domain}.test".encode())
        assert (await deliver(gk, content, sender=f"x@{domain}.test"))[0] == 250
        found = {(r.method, r.result) for r in results((await gk.inbox())[-1]).results}
        assert ("spf", result) in found
