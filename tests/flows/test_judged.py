"""Mail from strangers, forged and authentic, small, large and in chunks: what becomes of it, and why."""

import asyncio
import contextlib
import email
import os
import re
import signal
import smtplib
from collections.abc import AsyncIterator
from pathlib import Path

import authres
import dkim
import pytest

from gk.mailauth.arc import Sealer
from tests.flows.conftest import ALICE, BOB, House, house
from tests.mailauth.signed import TEXT, Author
from tests.mailauth.test_spf import txt
from tests.mailauth.verifiers import records

OURS, THEIRS = "127.0.0.8", "127.0.0.9"  # of clients: SPF allows the first
LARGE = TEXT + b"A line that makes the message large, again and again.\r\n" * 12_000  # 650 KB


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Author:
    return Author(tmp_path_factory.mktemp("keys"))


@pytest.fixture
async def gk(tmp_path: Path, author: Author) -> AsyncIterator[House]:
    async with house(tmp_path, judge="[judge]\ntrusted = []") as opened:
        for name, record in author.published.items():
            opened.zone.add(name, "TXT", txt(record.decode()))
        opened.zone.add("a.test", "TXT", txt(f"v=spf1 ip4:{OURS} -all"))
        opened.zone.add("_dmarc.a.test", "TXT", txt("v=DMARC1; p=reject"))
        opened.zone.add("_dmarc.q.test", "TXT", txt("v=DMARC1; p=quarantine"))
        opened.zone.add("8.0.0.127.in-addr.arpa", "PTR", "mx.a.test.")
        opened.zone.add("mx.a.test", "A", OURS)
        yield opened


async def deliver(
    gk: House,
    content: bytes,
    *recipients: str,
    sender: str = "ann@a.test",
    client: str = THEIRS,
    chunks: bool = False,
) -> tuple[int, bytes]:
    """Bring a message as another server does; the reply to it."""

    def work() -> tuple[int, bytes]:
        with smtplib.SMTP("127.0.0.1", gk.ports["mx"], "mx.a.test", 20, source_address=(client, 0)) as server:
            server.ehlo()
            server.mail(sender)
            for address in recipients or (ALICE,):
                assert server.rcpt(address)[0] == 250
            if not chunks:
                return server.data(content)
            half = len(content) // 2
            for last, piece in (("", content[:half]), (" LAST", content[half:])):
                server.send(f"BDAT {len(piece)}{last}\r\n".encode() + piece)
                code, reply = server.getreply()
            return code, reply

    return await asyncio.to_thread(work)


def results(message: bytes) -> authres.AuthenticationResultsHeader:
    """Our Authentication-Results, read by another library; the only one with our name."""
    fields = email.message_from_bytes(message).get_all("Authentication-Results") or []
    (field,) = [f for f in fields if f.startswith("mail.example.test")]
    return authres.AuthenticationResultsHeader.parse("Authentication-Results: " + re.sub(r"\s+", " ", field))


