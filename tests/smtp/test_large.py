"""Large messages pass through the spool: memory stays small, and nothing of them changes."""

import hashlib
import tracemalloc
from pathlib import Path

from gk.store.db import JOURNAL
from tests.smtp.conftest import ALICE, Client, House

LINE = b"0123456789" * 7 + b"\r\n"


async def upload(client: Client, size: int, *, stuffed: bool = False) -> bytes:
    """Send a message of about so many bytes piece by piece; the digest of what was sent."""
    block = (LINE * 999 + b"..a line with a dot in front\r\n" * stuffed) * 2
    digest = hashlib.sha256()
    assert (await client.say("DATA")).startswith("354")
    client.send(b"Subject: large\r\n\r\n")
    digest.update(b"Subject: large\r\n\r\n")
    for _ in range(size // len(block)):
        client.send(block)
        digest.update(block.replace(b"\r\n..", b"\r\n."))
        await client.writer.drain()
    client.send(b".\r\n")
    return digest.digest()


async def test_a_large_message_is_never_in_memory_whole(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    tracemalloc.start()
    try:
        await upload(client, 24 << 20)
        reply = await client.reply()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reply.startswith("250 2.0.0 OK, kept")
    assert peak < 6 << 20, f"{peak >> 10} KiB"


async def test_a_large_message_is_kept_byte_for_byte(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    digest = await upload(client, 3 << 20, stuffed=True)
    assert (await client.reply()).startswith("250 2.0.0 OK, kept")
    (message,) = await smtp.inbox()
    head = message.index(b"Subject: large")
    assert hashlib.sha256(message[head:]).digest() == digest
    assert message[:head].startswith(
        b"Return-Path: <eve@example.org>\r\nDelivered-To: alice@example.test\r\nReceived: "
    )


async def test_messages_around_the_size_of_the_journal_arrive(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    sizes = [JOURNAL + more for more in (-400, -200, -100, -1, 0, 1, 100)]
    for size in sizes:
        await client.envelope()
        body = (LINE * (size // len(LINE) + 1))[: size - 2]
        body = body.rstrip(b"\r\n") + b"\r\n"
        assert (await client.data(b"\r\n" + body + b".\r\n")).startswith("250"), size
    assert len(await smtp.inbox()) == len(sizes)


async def test_a_large_message_with_a_bare_line_feed_leaves_nothing(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    reply = await client.data(b"Subject: x\r\n\r\n" + LINE * 20_000 + b"bare\n" + LINE * 20_000 + b".\r\n")
    assert reply.startswith("550 5.6.11")
    assert list((smtp.store.data / "spool").iterdir()) == []
    assert await smtp.inbox() == []


async def test_a_large_submission_is_spooled_too(smtp: House) -> None:
    client = await (await smtp.connect("submissions")).hello()
    await client.login()
    await client.envelope("x@elsewhere.example", sender=ALICE)
    digest = await upload(client, 1 << 20)
    assert (await client.reply()).startswith("250 2.0.0 OK, kept as ")
    content = smtp.outbox.sent[0].content
    assert hashlib.sha256(content[content.index(b"Subject: large") :]).digest() == digest


async def test_a_client_that_leaves_in_the_middle_leaves_no_file(smtp: House, tmp_path: Path) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    assert (await client.say("DATA")).startswith("354")
    client.send(b"Subject: x\r\n\r\n" + LINE * 20_000)
    await client.close()
    other = await smtp.connect()
    while smtp.gate.total > 1:
        assert await other.say("NOOP") == "250 2.0.0 OK"
    assert list((smtp.store.data / "spool").iterdir()) == []
    assert await smtp.inbox() == []
