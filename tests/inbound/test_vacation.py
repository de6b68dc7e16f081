"""Answers while users are away: who gets one, how often, what it says, and how it is marked (RFC 3834, RFC 5230)."""

import email
import email.policy
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gk.inbound import answers
from gk.inbound.verdict import Verdict
from gk.message.address import parse_address
from gk.sieve.mail import Mail
from gk.sieve.rules.absence import DAY, Absence, to_plain
from tests.inbound.ruled import JUNK, ZOE, Ruled, letter, ruled

TEXT = "I am away.\nBack on Monday. À bientôt."


@pytest.fixture
async def gk(tmp_path: Path) -> AsyncIterator[Ruled]:
    async with ruled(tmp_path) as opened:
        yield opened


async def away(gk: Ruled, name: str = "alice", **more: object) -> None:
    absence = Absence(TEXT, **more)  # type: ignore[arg-type]
    await gk.store.scripts.set_absence(gk.account(name), to_plain(absence))


async def answered(gk: Ruled) -> list[tuple[str, list[str]]]:
    return [(sender, recipients) for sender, recipients, _ in await gk.leaving()]


async def test_a_sender_is_answered_once_and_the_message_kept(gk: Ruled) -> None:
    await away(gk)
    for _ in range(3):
        await gk.bring(letter(References="<0@far.test>"), "alice")
    ((sender, recipients, content),) = await gk.leaving()
    assert (sender, recipients) == ("", [ZOE])
    answer = email.message_from_bytes(content, policy=email.policy.SMTP)
    assert answer["From"] == "Alice <alice@example.test>"
    assert answer["To"] == ZOE
    assert answer["Subject"] == "Auto: hello"
    assert answer["Auto-Submitted"] == "auto-replied (vacation)"
    assert answer["In-Reply-To"] == "<1@far.test>"
    assert answer["References"] == "<0@far.test> <1@far.test>"
    assert answer.get_content() == TEXT.replace("\n", "\r\n") + "\r\n"
    assert gk.places() == [("INBOX", "")] * 3


async def test_each_sender_is_answered_and_again_after_the_period(gk: Ruled, monkeypatch: pytest.MonkeyPatch) -> None:
    await away(gk, days=2)
    for sender in (ZOE, "yan@far.test", "ZOE@far.test"):
        await gk.bring(letter(), "alice", sender=sender)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 2 * DAY - 60)
    await gk.bring(letter(), "alice")
    assert await answered(gk) == [("", [ZOE]), ("", ["yan@far.test"])]
    monkeypatch.setattr(time, "time", lambda: now + 2 * DAY + 60)
    await gk.bring(letter(), "alice")
    assert len(await answered(gk)) == 3


async def test_a_new_absence_answers_anew(gk: Ruled) -> None:
    for since in (1, 2):
        await away(gk, since=since)
        await gk.bring(letter(), "alice")
    assert len(await answered(gk)) == 2


async def test_nobody_is_answered_before_the_first_day_or_after_the_last(gk: Ruled) -> None:
    now = int(time.time())
    for start, end in ((now + DAY, 0), (now - 2 * DAY, now - DAY)):
        await away(gk, start=start, end=end)
        await gk.bring(letter(), "alice")
    assert await answered(gk) == []
    await away(gk, start=now - DAY, end=now + DAY)
    await gk.bring(letter(), "alice")
    assert len(await answered(gk)) == 1


async def test_whatever_a_stranger_writes_an_answer_has_its_own_fields_and_no_others(gk: Ruled) -> None:
    chance = random.Random(5230)
    pieces = [
        b"x", b" ", b"\r\n ", b"\r\n\t", b"=?utf-8?q?=0D=0ABcc:_a=40b.test=0D=0A?=",
        b"=?utf-8?b?DQpCY2M6IGFAYi50ZXN0?=", b"\0", b"\r", b"\x85", "\u2028".encode(), b"\xff\xfe", b"\xed\xa0\x80",
        b"=?utf-8?q?=ED=A0=80?=", b"<a@b>", b"\x1b[0m",
        b"<" + b"i" * 300 + b"@x>", b"<a b@c>", b'"', b"(", b"Bcc: c@d.test", b"=?x?q?y?=", b"\x7f",
    ]  # fmt: skip
    own = {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "In-Reply-To", "References", "MIME-Version",
        "Content-Type", "Content-Transfer-Encoding",
    }  # fmt: skip
    account = gk.store.accounts.get("alice@example.test")
    for number in range(500):
        names = ("Subject", "Message-ID", "References", "In-Reply-To", "From")
        fields = {name: b"".join(chance.choices(pieces, k=chance.randrange(8))) for name in names}
        raw = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in fields.items()) + b"\r\nx"
        mail = Mail(raw, sender=parse_address(ZOE), recipient=parse_address("alice@example.test"))
        vacation = Absence(TEXT, addresses=("x@y.test",)).vacation(1)
        assert vacation is not None
        written = gk.answers.write(account, vacation, mail)
        head, _, _ = written.partition(b"\r\n\r\n")
        assert all(31 < octet < 127 or octet in b"\r\n" for octet in head), (number, head)
        assert max(map(len, head.split(b"\r\n"))) <= 998
        answer = email.message_from_bytes(written)
        assert set(answer.keys()) <= own and len(answer.keys()) == len(set(answer.keys())), (number, head)


