"""Mail from an address elsewhere leaves by the server of that account, for its owner alone."""

import asyncio
import logging
import smtplib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gk.errors import Refused
from tests.dovecot import USER, dovecot
from tests.flows.answering import DRAFTS, ZOE, answering, letter, says, settled
from tests.flows.conftest import ALICE, BOB, House, house, mail
from tests.flows.postfix import postfix
from tests.inbound.remote.hostile import Peer
from tests.server import PASSWORD
from tests.strangers import PATIENCE, Mx, Received, free_port

ANN = "ann@postfix.test"
REMOTE = """
[[remote]]
name = "work"
address = "{ann}"
owner = "{owner}"
host = "127.0.0.1"
port = {imap}
tls = false
user = "{user}"
password_file = "password"
smtp_host = "127.0.0.1"
smtp_port = {smtp}
smtp_tls = "none"
"""


def remote(directory: Path, smtp: int, imap: int = 9) -> str:
    secret = directory / "password"
    secret.touch(mode=0o600)
    secret.write_text(PASSWORD)
    return REMOTE.format(ann=ANN, owner=ALICE, imap=imap, smtp=smtp, user=USER)


def sender(got: Received) -> str:
    """Of the envelope, without its parameters."""
    return got.mail.partition(">")[0].removeprefix("<")


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[tuple[House, Mx]]:
    """The server, and the one of the account elsewhere."""
    port = free_port()
    extensions = ("AUTH PLAIN LOGIN", "8BITMIME", "SIZE 100000000")
    async with (
        Mx(extensions=extensions).serve("127.0.0.1", port) as mx,
        house(tmp_path, judge=remote(tmp_path, port)) as gk,
    ):
        yield gk, mx


async def test_it_leaves_by_the_accounts_server_with_its_address(own: tuple[House, Mx]) -> None:
    gk, mx = own
    for envelope in (ANN, ALICE):  # what the author says decides
        await gk.submit(mail(f"by {envelope}", sender=ANN), "zoe@far.test", sender=envelope, login=ALICE)
        got = await mx.message()
        assert (sender(got), got.rcpt) == (ANN, ["<zoe@far.test>"])
        assert b"DKIM-Signature" not in got.content
        assert await gk.outcomes() == ["sent"]
    assert sum(line.startswith("AUTH PLAIN") for line in mx.lines) >= 1
    await gk.act("mail_send", account=ALICE, to=["zoe@far.test"], subject="s", text="t", sender=f"Ann <{ANN}>")
    got = await mx.message()
    assert sender(got) == ANN and f"From: Ann <{ANN}>".encode() in got.content


async def test_nobody_else_may_write_in_its_name(own: tuple[House, Mx]) -> None:
    gk, mx = own
    with pytest.raises(smtplib.SMTPSenderRefused):
        await gk.submit(mail("x", sender=ANN), "zoe@far.test", sender=ANN, login=BOB)
    with pytest.raises(smtplib.SMTPDataError):
        await gk.submit(mail("x", sender=ANN), "zoe@far.test", sender=BOB, login=BOB)
    with pytest.raises(Refused, match="is not an address of"):
        await gk.act("mail_send", account=BOB, to=["zoe@far.test"], subject="s", text="t", sender=ANN)
    assert not mx.lines


async def test_other_mail_of_the_owner_goes_its_usual_way(own: tuple[House, Mx]) -> None:
    gk, mx = own
    far = await gk.stranger("far.test")
    await gk.submit(mail("x"), "zoe@far.test")
    assert sender(await far.message()) == ALICE
    await gk.submit(mail("y", sender=ALICE), "zoe@far.test", sender=ANN, login=ALICE)
    assert sender(await far.message()) == ALICE
    assert not mx.lines


async def test_who_wrote_is_told_of_a_refusal(own: tuple[House, Mx]) -> None:
    gk, mx = own
    mx.replies["RCPT"] = b"550 5.1.1 nobody\r\n"
    await gk.submit(mail("x", sender=ANN), "zoe@far.test", sender=ANN, login=ALICE)
    assert await gk.outcomes() == ["failed"]
    (report,) = await gk.reports()
    assert report.recipients[0]["final-recipient"].endswith("zoe@far.test")


