"""Alice writes to strangers: where her mail goes, and what she hears of it."""

import asyncio
import smtplib
import time
from pathlib import Path

import pytest

from tests.flows.conftest import ALICE, BOB, House, house, mail, unsigned
from tests.strangers import MxSession, hang


async def test_a_message_arrives_byte_for_byte_at_the_exchanger(gk: House) -> None:
    mx = await gk.stranger("far.test")
    content = mail(body=".\r\n..two dots\r\n" + "é" * 300 + "\r\n\r\n.end\r\n")
    await gk.submit(content, "zoe@far.test", mail_options=["BODY=8BITMIME"])
    received = await mx.message()
    assert await gk.outcomes() == ["sent"]
    assert unsigned(received.content).startswith(b"Received: from client.invalid\r\n\tby mail.example.test")
    assert received.content.endswith(content)
    assert received.rcpt == ["<zoe@far.test>"]
    assert received.mail.startswith(f"<{ALICE}> SIZE={len(received.content)} BODY=8BITMIME")
    assert received.helo == "mail.example.test"
    assert await gk.queue() == []
    await mx.idle()
    assert mx.lines[-1] == "QUIT"


async def test_a_large_message_arrives_whole(gk: House) -> None:
    mx = await gk.stranger("far.test")
    content = mail(body="".join(f".{n} {'x' * 60}\r\n" for n in range(40_000)))
    await gk.submit(content, "zoe@far.test")
    assert (await mx.message()).content.endswith(content)


async def test_one_copy_goes_to_each_domain_with_all_its_recipients(gk: House) -> None:
    far = await gk.stranger("far.test")
    near = await gk.stranger("near.test", host="127.0.0.3")
    await gk.submit(mail(), "a@far.test", "b@near.test", "c@far.test", "d@far.test")
    assert (await far.message()).rcpt == ["<a@far.test>", "<c@far.test>", "<d@far.test>"]
    assert (await near.message()).rcpt == ["<b@near.test>"]
    assert await gk.outcomes(4) == ["sent"] * 4
    assert far.sessions == near.sessions == 1


async def test_local_and_distant_recipients_of_one_message_all_get_it(gk: House) -> None:
    mx = await gk.stranger("far.test")
    await gk.submit(mail("mixed"), "zoe@far.test", BOB, "team@example.test")
    received = await mx.message()
    (bobs,) = await gk.inbox(BOB)
    (alices,) = await gk.inbox()
    assert bobs == alices == f"Return-Path: <{ALICE}>\r\n".encode() + unsigned(received.content)
    assert b"zoe@far.test" not in bobs  # no trace of the envelope: somebody may be a Bcc


async def test_a_bcc_shows_nowhere(gk: House) -> None:
    mx = await gk.stranger("far.test")
    await gk.submit(mail(Bcc="secret@far.test"), "zoe@far.test", "secret@far.test", BOB)
    received = await mx.message()
    assert received.rcpt == ["<zoe@far.test>", "<secret@far.test>"]
    assert b"secret" not in received.content
    assert b"secret" not in (await gk.inbox(BOB))[0]


async def test_the_better_exchanger_is_taken(gk: House) -> None:
    gk.zone.domain("far.test", "127.0.0.2", "127.0.0.3")
    best, second = await gk.mx("127.0.0.2"), await gk.mx("127.0.0.3")
    await gk.submit(mail(), "zoe@far.test")
    await best.message()
    assert second.sessions == 0


async def test_the_next_exchanger_is_taken_when_the_better_is_away(gk: House) -> None:
    gk.zone.domain("far.test", "127.0.0.2", "127.0.0.3")
    second = await gk.mx("127.0.0.3")
    await gk.submit(mail(), "zoe@far.test")
    await second.message()
    assert await gk.outcomes() == ["sent"]


async def test_equal_exchangers_share_the_work(gk: House) -> None:
    for address, name in (("127.0.0.2", "a"), ("127.0.0.3", "b")):
        gk.zone.add("far.test", "MX", f"10 {name}.far.test.")
        gk.zone.add(f"{name}.far.test", "A", address)
    one, other = await gk.mx("127.0.0.2"), await gk.mx("127.0.0.3")
    for _ in range(20):
        await gk.submit(mail(), "zoe@far.test")
    await gk.outcomes(20)
    assert one.sessions and other.sessions  # the chance that one had none is one in half a million


