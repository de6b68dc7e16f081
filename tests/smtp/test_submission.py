"""Mail from users: in their own name, made complete, and nothing in it says where they are."""

import re

import pytest

from gk.message.header import fields
from tests.smtp.conftest import ALICE, BOB, Client, House


async def user(smtp: House, name: str = ALICE) -> Client:
    client = await (await smtp.connect("submissions")).hello()
    assert await client.login(name) == "235 2.7.0 Welcome"
    return client


async def sent(
    smtp: House, content: bytes, *, sender: str = ALICE, to: tuple[str, ...] = ("x@elsewhere.example",)
) -> bytes:
    """Submit as alice; the message as it leaves."""
    client = await user(smtp)
    await client.envelope(*to, sender=sender)
    reply = await client.data(content + b".\r\n")
    assert reply.startswith("250 2.0.0 OK, kept as "), reply
    return smtp.outbox.sent[-1].content


def names(message: bytes) -> list[bytes]:
    return [name for name, _, _ in fields(message, 0, len(message))]


async def test_what_is_missing_is_added(smtp: House) -> None:
    message = await sent(smtp, b"Subject: x\r\n\r\nhello\r\n")
    assert names(message) == [b"received", b"from", b"date", b"message-id", b"subject"]
    assert b"\r\nFrom: alice@example.test\r\n" in message
    assert re.search(rb"\r\nMessage-ID: <\w+@mail\.example\.test>\r\n", message)
    assert message.endswith(b"\r\nSubject: x\r\n\r\nhello\r\n")


async def test_what_is_there_stays(smtp: House) -> None:
    header = b"From: A <alice@example.test>\r\nDate: then\r\nMessage-ID: <own@id>\r\nTo: x@elsewhere.example\r\n"
    message = await sent(smtp, header + b"\r\nhello\r\n")
    assert message.endswith(b"\r\n" + header + b"\r\nhello\r\n")
    assert names(message).count(b"from") == 1


async def test_blind_copies_stay_blind(smtp: House) -> None:
    header = (
        b"From: alice@example.test\r\nBcc: secret@elsewhere.example,\r\n\tmore@elsewhere.example\r\nbcc : other\r\n"
    )
    header += b"Resent-Bcc: also\r\nSubject: Bcc: is no field here\r\n"
    message = await sent(
        smtp, header + b"\r\nBcc: in the body\r\n", to=("x@elsewhere.example", "secret@elsewhere.example")
    )
    head = message[: message.index(b"\r\n\r\n")]
    assert b"bcc" not in names(message)
    assert b"secret" not in head
    assert b"more@" not in head
    assert b"also" not in head
    assert b"Subject: Bcc: is no field here" in head
    assert message.endswith(b"\r\nBcc: in the body\r\n")


async def test_nobody_learns_where_the_user_is(smtp: House) -> None:
    client = await smtp.connect("submissions")
    await client.say("EHLO [192.168.7.7]")
    await client.login()
    await client.envelope("x@elsewhere.example", sender=ALICE)
    assert (await client.data(b"Subject: x\r\n\r\n.\r\n")).startswith("250")
    message = smtp.outbox.sent[-1].content
    assert b"192.168" not in message
    assert b"127.0.0.1" not in message
    assert re.match(rb"Received: from client\.invalid\r\n\tby mail\.example\.test with ESMTPSA ", message)


async def test_what_a_user_cannot_know_is_removed(smtp: House) -> None:
    header = b"Return-Path: <x>\r\nAuthentication-Results: mail.example.test; dkim=pass\r\nFrom: alice@example.test\r\n"
    message = await sent(smtp, header + b"\r\n")
    assert b"return-path" not in names(message)
    assert b"authentication-results" not in names(message)


FOREIGN = [
    b"From: bob@example.test\r\n",
    b"From: x@elsewhere.example\r\n",
    b"From: alice@example.test, bob@example.test\r\n",
    b"From: bob@example.test, alice@example.test\r\n",
    b"From: sales@example.test\r\n",
    b"From: team: alice@example.test;\r\n",
    b"From: <@example.test:bob@example.test>\r\n",
    b"From: alice@example.test <bob@example.test>\r\n",
    b'From: "alice@example.test" <bob@example.test>\r\n',
    b"From: (alice@example.test) bob@example.test\r\n",
    b"From:\r\n\tbob@example.test\r\n",
    b"FROM : bob@example.test\r\n",
    b"From: Alice\r\n",
    b"From:\r\n",
    b"From: alice\r\n",
    b"From: b\xffb@example.test\r\n",
    b"From: =?utf-8?q?alice=40example=2Etest?=\r\n",
    b"From: alice@example.test\r\nFrom: bob@example.test\r\n",
    b"From: alice@example.test\r\nSender: bob@example.test\r\n",
    b"From: alice@example.test\r\nSender: alice@example.test\r\nSender: bob@example.test\r\n",
    b"Received: x\r\n" * 51 + b"From: alice@example.test\r\n",
    b"X: y\r\n" * 2500 + b"From: bob@example.test\r\n",
]


