"""Clients that leave, and a server that stops: a complete message is stored once, an incomplete one never."""

import asyncio
import socket
import struct
from pathlib import Path

import pytest

from gk.events import MessageDelivered
from tests.smtp.conftest import ALICE, Client, House, house

MESSAGE = b"Subject: x\r\n\r\nhello\r\n.\r\n"
LARGE = b"Subject: x\r\n\r\n" + b"hello\r\n" * 100_000 + b".\r\n"


def half_close(client: Client) -> None:
    client.writer.write_eof()


def close(client: Client) -> None:
    client.writer.close()


def reset(client: Client) -> None:
    sock = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


@pytest.mark.parametrize("leave", [half_close, close, reset])
@pytest.mark.parametrize("content", [MESSAGE, LARGE], ids=["small", "large"])
async def test_a_complete_message_is_stored_once_though_its_client_leaves(
    smtp: House, leave: object, content: bytes
) -> None:
    with smtp.bus.subscribe(MessageDelivered) as events:
        client = await (await smtp.connect()).hello()
        await client.envelope()
        assert (await client.say("DATA")).startswith("354")
        client.send(content)
        await client.writer.drain()
        leave(client)  # type: ignore[operator]
        if leave is reset and content is LARGE:
            # The kernel may drop what was not read yet: then the message was never complete.
            await gone(smtp)
            assert len(await smtp.inbox()) <= 1
            return
        await asyncio.wait_for(anext(aiter(events)), 10)
    await gone(smtp)
    assert len(await smtp.inbox()) == 1


async def gone(smtp: House) -> None:
    """Until the other connections have ended."""
    other = await smtp.connect()
    while smtp.gate.total > 1:
        assert await other.say("NOOP") == "250 2.0.0 OK"


async def test_a_client_that_closes_its_half_still_hears_the_answer(smtp: House) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    assert (await client.say("DATA")).startswith("354")
    client.send(MESSAGE + b"NOOP\r\nQUIT\r\n")
    client.writer.write_eof()
    assert (await client.reply()).startswith("250 2.0.0 OK, kept")
    assert await client.reply() == "250 2.0.0 OK"
    assert await client.reply() == "221 2.0.0 Bye"
    assert await client.closed()


@pytest.mark.parametrize("part", [MESSAGE[:-1], MESSAGE[:-3], MESSAGE[:-5] + b"\n.\r\n"])
async def test_an_incomplete_message_is_not_stored(smtp: House, part: bytes) -> None:
    client = await (await smtp.connect()).hello()
    await client.envelope()
    assert (await client.say("DATA")).startswith("354")
    client.send(part)
    client.writer.write_eof()
    assert await client.closed()
    assert await smtp.inbox() == []


async def test_a_stopping_server_says_goodbye_between_commands(tmp_path: Path) -> None:
    async with house(tmp_path / "data") as smtp:
        idle = await (await smtp.connect()).hello()
        silent = await smtp.connect()
        smtp.clients.clear()  # they stay when the house closes
    for client in (idle, silent):
        assert (await client.reply()).startswith("421 4.3.2")
        assert await client.closed()
        await client.close()


async def test_a_stopping_server_finishes_the_message_in_hand(tmp_path: Path) -> None:
    async with house(tmp_path / "data") as smtp:
        client = await (await smtp.connect()).hello()
        await client.envelope()
        assert (await client.say("DATA")).startswith("354")
        client.send(MESSAGE[:10])
        loop = asyncio.get_running_loop()
        loop.call_later(0.1, client.send, MESSAGE[10:])
        smtp.clients.clear()
    assert (await client.reply()).startswith("250 2.0.0 OK, kept")
    assert (await client.reply()).startswith("421 4.3.2")
    await client.close()
    async with house(tmp_path / "data") as smtp:
        assert len(await smtp.inbox(ALICE)) == 1