async def test_a_domain_without_mx_is_found_by_its_address(gk: House) -> None:
    gk.zone.add("far.test", "A", "127.0.0.2")
    mx = await gk.mx("127.0.0.2")
    await gk.submit(mail(), "zoe@far.test")
    await mx.message()


async def test_a_domain_is_found_by_its_ipv6_address(gk: House) -> None:
    gk.zone.add("far.test", "AAAA", "::1")
    mx = await gk.mx("::1")
    await gk.submit(mail(), "zoe@far.test")
    await mx.message()


async def test_an_exchanger_may_be_an_alias(gk: House) -> None:
    gk.zone.add("far.test", "MX", "10 mail.far.test.")
    gk.zone.add("mail.far.test", "CNAME", "mx.provider.test.")
    gk.zone.add("mx.provider.test", "A", "127.0.0.2")
    mx = await gk.mx("127.0.0.2")
    await gk.submit(mail(), "zoe@far.test")
    await mx.message()


async def test_an_address_literal_needs_no_dns(gk: House) -> None:
    mx = await gk.mx("127.0.0.2")
    await gk.submit(mail(), "zoe@[127.0.0.2]")
    assert (await mx.message()).rcpt == ["<zoe@[127.0.0.2]>"]
    assert gk.zone.asked == []


async def refused(gk: House, recipient: str) -> dict[str, str]:
    """Submit, and return the recipient's fields of the report that comes back."""
    await gk.submit(mail("lost"), recipient)
    assert await gk.outcomes() == ["failed"]
    (report,) = await gk.reports()
    (fields,) = report.recipients
    assert fields["action"] == "failed"
    assert await gk.queue() == []
    return fields


async def test_a_domain_with_a_null_mx_takes_no_mail(gk: House) -> None:
    gk.zone.add("far.test", "MX", "0 .")
    gk.zone.add("far.test", "A", "127.0.0.2")
    assert (await refused(gk, "zoe@far.test"))["status"] == "5.1.10"


async def test_a_domain_that_does_not_exist_is_reported_at_once(gk: House) -> None:
    assert (await refused(gk, "zoe@nowhere.test"))["status"] == "5.1.2"


async def test_a_domain_whose_exchangers_have_no_address_is_reported_at_once(gk: House) -> None:
    gk.zone.add("far.test", "MX", "10 nowhere.test.")
    assert (await refused(gk, "zoe@far.test"))["status"] == "5.4.4"


async def test_mail_that_would_come_back_is_refused(gk: House) -> None:
    gk.zone.domain("far.test", "127.0.0.1")
    assert (await refused(gk, "zoe@far.test"))["status"] == "5.4.6"


async def test_mail_to_our_own_address_literal_is_refused(gk: House) -> None:
    assert (await refused(gk, "zoe@[127.0.0.1]"))["status"] == "5.4.6"


async def test_exchangers_no_better_than_ourselves_are_left_alone(gk: House) -> None:
    gk.zone.add("far.test", "MX", "10 better.far.test.", "20 mail.example.test.", "30 worse.far.test.")
    gk.zone.add("better.far.test", "A", "127.0.0.2")
    gk.zone.add("mail.example.test", "A", "127.0.0.1")
    gk.zone.add("worse.far.test", "A", "127.0.0.3")
    worse = await gk.mx("127.0.0.3")
    await gk.submit(mail(), "zoe@far.test")
    assert await gk.outcomes() == ["deferred"]
    assert worse.sessions == 0


async def test_a_dns_fault_defers_and_never_bounces(gk: House) -> None:
    gk.zone.faults["far.test"] = "servfail"
    await gk.submit(mail(), "zoe@far.test")
    assert await gk.outcomes() == ["deferred"]
    assert await gk.reports() == []
    del gk.zone.faults["far.test"]
    mx = await gk.stranger("far.test")
    await gk.retry()
    await mx.message()


async def test_a_deferred_message_is_retried_after_two_then_four_minutes(gk: House) -> None:
    mx = await gk.stranger("far.test", {"RCPT": [b"450 4.2.1 come back\r\n", b"451 4.3.0 again\r\n", b"250 ok\r\n"]})
    await gk.submit(mail(), "zoe@far.test")
    for attempt, minutes, reply in ((1, 2, "450 4.2.1 come back"), (2, 4, "451 4.3.0 again")):
        assert await gk.outcomes() == ["deferred"]
        ((recipient,),) = [item["recipients"] for item in await gk.queue()]
        assert recipient["status"] == "pending" and recipient["attempts"] == attempt
        assert 0.89 * 60 * minutes < recipient["due"] - time.time() < 1.11 * 60 * minutes
        assert recipient["reply"] == reply and recipient["remote"] == "mx0.far.test"
        await gk.retry()
    await mx.message()
    assert await gk.outcomes() == ["sent"]
    assert await gk.queue() == []
    assert await gk.reports() == []