@pytest.mark.parametrize("header", FOREIGN)
async def test_nobody_writes_as_somebody_else(smtp: House, header: bytes) -> None:
    client = await user(smtp)
    await client.envelope("x@elsewhere.example", sender=ALICE)
    assert (await client.data(header + b"Subject: x\r\n\r\nhello\r\n.\r\n"))[:4] in ("550 ", "552 ", "554 ")
    await client.envelope("x@elsewhere.example", sender=ALICE)
    large = header + b"Subject: x\r\n\r\n" + b"hello\r\n" * 60_000 + b".\r\n"
    assert (await client.data(large))[:4] in ("550 ", "552 ", "554 ")
    assert smtp.outbox.sent == []
    assert list((smtp.store.data / "spool").iterdir()) == []


@pytest.mark.parametrize(
    "header",
    [
        b"From: Alice <ALICE@Example.Test>\r\n",
        b'From: "Bob, <bob@example.test>" <alice+work@example.test>\r\n',
        b"From: ann@example.test\r\nSender: alice@example.test\r\n",
        b"From: alice@example.test (bob@example.test)\r\n",
        b"From: alice@example.test, Ann <ann@example.test>\r\nSender: alice@example.test\r\n",
    ],
)
async def test_ones_own_addresses_are_ones_own(smtp: House, header: bytes) -> None:
    await sent(smtp, header + b"\r\nhello\r\n", sender="ann@example.test")


async def test_a_user_may_send_with_the_null_sender_but_not_in_anothers_name(smtp: House) -> None:
    await sent(smtp, b"From: alice@example.test\r\nSubject: Read: x\r\n\r\n", sender="")
    assert smtp.outbox.sent[-1].sender is None
    client = await user(smtp)
    await client.envelope("x@elsewhere.example", sender="")
    assert (await client.data(b"From: bob@example.test\r\n\r\n.\r\n")).startswith("550 5.7.1")


async def test_the_envelope_goes_out_as_it_was_given(smtp: House) -> None:
    client = await user(smtp)
    assert (await client.say(f"MAIL FROM:<{ALICE}> RET=full ENVID=Q+2B1 BODY=8BITMIME SIZE=10")).startswith("250")
    assert (await client.say("RCPT TO:<x@elsewhere.example> NOTIFY=success,delay ORCPT=rfc822;y@z.example")).startswith(
        "250"
    )
    assert (await client.say(f"RCPT TO:<{BOB}> NOTIFY=never")).startswith("250")
    assert (await client.say("RCPT TO:<postmaster>")).startswith("250")
    assert (await client.data(b"Subject: x\r\n\r\n.\r\n")).startswith("250")
    (message,) = smtp.outbox.sent
    assert (message.account.address, str(message.sender)) == (ALICE, ALICE)
    assert (message.envid, message.ret) == ("Q+2B1", "FULL")
    assert [(str(r.address), r.notify, r.orcpt) for r in message.recipients] == [
        ("x@elsewhere.example", "SUCCESS,DELAY", "rfc822;y@z.example"),
        (BOB, "NEVER", None),
        ("postmaster@example.test", None, None),
    ]
    assert b" for <" not in message.content


async def test_unknown_users_of_ones_own_domain_are_told_at_once(smtp: House) -> None:
    client = await user(smtp)
    await client.say(f"MAIL FROM:<{ALICE}>")
    assert (await client.say("RCPT TO:<nobody@example.test>")).startswith("550 5.1.1")
    assert (await client.say("RCPT TO:<nobody@elsewhere.example>")).startswith("250 2.1.5")


async def test_a_login_ends_with_its_connection_and_not_with_a_transaction(smtp: House) -> None:
    client = await user(smtp)
    for _ in range(2):
        await client.envelope("x@elsewhere.example", sender=ALICE)
        assert (await client.data(b"Subject: x\r\n\r\n.\r\n")).startswith("250")
        await client.hello()
    other = await (await smtp.connect("submissions")).hello()
    assert (await other.say(f"MAIL FROM:<{ALICE}>")).startswith("530 5.7.0")


async def test_wrong_names_and_wrong_passwords_are_told_alike_and_then_not_looked_at(smtp: House) -> None:
    client = await (await smtp.connect("submissions")).hello()
    replies = {await client.login(name, "wrong password") for name in (ALICE, "nobody@example.test", "x@", "\u00e9")}
    assert replies == {"535 5.7.8 Wrong name or password"}
    failures = smtp.servers["submissions"].logins._failures
    for _ in range(10):
        failures.failed("127.0.0.1", "somebody")
    assert (await client.login()).startswith("454 4.7.0")
