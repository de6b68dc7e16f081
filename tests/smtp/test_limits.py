"""What a session may cost: lines, errors, unknown recipients, sizes, hops, connections."""

from pathlib import Path

import pytest

from gk.errors import DiskFull, Overloaded, ReadOnly
from tests.smtp.conftest import ALICE, BOB, House, house


async def test_a_long_command_is_refused_and_a_longer_one_is_not_read(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    assert await client.say("NOOP " + "x" * 4089) == "250 2.0.0 OK"
    assert (await client.say("NOOP " + "x" * 4090)).startswith("500 5.5.2")
    assert (await client.say("NOOP " + "x" * 60_000)).startswith("500 5.5.2")
    assert await client.say("NOOP") == "250 2.0.0 OK"
    client.send(b"NOOP " + b"x" * 70_000)
    assert (await client.reply()).startswith("500 5.5.2")
    assert await client.closed()


async def test_a_login_may_be_longer_than_other_commands(smtp: House) -> None:
    client = await (await smtp.connect("submission")).hello()
    assert (await client.say("AUTH PLAIN " + "A" * 12_000)).startswith("501 5.5.2 Not an answer")
    assert (await client.say("AUTH PLAIN " + "A" * 12_400)).startswith("500 5.5.2")
    assert (await client.say("AUTH PLAIN")).startswith("334")
    assert (await client.say("A" * 12_400)).startswith("501 5.5.2")


async def test_after_ten_errors_each_waits_a_second_and_the_twentieth_is_the_last(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    for _ in range(19):
        assert (await client.say("WHAT")).startswith("500 5.5.1")
    assert smtp.pauses == [1.0] * 9
    assert (await client.say("WHAT")).startswith("421 4.7.0")
    assert await client.closed()


async def test_after_five_unknown_recipients_each_waits_a_second_and_the_twentieth_is_the_last(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    for i in range(19):
        assert (await client.say(f"RCPT TO:<nobody{i}@example.test>")).startswith("550 5.1.1")
        assert len(smtp.pauses) == max(0, i - 4)
    assert (await client.say("RCPT TO:<nobody@elsewhere.example>")).startswith("421 4.7.0")
    assert await client.closed()


async def test_strangers_have_a_hundred_recipients_and_users_a_thousand(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope(*(f"alice+{i}@example.test" for i in range(100)))
    assert (await client.say(f"RCPT TO:<{BOB}>")).startswith("452 4.5.3")
    assert (await client.data(b"Subject: x\r\n\r\n.\r\n")).startswith("250")
    assert len(await smtp.inbox()) == 1
    user = await (await smtp.connect("submissions")).hello()
    await user.login()
    await user.envelope(*(f"x{i}@elsewhere.example" for i in range(1000)), sender=ALICE)
    assert (await user.say("RCPT TO:<y@elsewhere.example>")).startswith("452 4.5.3")


async def test_a_recipient_named_twice_is_one(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope(ALICE, ALICE.upper(), "alice@EXAMPLE.test")
    assert (await client.data(b"Subject: x\r\n\r\n.\r\n")).startswith("250")
    (message,) = await smtp.inbox()
    assert b"for <alice@example.test>" in message


async def test_the_size_is_checked_when_it_is_announced_and_when_it_comes(tmp_path: Path) -> None:
    async with house(tmp_path / "data", message_bytes=100_000) as smtp:
        client = await (await smtp.connect()).hello()
        assert (await client.say("MAIL FROM:<eve@example.org> SIZE=100001")).startswith("552 5.3.4")
        content = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 8332 + b"\r\n"
        assert len(content) == 100_000
        await client.envelope()
        assert (await client.data(content + b".\r\n")).startswith("250")
        await client.envelope()
        assert (await client.data(b"X" + content + b".\r\n")).startswith("552 5.3.4")
        assert await client.say("NOOP") == "250 2.0.0 OK"
        assert len(await smtp.inbox()) == 1


async def test_a_message_without_end_is_cut(tmp_path: Path) -> None:
    async with house(tmp_path / "data", message_bytes=100_000) as smtp:
        client = await (await smtp.connect()).hello()
        await client.envelope()
        assert (await client.say("DATA")).startswith("354")
        client.send(b"x\r\n" * 400_000)
        assert (await client.reply()).startswith("552 5.3.4")
        assert await client.closed()


async def test_text_lines_are_taken_up_to_64_kib(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    assert (await client.data(b"Subject: x\r\n\r\n" + b"x" * 65_535 + b"\r\n.\r\n")).startswith("250")
    await client.envelope()
    assert (await client.data(b"Subject: x\r\n\r\n" + b"x" * 65_536 + b"\r\n.\r\n")).startswith("500 5.5.2")
    await client.envelope()
    assert (await client.data(b"Subject: x\r\n\r\n" + b"x" * 1_000_000 + b"\r\n.\r\n")).startswith("500 5.5.2")
    assert await client.say("NOOP") == "250 2.0.0 OK"
    assert len(await smtp.inbox()) == 1


async def test_a_header_without_end_is_refused(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    assert (await client.data(b"X: y\r\n" * 200_000 + b"\r\n.\r\n")).startswith("552 5.3.4 The header")
    await client.envelope()
    assert (await client.data(b"X: y\r\n" * 100_000 + b"\r\nbody\r\n.\r\n")).startswith("250")


async def test_a_message_with_too_many_hops_is_looping(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    assert (await client.data(b"Received: from a by b; c\r\n" * 51 + b"\r\n.\r\n")).startswith("554 5.4.6")
    await client.envelope()
    looping = b"Received: from a by b; c\r\n" * 51 + b"\r\n" + b"x\r\n" * 200_000
    assert (await client.data(looping + b".\r\n")).startswith("554 5.4.6")
    await client.envelope()
    assert (await client.data(b"Received: from a by b; c\r\n" * 50 + b"\r\n.\r\n")).startswith("250")


@pytest.mark.parametrize(
    ("error", "reply"),
    [(DiskFull("x"), "452 4.3.1"), (ReadOnly("x"), "452 4.3.0"), (Overloaded("x"), "451 4.3.2")],
)
async def test_where_mail_cannot_be_kept_it_is_not_begun(smtp: House, error: Exception, reply: str) -> None:
    server, asked = smtp.servers["mx"], []

    def full(size: int) -> None:
        asked.append(size)
        raise error

    before, server.check_space = server.check_space, full
    client = await (await smtp.connect()).hello()
    assert (await client.say("MAIL FROM:<eve@example.org> SIZE=12345")).startswith(reply)
    assert asked == [12345]
    server.check_space = before
    assert (await client.say("MAIL FROM:<eve@example.org>")).startswith("250")


async def test_a_store_that_fails_is_never_answered_with_ok(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    smtp.store.commits.broken = "a disk that fails"
    assert (await client.data(b"Subject: x\r\n\r\nhello\r\n.\r\n")).startswith("452 4.3.0")
    smtp.store.commits.broken = None
    await client.envelope()
    assert (await client.data(b"Subject: x\r\n\r\nhello\r\n.\r\n")).startswith("250")
    assert len(await smtp.inbox()) == 1


async def test_a_spool_that_cannot_be_written_is_a_temporary_failure(smtp: House) -> None:
    spool = smtp.store.data / "spool"
    spool.rename(spool.with_name("elsewhere"))
    client = await (await smtp.connect()).hello()
    await client.envelope()
    assert (await client.data(b"Subject: x\r\n\r\n" + b"line\r\n" * 100_000 + b".\r\n")).startswith("451 4.3.0")
    spool.with_name("elsewhere").rename(spool)
    await client.envelope()
    assert (await client.data(b"Subject: x\r\n\r\n" + b"line\r\n" * 100_000 + b".\r\n")).startswith("250")


async def test_one_address_has_its_share_of_connections(tmp_path: Path) -> None:
    async with house(tmp_path / "data", connections_per_address=2) as smtp:
        first = await smtp.connect()
        await smtp.connect()
        third = await smtp.connect(banner=False)
        assert (await third.reply()).startswith("421 4.7.0 Too many connections")
        assert await third.closed()
        other = await smtp.connect(source="127.0.0.2")
        assert await other.say("NOOP") == "250 2.0.0 OK"
        assert await first.say("QUIT") == "221 2.0.0 Bye"
        assert await first.closed()
        again = await smtp.connect(banner=False)
        assert (await again.reply()).startswith("220")


@pytest.mark.parametrize("role", ["mx", "submissions"])
async def test_a_full_mailbox_takes_nothing_from_strangers_or_users(smtp: House, role: str) -> None:
    bob = smtp.store.accounts.get(BOB)
    await smtp.store.accounts.set_quota(bob.id, 1000)
    client = await (await smtp.connect(role)).hello()
    if role != "mx":
        await client.login()
    assert (await client.say(f"MAIL FROM:<{ALICE}> SIZE=2000")).startswith("250")
    assert await client.say(f"RCPT TO:<{BOB}>") == "452 4.2.2 The mailbox is full"
    assert (await client.say(f"RCPT TO:<{ALICE}>")).startswith("250")
    await client.say("RSET")
    await client.say(f"MAIL FROM:<{ALICE}> SIZE=500")
    assert (await client.say(f"RCPT TO:<{BOB}>")).startswith("250")


async def test_a_flood_of_pipelined_commands_is_answered_in_order(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    client.send(b"NOOP\r\n" * 20_000 + b"QUIT\r\n")
    answers = await client.reader.read()
    assert answers == b"250 2.0.0 OK\r\n" * 20_000 + b"221 2.0.0 Bye\r\n"


async def test_a_client_that_talks_first_is_not_served(smtp: House) -> None:
    client = await smtp.connect(banner=False)
    client.send(b"EHLO client.example.org\r\nMAIL FROM:<eve@example.org>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n")
    client.send(b"Subject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n")
    answers = await client.reader.read()
    assert b"354" not in answers
    assert answers.splitlines()[-1].startswith(b"554 5.5.1")
    assert await smtp.inbox() == []
