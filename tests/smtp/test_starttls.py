"""TLS: nothing from before it counts after it, and it is asked for where passwords are."""

import asyncio

import pytest

from tests.smtp.conftest import ALICE, House

INJECTED = [
    b"EHLO evil.example.org\r\n",
    b"NOOP\r\n",
    b"RSET\r\nNOOP\r\n",
    b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n",
    b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABkZW1vLXBhc3N3b3Jk\r\n",
    b"QUIT\r\n",
    b"STARTTLS\r\n",
    b"half a li",
]


@pytest.mark.parametrize("role", ["mx", "submission"])
@pytest.mark.parametrize("injected", INJECTED)
async def test_what_follows_starttls_in_plain_text_is_dropped(strict: House, role: str, injected: bytes) -> None:
    client = await (await strict.connect(role)).hello()
    client.send(b"STARTTLS\r\n" + injected)
    assert await client.reply() == "220 2.0.0 Ready to start TLS"
    await client.writer.start_tls(strict.client_tls())
    assert await client.say("NOOP x") == "250 2.0.0 OK"
    assert (await client.say("MAIL FROM:<eve@example.org>")).startswith("503 5.5.1 EHLO")
    assert (await client.say("EHLO c")).startswith("250-mail.example.test")
    await client.close()


async def test_plain_text_instead_of_a_handshake_ends_the_connection(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    assert (await client.say("STARTTLS")).startswith("220")
    client.send(b"EHLO client.example.org\r\nMAIL FROM:<eve@example.org>\r\n")
    while line := await client.reader.read(100):
        assert b"250" not in line
    await client.close()
    assert smtp.gate.total == 0


async def test_a_client_that_leaves_during_the_handshake_leaves_nothing_behind(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    assert (await client.say("STARTTLS")).startswith("220")
    await client.close()
    other = await smtp.connect()
    while smtp.gate.total > 1:
        assert await other.say("NOOP") == "250 2.0.0 OK"
    await other.close()


async def test_mail_flows_inside_tls(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.start_tls(smtp.client_tls())
    await client.hello()
    await client.envelope()
    assert (await client.data(b"Subject: x\r\n\r\n" + b"line\r\n" * 100_000 + b".\r\n")).startswith("250")
    assert await client.say("QUIT") == "221 2.0.0 Bye"
    assert await client.closed()
    (message,) = await smtp.inbox()
    assert b"with ESMTPS (TLSv1.3) id " in message


async def test_implicit_tls_offers_logins_at_once_and_no_starttls(strict: House) -> None:
    client = await strict.connect("submissions")
    greeting = await client.say("EHLO client.example.org")
    assert "250-AUTH PLAIN LOGIN" in greeting
    assert "STARTTLS" not in greeting
    assert (await client.say("STARTTLS")).startswith("503 5.5.1")
    assert await client.login() == "235 2.7.0 Welcome"
    await client.envelope("x@elsewhere.example", sender=ALICE)
    assert (await client.data(b"Subject: x\r\n\r\nhello\r\n.\r\n")).startswith("250 2.0.0 OK, kept as ")
    assert b"with ESMTPSA (TLSv1.3) id " in strict.outbox.sent[0].content
    client.writer.close()


async def test_a_half_close_inside_tls_ends_the_session(smtp: House) -> None:
    client = await smtp.connect("submissions")
    await client.close()
    other = await smtp.connect()
    while smtp.gate.total > 1:
        assert await other.say("NOOP") == "250 2.0.0 OK"
    await other.close()


@pytest.mark.parametrize(
    "command", ["AUTH PLAIN", "AUTH LOGIN", "AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABkZW1vLXBhc3N3b3Jk"]
)
async def test_before_tls_no_password_is_asked_for_or_taken(strict: House, command: str) -> None:
    client = await strict.connect("submission")
    greeting = await client.say("EHLO client.example.org")
    assert "AUTH" not in greeting
    assert (await client.say(command)).startswith("538 5.7.11")
    assert (await client.say(f"MAIL FROM:<{ALICE}>")).startswith("530 5.7.0")
    await client.close()


async def test_the_port_of_other_servers_takes_no_logins(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.start_tls(smtp.client_tls())
    greeting = await client.say("EHLO client.example.org")
    assert "AUTH" not in greeting
    assert (await client.say("AUTH PLAIN")).startswith("502 5.5.1")
    await client.close()


async def test_the_cut_of_one_handshake_does_not_hurt_another(smtp: House) -> None:
    clients = [await (await smtp.connect()).hello() for _ in range(6)]
    for client in clients:
        assert (await client.say("STARTTLS")).startswith("220")
    for client in clients[::2]:
        client.send(b"\x16\x03\x01garbage" * 10)
    await asyncio.gather(*(client.writer.start_tls(smtp.client_tls()) for client in clients[1::2]))
    for client in clients[1::2]:
        assert await client.say("NOOP") == "250 2.0.0 OK"
    for client in clients:
        await client.close()