async def test_what_one_exchanger_defers_is_offered_to_the_next(gk: House) -> None:
    gk.zone.domain("far.test", "127.0.0.2", "127.0.0.3")
    first = await gk.mx("127.0.0.2", {"MAIL": b"451 4.3.0 not now\r\n"})
    second = await gk.mx("127.0.0.3")
    await gk.submit(mail(), "zoe@far.test")
    await second.message()
    assert first.sessions == 1


async def test_a_refusal_is_reported_in_english_and_french(gk: House) -> None:
    await gk.stranger("far.test", {"RCPT": b"550 5.1.1 No such user\r\n"})
    await gk.submit(mail("lost"), "zoe@far.test", mail_options=["ENVID=QQ314"], rcpt_options=["ORCPT=rfc822;z@b.test"])
    assert await gk.outcomes() == ["failed"]
    (report,) = await gk.reports()
    assert report.message["Return-Path"] == "<>"
    assert report.message["From"].endswith("<mailer-daemon@mail.example.test>")
    assert report.message["To"] == ALICE
    assert report.message["Auto-Submitted"] == "auto-replied"
    assert "could not be delivered" in report.text and "n'a pas pu être remis" in report.text
    assert "No such user" in report.text
    assert report.fields["reporting-mta"] == "dns; mail.example.test"
    assert report.fields["original-envelope-id"] == "QQ314"
    (fields,) = report.recipients
    assert fields["final-recipient"] == "rfc822; zoe@far.test"
    assert fields["original-recipient"] == "rfc822; z@b.test"
    assert fields["action"] == "failed" and fields["status"] == "5.1.1"
    assert fields["remote-mta"] == "dns; mx0.far.test"
    assert fields["diagnostic-code"] == "smtp; 550 5.1.1 No such user"
    assert report.returned.get_content_type() == "text/rfc822-headers"
    assert "Subject: lost" in report.returned.get_payload()


async def test_the_whole_message_comes_back_where_it_was_asked_for(gk: House) -> None:
    await gk.stranger("far.test", {"end": b"554 5.7.1 no thanks\r\n"})
    await gk.submit(mail("lost", "Come back.\r\n"), "zoe@far.test", mail_options=["RET=FULL"])
    await gk.outcomes()
    (report,) = await gk.reports()
    assert report.returned.get_content_type() == "message/rfc822"
    assert report.returned.get_payload()[0].get_payload() == "Come back.\r\n"


async def test_one_report_tells_of_all_recipients_that_failed_together(gk: House) -> None:
    mx = await gk.stranger("far.test", {"RCPT": [b"550 5.1.1 who?\r\n", b"250 ok\r\n", b"552 5.2.2 full\r\n"]})
    await gk.submit(mail(), "a@far.test", "b@far.test", "c@far.test")
    assert sorted(await gk.outcomes(3)) == ["failed", "failed", "sent"]
    assert (await mx.message()).rcpt == ["<b@far.test>"]
    (report,) = await gk.reports()
    assert [(r["final-recipient"], r["status"]) for r in report.recipients] == [
        ("rfc822; a@far.test", "5.1.1"),
        ("rfc822; c@far.test", "5.2.2"),
    ]


async def test_who_wants_no_reports_gets_none(gk: House) -> None:
    await gk.stranger("far.test", {"RCPT": b"550 5.1.1 who?\r\n"})
    await gk.submit(mail(), "zoe@far.test", rcpt_options=["NOTIFY=NEVER"])
    assert await gk.outcomes() == ["failed"]
    assert await gk.inbox() == []
    assert await gk.queue() == []


async def test_a_message_from_the_null_sender_is_never_reported_on(gk: House) -> None:
    await gk.stranger("far.test", {"RCPT": b"550 5.1.1 who?\r\n"})
    await gk.submit(mail(), "zoe@far.test", sender="", login=ALICE)
    assert await gk.outcomes() == ["failed"]
    assert await gk.inbox() == []


