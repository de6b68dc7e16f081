"""Who sends too much is stopped, who refuses or unsubscribes is spared, and programs hear of each message."""

import asyncio
import base64
import email
import re
import smtplib
from pathlib import Path
from typing import Any

import pytest

from gk.errors import Refused
from tests.flows.conftest import ALICE, BOB, HOSTS, House, house, mail
from tests.strangers import MxSession

LISTS = "messages_per_day = 3\nnew_recipients_per_day = 2"


async def write_to_us(gk: House, sender: str, recipient: str, content: bytes = b"Subject: leave\r\n\r\n") -> None:
    """A stranger's server brings mail for somebody here."""

    def work() -> None:
        with smtplib.SMTP(HOSTS[0], gk.ports["mx"], "mx.far.test", 20) as client:
            client.sendmail(sender, [recipient], content)

    await asyncio.to_thread(work)


async def send(gk: House, *messages: dict[str, Any], account: str = ALICE) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = (await gk.act("mail_send_batch", account=account, messages=list(messages)))[
        "results"
    ]
    return results


async def entries(gk: House, account: str = ALICE) -> dict[str, str]:
    """The suppression list: reasons by address."""
    page = await gk.act("suppression_list", account=account)
    return {entry["address"]: entry["reason"] for entry in page["entries"]}


async def test_the_limit_of_the_day_is_told_at_the_end_of_the_data_and_nothing_is_done(tmp_path: Path) -> None:
    async with house(tmp_path, limits=LISTS) as gk:
        mx = await gk.stranger("far.test")
        await gk.submit(mail("one"), "zoe@far.test", "yan@far.test")
        await mx.message()
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await gk.submit(mail("two"), "xi@far.test", BOB)
        assert refused.value.smtp_code == 452 and refused.value.smtp_error.startswith(b"4.7.1 ")
        with pytest.raises(smtplib.SMTPDataError):
            await gk.submit(mail("three", "x" * 400_000), "zoe@far.test", "yan@far.test", BOB)
        assert await gk.inbox(BOB) == [] and await gk.queue() == []
        await gk.submit(mail("four"), "zoe@far.test", BOB)
        await gk.submit(mail("five"), BOB)
        assert [received.rcpt for received in (mx.kept[0], await mx.message())] == [
            ["<zoe@far.test>", "<yan@far.test>"], ["<zoe@far.test>"],
        ]  # fmt: skip
        assert len(await gk.inbox(BOB)) == 2
        (result,) = await send(gk, {"to": ["zoe@far.test"]})
        assert result["status"] == "refused" and "limits.messages_per_day" in result["reason"]
        with pytest.raises(Refused, match="the day ends at 00:00 UTC"):
            await gk.act("mail_send", account=ALICE, to=["zoe@far.test"])
        assert 'gk_refused_total{protocol="send",reason="messages_per_day"}' in (
            await gk.act("status", metrics=True)
        )["metrics"]  # fmt: skip


async def test_a_batch_arrives_each_message_at_its_recipients(gk: House) -> None:
    far = await gk.stranger("far.test")
    results = await send(
        gk,
        {"to": ["Zoë <zoe@far.test>"], "bcc": ["yan@far.test"], "subject": "Été", "text": "a", "html": "<p>a</p>"},
        {"to": [BOB], "subject": "here"},
        {"to": ["xi@far.test"], "from": "eve@far.test"},
        {"to": ["xi@far.test"], "subject": 5},
        {"to": [5]},
    )
    assert [r["status"] for r in results] == ["queued", "delivered", "refused", "refused", "refused"]
    assert [r["reason"] for r in results[2:4]] == ["unknown argument from", "the argument subject must be str"]
    received = await far.message()
    assert sorted(received.rcpt) == ["<yan@far.test>", "<zoe@far.test>"]
    message = email.message_from_bytes(received.content)
    assert message["Message-ID"] == results[0]["message_id"] and b"yan" not in received.content
    assert message.get_content_type() == "multipart/alternative"
    (bobs,) = await gk.inbox(BOB)
    assert b"Subject: here\r\n" in bobs