async def test_a_server_that_is_down_keeps_nobody_elses_mail_from_that_domain(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with house(tmp_path, judge=remote(tmp_path, free_port())) as gk:
        far = await gk.stranger("far.test")
        for number in range(12):
            await gk.submit(mail(f"{number}", sender=ANN), "zoe@far.test", sender=ANN, login=ALICE)
        assert set(await gk.outcomes(12)) == {"deferred"}
        assert "domain_put_off" not in caplog.text
        await gk.submit(mail("other", sender=BOB), "zoe@far.test", sender=BOB)
        assert sender(await far.message()) == BOB
        assert await gk.outcomes() == ["sent"]


async def test_postfix_takes_it_from_the_user_who_logged_in(tmp_path: Path) -> None:
    smtp, sasl = free_port(), free_port()
    root = tmp_path / "dovecot"
    root.mkdir()
    with dovecot(root, sasl=sasl) as there, postfix("127.0.0.1", smtp, free_port(), sasl=sasl) as post:
        async with house(tmp_path, judge=remote(tmp_path, smtp, there.port)) as gk:
            await gk.submit(mail("hello", sender=ANN), "zoe@postfix.test", sender=ANN, login=ALICE)
            assert await gk.outcomes() == ["sent"]
            content = post.message()
            assert f"(Authenticated sender: {USER})".encode() in content
            assert f"Return-Path: <{ANN}>".encode() in content


async def test_a_draft_of_an_answer_is_from_the_address_the_mail_was_for_and_leaves_by_its_server(
    tmp_path: Path,
) -> None:
    smtp = free_port()
    sent = Mx(extensions=("AUTH PLAIN LOGIN", "8BITMIME"))
    now = time.strftime("%d-%b-%Y %H:%M:%S +0000", time.gmtime()).encode()

    def dated(peer: Peer, name: str, rest: str) -> bytes:
        return peer.honest(name, rest).replace(b"01-Feb-2026 12:00:00 +0000", now)

    async with Peer({1: letter(number=1)}, say={"UID FETCH": dated}).serve() as peer, sent.serve("127.0.0.1", smtp):
        table = DRAFTS + remote(tmp_path, smtp, peer.port)
        async with answering(tmp_path, table, says()) as (gk, _):
            await gk.act("remote_sync", name="work")
            peer.messages[2] = letter(number=2, To=ANN, Return_Path=f"<{ZOE}>")
            await gk.act("remote_sync", name="work")
            (row,) = await settled(gk)
            assert (row["state"], row["correspondent"]) == ("completed", ZOE), row
            (draft,) = await gk.inbox(ALICE, "Drafts")
            assert f"From: {ANN}".encode() in draft or f"<{ANN}>".encode() in draft
            await gk.submit(draft, ZOE, sender=ALICE)
            got = await sent.message()
            assert (sender(got), got.rcpt) == (ANN, [f"<{ZOE}>"])
            assert b"In-Reply-To: <2@far.test>" in got.content


async def test_what_comes_from_elsewhere_is_judged_and_found(tmp_path: Path) -> None:
    async with (
        Peer({1: letter()}).serve() as peer,
        house(tmp_path, judge=remote(tmp_path, free_port(), peer.port), triage="") as gk,
    ):
        await gk.act("remote_sync", name="work")
        mailboxes = gk.rooms.store.mailboxes
        box = mailboxes.get(gk.rooms.store.accounts.get(ALICE).id, "work")
        async with asyncio.timeout(PATIENCE):
            while not any(word.startswith("$gk-") for word in mailboxes.keywords(box)):
                await asyncio.sleep(0.02)
        found = await gk.act("mail_search", address=ALICE, text="notary")
        assert len(found["messages"]) == 1
        told = await gk.act("remote_sync", name="work")  # keywords stay here
        assert told["told"] == 0 and not any("STORE" in line for line in peer.heard)