async def test_the_subject_may_be_given(gk: Ruled) -> None:
    await away(gk, subject="Vacances d'été")
    await gk.bring(letter(), "alice")
    ((_, _, content),) = await gk.leaving()
    assert email.message_from_bytes(content, policy=email.policy.SMTP)["Subject"] == "Vacances d'été"


async def test_a_subject_with_encoded_words_is_understood(gk: Ruled) -> None:
    await gk.script("alice", 'require "vacation"; vacation :subject "=?utf-8?b?w4TDlsOc?= away" "Gone.";')
    await gk.bring(letter(), "alice")
    ((_, _, content),) = await gk.leaving()
    assert email.message_from_bytes(content, policy=email.policy.SMTP)["Subject"] == "ÄÖÜ away"


async def test_the_answer_comes_from_the_address_that_was_written_to(gk: Ruled) -> None:
    await away(gk, addresses=("team@example.test",))
    await gk.bring(letter(to="alice+news@example.test"), "alice+news")
    await gk.bring(letter(to="team@example.test"), "team", sender="yan@far.test")  # which is others' too
    authors = [email.message_from_bytes(content)["From"] for _, _, content in await gk.leaving()]
    assert authors == ["Alice <alice+news@example.test>", "Alice <alice@example.test>"]


async def test_a_subject_of_strangers_adds_no_field(gk: Ruled) -> None:
    await away(gk)
    subject = "x =?utf-8?q?=0D=0ABcc:_victim=40far.test=0D=0A?="
    await gk.bring(letter(subject), "alice")
    ((_, recipients, content),) = await gk.leaving()
    assert recipients == [ZOE]
    assert email.message_from_bytes(content)["Bcc"] is None


@pytest.mark.parametrize(
    "sender",
    [
        "", "MAILER-DAEMON@far.test", "owner-list@far.test", "list-request@far.test", "no-reply@far.test",
        "donotreply@far.test", "bounces+x=y@far.test", "list-bounces@far.test", "SRS0=abc@far.test",
        "alice@example.test", "alice+tag@example.test",
    ],
)  # fmt: skip
async def test_programs_the_null_sender_and_the_user_get_no_answer(gk: Ruled, sender: str) -> None:
    await away(gk)
    await gk.bring(letter(), "alice", sender=sender)
    assert await answered(gk) == []
    assert gk.places() == [("INBOX", "")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("List-Id", "<people.far.test>"), ("List-Unsubscribe", "<mailto:x@far.test>"), ("List-Post", "NO"),
        ("Auto-Submitted", "auto-generated"), ("Auto-Submitted", "auto-replied (vacation)"), ("Precedence", "Bulk"),
        ("Precedence", "list"), ("Precedence", "junk"), ("X-Auto-Response-Suppress", "DR, OOF, AutoReply"),
        ("Content-Type", 'multipart/report; report-type="delivery-status"; boundary=x'), ("Feedback-ID", "1:2:3:far"),
        ("X-Autoreply", "yes"), ("To", "bob@example.test"), ("To", "undisclosed-recipients:;"),
    ],
)  # fmt: skip
async def test_lists_bulk_mail_and_what_is_not_addressed_to_the_user_get_no_answer(
    gk: Ruled, name: str, value: str
) -> None:
    await away(gk)
    await gk.bring(letter(**{name: value}), "alice")
    assert await answered(gk) == []
    await gk.bring(letter(**{"Auto-Submitted": "no"}), "alice")
    assert len(await answered(gk)) == 1


async def test_the_addresses_of_the_user_elsewhere_count_as_the_users(gk: Ruled) -> None:
    await away(gk, addresses=("alice@old.test",))
    await gk.bring(letter(to="alice@old.test"), "alice")
    await gk.bring(letter(to="Alice <Alice+x@EXAMPLE.test>"), "alice", sender="yan@far.test")
    await gk.bring(letter(to="team@example.test"), "team", sender="xeno@far.test")
    assert await answered(gk) == [("", [ZOE]), ("", ["yan@far.test"])]


async def test_junk_and_forged_senders_get_no_answer(gk: Ruled) -> None:
    await away(gk)
    for verdict in (
        JUNK,
        Verdict(results={"dmarc": ("fail",), "spf": ("pass",)}),
        Verdict(results={"dmarc": ("none",), "spf": ("fail",)}),
        Verdict(results={"dmarc": ("none",), "spf": ("softfail",)}),
    ):
        gk.judge.verdict = verdict
        await gk.bring(letter(), "alice")
    assert await answered(gk) == []
    gk.judge.verdict = Verdict(results={"dmarc": ("pass",), "spf": ("fail",)})  # forwarded, and signed
    await gk.bring(letter(), "alice")
    assert len(await answered(gk)) == 1