async def test_a_batch_takes_files_along_and_keeps_a_copy(gk: House) -> None:
    far = await gk.stranger("far.test")
    file = {"name": "Été.pdf", "content": base64.b64encode(b"%PDF" * 9000).decode(), "type": "application/pdf"}
    (result,) = await send(
        gk, {"to": ["zoe@far.test"], "bcc": ["yan@far.test"], "text": "See.", "attachments": [file], "keep": True}
    )
    received = email.message_from_bytes((await far.message()).content)
    _, attached = received.get_payload()
    assert attached.get_filename() == "Été.pdf" and attached.get_payload(decode=True) == b"%PDF" * 9000
    (kept,) = await gk.inbox(mailbox="Sent")
    copy = email.message_from_bytes(kept)
    assert copy["Message-ID"] == result["message_id"] == received["Message-ID"]
    assert (copy["Bcc"], received["Bcc"]) == ("yan@far.test", None)
    with pytest.raises(Refused, match="longer than"):
        await send(gk, {"to": ["zoe@far.test"], "attachments": [file | {"content": "YWFh" * 300_000}]})


async def test_who_has_no_such_address_gets_no_more_bulk_mail(gk: House) -> None:
    codes = {"gone": b"550 5.1.1 no such user", "moved": b"551 5.1.6 moved", "busy": b"450 4.1.1 later"}
    codes |= {"strict": b"550 5.7.1 go away", "sender": b"550 5.1.8 who are you", "bare": b"550 no"}

    async def answer(session: MxSession) -> None:
        name = re.findall(r"<(\w+)@", session.mx.lines[-1])[0]
        session.writer.write(codes.get(name, b"250 2.1.5 ok") + b"\r\n")
        session.rcpt.append(f"<{name}@far.test>")

    await gk.stranger("far.test", {"RCPT": answer})
    await send(gk, *({"to": [f"{name}@far.test"], "bulk": True} for name in (*codes, "fine")))
    await gk.outcomes(len(codes) + 1)
    assert await entries(gk) == {"gone@far.test": "550 5.1.1 no such user", "moved@far.test": "551 5.1.6 moved"}
    assert await entries(gk, BOB) == await entries(gk, "") == {}
    results = await send(gk, {"to": ["Gone@far.test"], "bulk": True}, {"to": ["strict@far.test"], "bulk": True})
    assert [r["status"] for r in results] == ["suppressed", "queued"]
    await gk.outcomes()
    await gk.act("suppression_remove", account=ALICE, address="gone@far.test")
    await send(gk, {"to": ["gone@far.test"]})
    assert await gk.outcomes() == ["failed"]
    assert list(await entries(gk)) == ["moved@far.test"], "mail that is not in bulk teaches nothing"


async def test_a_recipient_unsubscribes_by_mail_and_is_spared(gk: House) -> None:
    mx = await gk.stranger("far.test")
    await send(gk, {"to": ["zoe@far.test"], "bulk": True, "subject": "news"})
    message = email.message_from_bytes((await mx.message()).content)
    address = message["List-Unsubscribe"].strip()[len("<mailto:") : -1]
    assert message["Precedence"] == "bulk" and address.endswith("@example.test")
    for forged in (address.replace("unsubscribe+", "unsubscribe+a"), "unsubscribe@example.test", address[:-14] + "x"):
        with pytest.raises((smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused)):
            await write_to_us(gk, "zoe@far.test", forged)
    assert await entries(gk) == {}
    large = b"Subject: leave\r\n\r\n" + b"x" * 60 + b"\r\n" + b"0123456789\r\n" * 40_000
    await write_to_us(gk, "zoe@far.test", address.upper(), large)
    assert await entries(gk) == {"zoe@far.test": "unsubscribed by mail"}
    assert await gk.inbox() == [], "nobody has to read it"
    assert list((gk.data / "spool").iterdir()) == []
    results = await send(gk, {"to": ["zoe@far.test"], "bulk": True}, {"to": ["zoe@far.test"]})
    assert [r["status"] for r in results] == ["suppressed", "queued"]


async def test_whom_nothing_is_sent_to_by_anybody_is_refused_at_submission(gk: House) -> None:
    await gk.stranger("far.test")
    assert await gk.act("suppression_add", address="Trap@far.test", reason="spam trap") == {
        "address": "trap@far.test", "added": True,
    }  # fmt: skip
    for login in (ALICE, BOB):
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await gk.submit(mail(sender=login), "trap@far.test", "zoe@far.test", BOB, sender=login)
        assert (refused.value.smtp_code, refused.value.smtp_error[:6]) == (550, b"5.7.1 ")
    assert await gk.queue() == [] and await gk.inbox(BOB) == []
    (result,) = await send(gk, {"to": ["trap@far.test"]})
    assert (result["status"], result["suppressed"]) == ("suppressed", ["trap@far.test"])
