"""One message stays one message: every mix of CR, LF and NUL around a dot (SMTP smuggling)."""

import itertools

import pytest

from tests.smtp.conftest import ALICE, House

BEFORE = [
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\n\r",
    b"\r\r",
    b"\r\n\0",
    b"\0\r\n",
    b"\r\0\n",
    b"\r\n ",
    b"\r\n\x0b",
    b"\r\n\xe2\x80\xa8",
]
AFTER = [b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r\r", b"\0\r\n", b"\r\0\n", b" \r\n", b"\x85", b"\r\n"]
VARIANTS = [before + b"." + after for before, after in itertools.product(BEFORE, AFTER)]
VARIANTS = [variant for variant in VARIANTS if b"\r\n.\r\n" not in variant]
SMUGGLED = (
    b"MAIL FROM:<root@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: two\r\n\r\nsmuggled\r\n.\r\n"
)


async def test_what_looks_like_an_end_is_none(smtp: House) -> None:
    assert len(VARIANTS) >= 90
    kept = 0
    for variant in VARIANTS:
        client = await (await smtp.connect()).hello()
        await client.envelope()
        reply = await client.data(b"Subject: one\r\n\r\nfirst" + variant + SMUGGLED)
        bare = variant.replace(b"\r\n", b"")
        if b"\r" in bare or b"\n" in bare or b"\0" in bare:
            assert reply.startswith("550 5.6.11"), variant
        else:
            assert reply.startswith("250 2.0.0 OK, kept"), variant
            kept += 1
        assert await client.say("NOOP") == "250 2.0.0 OK", variant
        await client.close()
    assert kept
    assert len(await smtp.inbox()) == kept
    assert all(b"smuggled" in message and b"RCPT TO:<bob" in message for message in await smtp.inbox())
    assert await smtp.inbox("bob@example.test") == []


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_the_end_is_found_however_it_is_cut(smtp: House, size: int) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    assert (await client.say("DATA")).startswith("354")
    raw = b"Subject: x\r\n\r\n..dot\r\n..\r\nend\r\n.\r\nNOOP\r\n"
    for at in range(0, len(raw), size):
        client.send(raw[at : at + size])
        await client.writer.drain()
    assert (await client.reply()).startswith("250 2.0.0 OK, kept")
    assert await client.reply() == "250 2.0.0 OK"
    (message,) = await smtp.inbox()
    assert message.endswith(b"Subject: x\r\n\r\n.dot\r\n.\r\nend\r\n")


async def test_a_bare_cr_in_front_of_the_true_end_refuses_the_message(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    assert (await client.data(b"Subject: one\r\n\r\nfirst\r\r\n.\r\n")).startswith("550 5.6.11")
    assert await client.say(f"RCPT TO:<{ALICE}>") == "503 5.5.1 MAIL first"
    assert await smtp.inbox() == []


async def test_a_message_is_kept_byte_for_byte(smtp: House) -> None:
    body = bytes(set(range(256)) - {0, 10, 13}) + b"\r\n" + b"." * 300 + b"\r\n\r\n\r\n \r\n"
    message = b"Subject: x\r\nX: \xff\xfe\r\n\r\n" + body
    client = await (await smtp.connect()).hello()
    await client.envelope()
    wire = (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:]
    assert (await client.data(wire + b".\r\n")).startswith("250")
    (stored,) = await smtp.inbox()
    assert stored.endswith(b"\r\n" + message)