async def test_what_rules_discard_is_not_answered_and_what_they_forward_is(gk: Ruled) -> None:
    await away(gk)
    await gk.rule("alice", "if subject is spam then discard, stop", "always forward y@near.test")
    await gk.bring(letter("spam"), "alice", sender="yan@far.test")
    await gk.bring(letter(), "alice")
    assert [recipients for _, recipients in await answered(gk)] == [["y@near.test"], [ZOE]]


async def test_an_answer_that_cannot_be_written_is_told_and_the_message_kept(gk: Ruled) -> None:
    await gk.store.scripts.set_absence(gk.account("alice"), to_plain(Absence("\ud800")))
    await gk.bring(letter(), "alice")
    assert await answered(gk) == []
    assert any(b"your answer: the message cannot be written" in text for text in await gk.texts())


async def test_users_here_answer_each_other_once(gk: Ruled) -> None:
    await away(gk)
    await away(gk, "bob")
    for _ in range(3):
        await gk.send(letter(From="bob@example.test"), "bob", "alice")
    assert gk.places() == [("INBOX", "")] * 3
    (answer,) = await gk.texts("bob")
    assert answer.startswith(b"Return-Path: <>\r\n")
    assert b"Auto: hello" in answer


async def test_an_account_answers_no_more_than_so_many_in_a_day(gk: Ruled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "A_DAY", 5)
    await away(gk)
    for number in range(10):
        await gk.bring(letter(), "alice", sender=f"z{number}@far.test")
    assert len(await answered(gk)) == 5
    assert gk.places() == [("INBOX", "")] * 10


# --- scripts and rules ------------------------------------------------------------------------------------------------


async def test_a_script_says_who_answers_and_what(gk: Ruled) -> None:
    text = (
        'require "vacation"; vacation :days 3 :subject "Fort" :from "Al <alice+away@example.test>"'
        ' :addresses ["al@old.test"] "Gone.";'
    )
    await gk.script("alice", text)
    await gk.bring(letter(to="al@old.test"), "alice")
    ((_, _, content),) = await gk.leaving()
    answer = email.message_from_bytes(content, policy=email.policy.SMTP)
    assert (answer["From"], answer["Subject"]) == ("Al <alice+away@example.test>", "Fort")
    assert answer.get_content() == "Gone.\r\n"
    assert gk.places() == [("INBOX", "")]


async def test_a_script_cannot_answer_in_the_name_of_others(gk: Ruled) -> None:
    await gk.script("alice", 'require "vacation"; vacation :from "bob@example.test" "Gone.";')
    await gk.bring(letter(), "alice")
    ((_, _, content),) = await gk.leaving()
    assert email.message_from_bytes(content, policy=email.policy.SMTP)["From"] == "Alice <alice@example.test>"


async def test_a_script_may_answer_with_a_mime_entity(gk: Ruled) -> None:
    entity = "MIME-Version: 1.0\r\nContent-Type: text/html;\r\n charset=utf-8\r\n\r\n<p>Gone</p>"
    await gk.script("alice", f'require "vacation"; vacation :mime text:\r\n{entity}\r\n.\r\n;')
    await gk.bring(letter(), "alice")
    ((_, _, content),) = await gk.leaving()
    answer = email.message_from_bytes(content, policy=email.policy.SMTP)
    assert answer.get_content_type() == "text/html"
    assert answer.get_content().strip() == "<p>Gone</p>"
    assert answer.get_all("MIME-Version") == ["1.0"]


@pytest.mark.parametrize("entity", ["Bcc: x@far.test\r\n\r\nGone", "Gone", "\r\nGone"])
async def test_a_mime_entity_adds_no_other_fields(gk: Ruled, entity: str) -> None:
    await gk.script("alice", f'require "vacation"; vacation :mime text:\r\n{entity}\r\n.\r\n;')
    await gk.bring(letter(), "alice")
    ((_, _, content),) = await gk.leaving()
    answer = email.message_from_bytes(content)
    assert answer["Bcc"] is None
    assert answer.get_content_type() == "text/plain"
    assert entity.encode() in answer.get_payload(decode=True)


async def test_a_rule_may_reply_and_two_of_them_do_so_once(gk: Ruled) -> None:
    await gk.rule("alice", 'if subject is hello then reply "First"', 'always reply "Second"')
    await gk.bring(letter(), "alice")
    ((_, _, content),) = await gk.leaving()
    assert b"\r\n\r\nFirst\r\n" in content


async def test_the_answer_of_a_script_comes_before_that_of_an_absence(gk: Ruled) -> None:
    await away(gk)
    await gk.script("alice", 'require "vacation"; vacation "Mine.";')
    await gk.bring(letter(), "alice")
    ((_, _, content),) = await gk.leaving()
    assert b"\r\n\r\nMine.\r\n" in content