async def test_success_is_reported_where_the_next_server_will_not(gk: House) -> None:
    await gk.stranger("far.test")
    await gk.submit(mail(), "zoe@far.test", BOB, rcpt_options=["NOTIFY=SUCCESS"])
    await gk.outcomes()
    relayed, delivered = sorted(await gk.reports(), key=lambda r: r.recipients[0]["action"], reverse=True)
    assert relayed.recipients[0]["action"] == "relayed" and relayed.recipients[0]["status"] == "2.0.0"
    assert relayed.recipients[0]["final-recipient"] == "rfc822; zoe@far.test"
    assert delivered.recipients[0]["action"] == "delivered"
    assert delivered.recipients[0]["final-recipient"] == f"rfc822; {BOB}"


async def test_what_the_dsn_extension_says_is_passed_on(gk: House) -> None:
    mx = await gk.stranger("far.test", extensions=("DSN", "SIZE"))
    await gk.submit(
        mail(), "zoe@far.test", mail_options=["RET=HDRS", "ENVID=a+2Bb"],
        rcpt_options=["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;zoe+2Bx@far.test"],
    )  # fmt: skip
    await mx.message()
    await gk.outcomes()
    assert any(line.endswith("RET=HDRS ENVID=a+2Bb") for line in mx.lines)
    assert "RCPT TO:<zoe@far.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;zoe+2Bx@far.test" in mx.lines
    assert await gk.reports() == []  # that server reports


async def grown_older(gk: House, hours: float) -> None:
    """Let the queue be older, and try it once more."""
    outgoing = gk.rooms.store.outgoing
    items = await gk.queue()
    for item in items:
        await gk.act("queue_hold", id=item["id"])
    await outgoing.shift(-hours * 3600, outgoing.newest())
    await gk.retry()
    for item in items:
        await gk.act("queue_release", id=item["id"])


async def test_the_sender_hears_once_of_a_delay_of_four_hours(gk: House) -> None:
    await gk.stranger("far.test", {"MAIL": b"421 4.3.2 closed\r\n"})
    await gk.submit(mail("late"), "zoe@far.test")
    await gk.outcomes()
    assert await gk.reports() == []
    await grown_older(gk, 3.9)
    await gk.outcomes()
    assert await gk.reports() == []
    await grown_older(gk, 0.2)
    await gk.outcomes()
    (report,) = await gk.reports()
    (fields,) = report.recipients
    assert fields["action"] == "delayed" and fields["status"] == "4.3.2"
    assert "has not been delivered yet" in report.text and "n'a pas encore été remis" in report.text
    await grown_older(gk, 3)
    await gk.outcomes()
    assert len(await gk.reports()) == 1
    assert len(await gk.queue()) == 1


async def test_each_domain_that_is_late_is_told_of(gk: House) -> None:
    await gk.stranger("far.test", {"MAIL": b"421 4.3.2 closed\r\n"})
    await gk.stranger("near.test", {"MAIL": b"421 4.3.2 closed\r\n"}, host="127.0.0.3")
    await gk.submit(mail("late"), "zoe@far.test", "yves@near.test")
    await gk.outcomes(2)
    await grown_older(gk, 5)
    await gk.outcomes(2)
    told = [fields["final-recipient"] for report in await gk.reports() for fields in report.recipients]
    assert sorted(told) == ["rfc822; yves@near.test", "rfc822; zoe@far.test"]


async def test_who_asked_for_failures_only_hears_of_no_delay(gk: House) -> None:
    await gk.stranger("far.test", {"MAIL": b"421 4.3.2 closed\r\n"})
    await gk.submit(mail(), "zoe@far.test", rcpt_options=["NOTIFY=FAILURE"])
    await gk.outcomes()
    await grown_older(gk, 5)
    await gk.outcomes()
    assert await gk.reports() == []


async def test_after_five_days_the_sender_is_told_that_it_failed(gk: House) -> None:
    await gk.stranger("far.test", {"MAIL": b"421 4.3.2 closed\r\n"})
    await gk.submit(mail("old"), "zoe@far.test")
    assert await gk.outcomes() == ["deferred"]
    await grown_older(gk, 119)
    assert await gk.outcomes() == ["deferred"]
    await grown_older(gk, 2)
    assert await gk.outcomes() == ["failed"]
    assert await gk.queue() == []
    report = (await gk.reports())[-1]
    assert report.recipients[0]["action"] == "failed" and report.recipients[0]["status"] == "4.4.7"
    assert "421 4.3.2 closed" in report.text


async def test_an_old_message_is_still_tried_before_it_fails(gk: House) -> None:
    mx = await gk.stranger("far.test", {"MAIL": [b"421 4.3.2 closed\r\n", b"250 ok\r\n"]})
    await gk.submit(mail("old"), "zoe@far.test")
    await gk.outcomes()
    await grown_older(gk, 1000)
    await mx.message()
    assert await gk.outcomes() == ["sent"]