@pytest.mark.parametrize("text", [TEXT, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("chunks", [False, True], ids=["DATA", "BDAT"])
async def test_a_signed_message_passes_and_says_so(gk: House, author: Author, text: bytes, chunks: bool) -> None:
    code, _ = await deliver(gk, author.sign(text), sender="x@other.test", chunks=chunks)
    assert code == 250
    (message,) = await gk.inbox()
    assert message.endswith(author.sign(text)[-len(text) :])
    found = {(r.method, r.result) for r in results(message).results}
    assert found >= {("dkim", "pass"), ("dmarc", "pass"), ("spf", "none"), ("arc", "none")}
    assert re.match(rb"Return-Path: <x@other.test>\r\nDelivered-To: [^\r]+\r\nAuthentication-Results: ", message)


async def test_the_domains_own_server_passes_without_a_signature(gk: House) -> None:
    assert (await deliver(gk, TEXT, client=OURS))[0] == 250
    (message,) = await gk.inbox()
    found = {(r.method, r.result) for r in results(message).results}
    assert found >= {("spf", "pass"), ("dkim", "none"), ("dmarc", "pass"), ("iprev", "pass")}


@pytest.mark.parametrize("text", [TEXT, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("chunks", [False, True], ids=["DATA", "BDAT"])
async def test_a_forgery_is_refused_where_its_domain_asks_for_that(
    gk: House, author: Author, text: bytes, chunks: bool
) -> None:
    forged = author.sign(text)[:-3] + b"!\r\n"
    code, reply = await deliver(gk, forged, ALICE, BOB, chunks=chunks)
    assert (code, reply[:5]) == (550, b"5.7.1")
    (refused,) = (await gk.act("rejects_list"))["rejects"]
    assert refused["action"] == "refuse" and refused["reason"].startswith("dmarc_decides: fail for ")
    shown = await gk.act("rejects_show", id=refused["id"])
    assert shown["told"]["results"]["dmarc"] == ["fail"] and shown["told"]["recipients"] == refused["recipients"]
    assert await gk.inbox() == [] and list((gk.data / "spool").iterdir()) == []


@pytest.mark.parametrize("text", [TEXT, LARGE], ids=["small", "large"])
async def test_a_forgery_is_junk_for_everybody_where_its_domain_asks_for_that(gk: House, text: bytes) -> None:
    forged = text.replace(b"ann@a.test", b"ann@q.test")
    assert (await deliver(gk, forged, ALICE, BOB))[0] == 250
    for address in (ALICE, BOB):
        assert await gk.inbox(address) == []
        (message,) = await gk.inbox(address, "Junk")
        assert ("dmarc", "fail") in {(r.method, r.result) for r in results(message).results}


async def test_results_in_our_name_are_never_a_strangers(gk: House) -> None:
    forged = b"Authentication-Results: MAIL.example.test; dmarc=pass header.from=a.test\r\n" * 1000
    forged += b"Authentication-Results: (x) mail.example.test/1; dmarc=pass\r\n" * 100
    others = b"Authentication-Results: elsewhere.test; spf=pass\r\n"
    assert (await deliver(gk, others + forged + TEXT, client=OURS))[0] == 250
    (message,) = await gk.inbox()
    assert message.count(b"Authentication-Results:") == 2 and others in message
    assert ("dmarc", "pass") in {(r.method, r.result) for r in results(message).results}


async def test_a_dns_that_does_not_answer_refuses_nobody(gk: House, author: Author) -> None:
    for name in ("a.test", "_dmarc.a.test", *author.published):
        gk.zone.faults[name] = "servfail"
    assert (await deliver(gk, author.sign()))[0] == 250
    (message,) = await gk.inbox()
    found = [(r.method, r.result) for r in results(message).results]
    assert found[:4] == [("spf", "temperror"), ("dkim", "temperror"), ("dkim", "temperror"), ("dmarc", "temperror")]


async def test_a_killed_verifier_loses_nothing(gk: House, author: Author) -> None:
    message = author.sign(LARGE)
    stop = asyncio.Event()

    async def kill() -> int:
        killed = 0
        while not stop.is_set():
            for pid in await asyncio.to_thread(_verifiers):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
            await asyncio.wait([asyncio.ensure_future(stop.wait())], timeout=0.2)
        return killed

    killing = asyncio.ensure_future(kill())
    replies = []
    for _ in range(4):  # no more at once: clients and server share the threads of this process
        replies += await asyncio.gather(*(deliver(gk, message) for _ in range(3)))
    stop.set()
    assert await killing > 0
    assert [code for code, _ in replies] == [250] * 12
    assert len(await gk.inbox()) == 12


async def test_what_users_send_and_what_trusted_clients_bring_is_not_judged(gk: House, tmp_path: Path) -> None:
    await gk.submit(TEXT.replace(b"ann@a.test", ALICE.encode()), BOB)
    (message,) = await gk.inbox(BOB)
    assert b"Authentication-Results" not in message
    (tmp_path / "second").mkdir()
    async with house(tmp_path / "second") as second:
        assert (await deliver(second, TEXT))[0] == 250
        (message,) = await second.inbox()
        assert b"Authentication-Results" not in message


def _verifiers() -> list[int]:
    """The verifying processes of this one."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"gk.mailauth.child" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def chain(message: bytes, published: dict[str, bytes]) -> tuple[bytes, int]:
    """What another library says of the received chain: its status, and how many sets there are."""
    status, sets, _ = dkim.arc_verify(message, dnsfunc=lambda name, timeout=5: published.get(name.decode()[:-1]))
    return status, len(sets)


@pytest.mark.parametrize("text", [TEXT, LARGE], ids=["small", "large"])
async def test_what_is_handed_on_bears_our_seal_above_the_chain_it_came_with(
    gk: House, author: Author, text: bytes
) -> None:
    far = await gk.stranger("far.test")
    published = author.published | {n: t.encode() for n, t in records(gk.rooms.names.keys, "example.test").items()}
    for sealed_by_others in (False, True):
        message = author.sign(text)
        if sealed_by_others:
            seen = b"Authentication-Results: list.test; dmarc=pass; arc=none\r\n"
            message = await Sealer(author.keys).seal("a.test", message, len(message), seen) + message
        assert (await deliver(gk, message, "away@example.test", sender="x@other.test"))[0] == 250
        handed = (await far.message()).content
        assert handed.endswith(message)
        assert chain(handed, published) == (b"pass", 1 + sealed_by_others)
        head = handed[: -len(message)]
        assert head.startswith(b"ARC-Seal: i=%d; a=rsa-sha256; d=example.test;" % (1 + sealed_by_others))
        (ours,) = re.findall(rb"ARC-Authentication-Results: i=\d; mail\.example\.test;(?s:.*?)\r\n(?=\S)", head)
        assert b"dkim=pass header.d=a.test" in ours and b"dmarc=pass (p=reject dis=none) header.from=a.test" in ours


async def test_a_chain_that_is_broken_is_handed_on_without_a_seal(gk: House, author: Author) -> None:
    far = await gk.stranger("far.test")
    seen = b"Authentication-Results: list.test; dmarc=pass; arc=none\r\n"
    message = author.sign()
    seal = await Sealer(author.keys).seal("a.test", message, len(message), seen)
    for broken in (
        seal.replace(b"dmarc=pass", b"dmarc=fail") + message,
        seal.replace(b"cv=none", b"cv=fail") + message,
        seal.replace(b"i=1;", b"i=2;") + message,
    ):
        sender = '"; arc=pass"@other.test'
        assert (await deliver(gk, broken, "away@example.test", sender=sender))[0] == 250
        handed = (await far.message()).content
        assert handed.endswith(broken)
        assert handed.count(b"\r\nARC-Seal:") == 1 and not handed.startswith(b"ARC-")
        assert b"arc=fail" in handed[: -len(broken)]


@pytest.mark.parametrize("sealers", ['trusted_sealers = ["example.test"]', ""], ids=["trusted", "strange"])
async def test_another_server_believes_our_seal_where_it_trusts_us(gk: House, tmp_path: Path, sealers: str) -> None:
    for name, text in records(gk.rooms.names.keys, "example.test").items():
        gk.zone.add(name, "TXT", txt(text))
    gk.zone.domain("far.test", "127.0.0.2")
    (tmp_path / "far").mkdir()
    judge = f"[judge]\ntrusted = []\n{sealers}"
    async with house(tmp_path / "far", judge=judge, domain="far.test", host="127.0.0.2", beside=gk) as far:
        # proved by the client's address alone, which is another one at the next server
        assert (await deliver(gk, TEXT, "round@example.test", client=OURS))[0] == 250
        assert await gk.outcomes() == ["sent" if sealers else "failed"]
        found = await far.inbox("alice@far.test")
        assert len(found) == bool(sealers)
        for message in found:
            assert b"arc=pass (i=1 by example.test)" in message and b"dmarc=fail (p=reject dis=none)" in message
