"""Addresses of ours that lead elsewhere: what is handed on, under whose name, and what comes back."""

import re
import smtplib

import pytest

from tests.flows.conftest import ALICE, BOB, House, mail
from tests.strangers import Received

RETURN = re.compile(r"<(SRS0=[A-Z2-7]{24}@example\.test)>")


def way_back(received: Received) -> str:
    found = RETURN.match(received.mail)
    assert found, received.mail
    return found[1]


async def test_mail_for_an_alias_elsewhere_is_handed_on_under_a_sender_of_ours(gk: House) -> None:
    far = await gk.stranger("far.test")
    content = mail("on", sender="ann@near.test")
    await gk.bring(content, "away@example.test", sender="ann@near.test")
    received = await far.message()
    assert received.rcpt == ["<Zoe@far.test>"]
    assert way_back(received)
    assert received.content.startswith(b"Delivered-To: away@example.test\r\nReceived: from mx.far.test")
    assert received.content.endswith(content)
    assert b"Return-Path" not in received.content
    assert await gk.outcomes() == ["sent"]
    assert await gk.inbox(ALICE) == await gk.inbox(BOB) == []


async def test_an_alias_may_lead_here_and_elsewhere(gk: House) -> None:
    far = await gk.stranger("far.test")
    await gk.bring(mail("both"), "both@example.test")
    assert (await far.message()).rcpt == ["<x@far.test>", "<y@far.test>"]
    (kept,) = await gk.inbox(BOB)
    assert kept.startswith(b"Return-Path: <zoe@far.test>\r\n")
    assert b"Delivered-To" not in kept


async def test_a_large_message_is_handed_on_whole(gk: House) -> None:
    far = await gk.stranger("far.test")
    content = mail(body="".join(f"{n} {'x' * 60}\r\n" for n in range(20_000)))
    await gk.bring(content, "both@example.test")
    assert (await far.message()).content.endswith(content)
    assert (await gk.inbox(BOB))[0].endswith(content)
    assert await gk.outcomes(2) == ["sent"] * 2


async def test_a_user_reaches_the_alias_too_and_keeps_the_own_sender(gk: House) -> None:
    far = await gk.stranger("far.test")
    await gk.submit(mail("mine"), "both@example.test")
    received = await far.message()
    assert received.mail.startswith(f"<{ALICE}>")
    assert received.rcpt == ["<x@far.test>", "<y@far.test>"]
    assert len(await gk.inbox(BOB)) == 1


async def test_a_report_that_comes_back_goes_to_the_true_sender(gk: House) -> None:
    far = await gk.stranger("far.test")
    near = await gk.stranger("near.test", host="127.0.0.3")
    await gk.bring(mail("on", sender="ann@near.test"), "away@example.test", sender="ann@near.test")
    back = way_back(await far.message())
    await gk.bring(mail("failed", sender="mailer-daemon@far.test"), back.lower(), sender="")
    report = await near.message()
    assert report.mail.startswith("<>")
    assert report.rcpt == ["<ann@near.test>"]


async def test_the_way_back_is_no_relay(gk: House) -> None:
    far = await gk.stranger("far.test")
    await gk.bring(mail("on"), "away@example.test")
    back = way_back(await far.message())
    guessed = "SRS0=" + "A" * 24 + "@example.test"
    for address, sender in ((back, "eve@evil.test"), (guessed, ""), ("SRS0=@example.test", "")):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            await gk.bring(mail("spam"), address, sender=sender)
        assert refused.value.recipients[address] == (550, b"5.1.1 No such user here")


async def test_what_cannot_be_handed_on_is_with_the_postmaster_and_nobody_else_is_written_to(gk: House) -> None:
    far = await gk.stranger("far.test", {"RCPT": b"550 5.1.1 nobody\r\n"})
    await gk.bring(mail("lost", body="the whole text\r\n"), "away@example.test")
    assert await gk.outcomes() == ["failed"]
    (report,) = await gk.inbox(ALICE)
    assert b"To: postmaster@example.test" in report
    assert b"the whole text" in report
    assert [kept for kept in far.kept if kept.rcpt] == []
    assert await gk.queue() == []


async def test_what_comes_round_again_is_refused(gk: House) -> None:
    far = await gk.stranger("far.test")
    await gk.bring(mail("round"), "round@example.test")
    received = await far.message()
    with pytest.raises(smtplib.SMTPDataError) as refused:
        await gk.bring(received.content, "round@example.test")
    assert refused.value.smtp_code == 554
    assert refused.value.smtp_error.startswith(b"5.4.6")


async def test_what_is_queued_to_be_handed_on_survives_a_full_queue_or_is_not_taken(gk: House) -> None:
    gk.rooms.store.outgoing.counted(10**9, 0)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        await gk.bring(mail("full"), "both@example.test")
    assert refused.value.smtp_code == 451
    assert await gk.inbox(BOB) == []