async def test_a_held_message_waits_until_it_is_released(gk: House) -> None:
    mx = await gk.stranger("far.test", {"MAIL": [b"421 4.3.2 closed\r\n", b"250 ok\r\n"]})
    await gk.submit(mail(), "zoe@far.test")
    await gk.outcomes()
    (item,) = await gk.queue()
    await gk.act("queue_hold", id=item["id"])
    await gk.act("queue_retry", id=item["id"])
    assert (await gk.queue())[0]["held"] is True
    await gk.submit(mail("other"), "zoe@far.test")  # the queue goes on
    assert b"Subject: other" in (await mx.message()).content
    await gk.outcomes()
    assert len(await gk.queue()) == 1
    await gk.act("queue_release", id=item["id"])
    assert b"Subject: hello" in (await mx.message()).content


async def test_a_removed_message_is_gone_and_nobody_is_told(gk: House) -> None:
    await gk.stranger("far.test", {"MAIL": b"421 4.3.2 closed\r\n"})
    await gk.submit(mail(), "zoe@far.test")
    await gk.outcomes()
    (item,) = await gk.queue()
    shown = await gk.act("queue_show", id=item["id"])
    assert "Subject: hello" in shown["header"]
    await gk.act("queue_remove", id=item["id"])
    assert await gk.queue() == []
    assert await gk.inbox() == []
    assert gk.rooms.store.outgoing.count == 0


async def test_a_message_removed_while_it_is_sent_is_counted_once(gk: House) -> None:
    mx = await gk.stranger("far.test")

    async def remove(session: object) -> None:
        await gk.rooms.store.outgoing.remove(gk.rooms.store.outgoing.newest())
        session.writer.write(b"250 ok\r\n")  # type: ignore[attr-defined]

    mx.replies["end"] = remove
    await gk.submit(mail(), "zoe@far.test")
    assert await gk.outcomes() == ["sent"]
    assert gk.rooms.store.outgoing.count == 0


async def test_an_unknown_local_recipient_is_refused_at_once(gk: House) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        await gk.submit(mail(), "nobody@example.test")


async def test_a_dead_domain_does_not_delay_another(gk: House) -> None:
    slow = await gk.stranger("slow.test", {"banner": hang})
    quick = await gk.stranger("quick.test", host="127.0.0.3")
    for n in range(30):
        await gk.submit(mail(f"slow{n}"), "zoe@slow.test")
    began = time.monotonic()
    await gk.submit(mail(), "zoe@quick.test")
    await quick.message()
    assert time.monotonic() - began < 10
    assert slow.most == 2  # connections to one address


async def test_a_domain_gets_no_more_connections_than_its_share(tmp_path: Path) -> None:
    async with house(tmp_path, outbound="per_domain = 3\nper_address = 10") as gk:
        release = asyncio.Event()

        async def wait(session: MxSession) -> None:
            if mx.open == 3:
                release.set()
            await release.wait()
            session.writer.write(b"220 ready\r\n")

        mx = await gk.stranger("far.test", {"banner": wait})
        for n in range(12):
            await gk.submit(mail(f"m{n}"), "zoe@far.test")
        assert await gk.outcomes(12) == ["sent"] * 12
        assert mx.most == 3


async def test_two_servers_write_to_each_other(gk: House, tmp_path: Path) -> None:
    other_directory = tmp_path / "other"
    other_directory.mkdir()
    async with house(other_directory, domain="other.test", host="127.0.0.3", beside=gk) as other:
        gk.zone.domain("example.test", "127.0.0.1")
        gk.zone.domain("other.test", "127.0.0.3")
        await gk.submit(mail("there"), "bob@other.test", "nobody@other.test")
        assert sorted(await gk.outcomes(2)) == ["failed", "sent"]
        (there,) = await other.inbox("bob@other.test")
        assert b"\r\nSubject: there\r\n" in there and there.endswith(b"Hello.\r\n")
        assert there.startswith(b"Return-Path: <alice@example.test>\r\nDelivered-To: bob@other.test\r\n")
        await other.submit(mail("back", sender="bob@other.test"), ALICE, sender="bob@other.test")
        assert await other.outcomes() == ["sent"]
        (report,) = await gk.reports()
        assert report.recipients[0]["status"] == "5.1.1"
        assert b"Subject: back" in (await gk.inbox())[-1]
