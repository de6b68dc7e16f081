"""Clients that dawdle are cut, whatever they dawdle over; others do not notice."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.smtp.conftest import Client, House, house

PATIENT: dict[str, Any] = {
    "banner_seconds": 30.0,
    "command_seconds": 30.0,
    "data_seconds": 30.0,
    "session_seconds": 30.0,
    "stress_seconds": 30.0,
}
SHORT = 0.3


async def silent(client: Client) -> None:
    """No greeting."""


async def greeted(client: Client) -> None:
    """No command."""
    await client.hello()


async def half_a_command(client: Client) -> None:
    await client.hello()
    client.send(b"MAIL FROM:<eve")


async def in_data(client: Client) -> None:
    await client.hello()
    await client.envelope()
    assert (await client.say("DATA")).startswith("354")
    client.send(b"Subject: x\r\n")


async def in_bdat(client: Client) -> None:
    await client.hello()
    await client.envelope()
    client.send(b"BDAT 100\r\nSubject")


async def in_auth(client: Client) -> None:
    await client.hello()
    assert (await client.say("AUTH LOGIN")).startswith("334")


@pytest.mark.parametrize(
    ("limit", "role", "prelude"),
    [
        ("banner_seconds", "mx", silent),
        ("banner_seconds", "submissions", silent),
        ("command_seconds", "mx", greeted),
        ("command_seconds", "mx", half_a_command),
        ("command_seconds", "submission", in_auth),
        ("data_seconds", "mx", in_data),
        ("data_seconds", "mx", in_bdat),
        ("session_seconds", "mx", greeted),
    ],
)
async def test_who_waits_too_long_is_cut(tmp_path: Path, limit: str, role: str, prelude: Any) -> None:
    async with house(tmp_path / "data", **(PATIENT | {limit: SHORT})) as smtp:
        client = await smtp.connect(role)
        await prelude(client)
        assert (await client.reply()).startswith("421 4.4.2 Too slow")
        assert await client.closed()
        assert list((tmp_path / "data" / "spool").iterdir()) == []
        assert await smtp.inbox() == []


async def test_a_trickle_does_not_prolong_the_wait_for_a_greeting(tmp_path: Path) -> None:
    async with house(tmp_path / "data", **(PATIENT | {"banner_seconds": SHORT})) as smtp:
        client = await smtp.connect()
        answers = asyncio.ensure_future(client.reply())
        while not answers.done():
            client.send(b"E")
            await asyncio.wait([answers], timeout=0.02)
        assert (await answers).startswith("421 4.4.2")


async def test_a_message_that_trickles_is_cut_though_every_wait_is_short(tmp_path: Path) -> None:
    async with house(tmp_path / "data", **(PATIENT | {"data_seconds": 0.6})) as smtp:  # the rate is that of 0.3 s
        client = await smtp.connect()
        await in_data(client)
        answers = asyncio.ensure_future(client.reply())
        while not answers.done():
            client.send(b"x")
            await asyncio.wait([answers], timeout=0.02)
        assert (await answers).startswith("421 4.4.2 Too slow: the message does not come")


async def test_a_message_that_flows_outlives_the_session_clock(tmp_path: Path) -> None:
    clocks = PATIENT | {"session_seconds": 0.3, "data_seconds": 0.2}
    async with house(tmp_path / "data", **clocks) as smtp:
        client = await smtp.connect()
        await in_data(client)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while loop.time() - begun < 0.6:
            client.send(b"line of text\r\n" * 100)
            await asyncio.wait([asyncio.ensure_future(client.writer.drain())], timeout=0.02)
            await asyncio.wait([loop.create_future()], timeout=0.02)
        client.send(b".\r\n")
        assert (await client.reply()).startswith("250 2.0.0 OK, kept")


async def test_a_finished_transaction_starts_the_session_clock_again(tmp_path: Path) -> None:
    async with house(tmp_path / "data", **(PATIENT | {"session_seconds": 0.5})) as smtp:
        client = await (await smtp.connect()).hello()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while loop.time() - begun < 1.0:
            await client.envelope()
            assert (await client.data(b"Subject: x\r\n\r\n.\r\n")).startswith("250")
            await asyncio.wait([loop.create_future()], timeout=0.1)
        assert (await client.reply()).startswith("421 4.4.2 Too slow: no finished transaction")


async def test_under_stress_the_waits_are_short(tmp_path: Path) -> None:
    async with house(tmp_path / "data", **(PATIENT | {"stress_seconds": SHORT, "connections": 5})) as smtp:
        idle = [await (await smtp.connect()).hello() for _ in range(4)]
        busy = await (await smtp.connect()).hello()
        assert smtp.gate.stressed
        replies = [asyncio.ensure_future(client.reply()) for client in idle]
        done, others = await asyncio.wait(replies, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        assert all(task.result().startswith("421 4.4.2") for task in done)
        for task in others:
            task.cancel()
        await busy.close()


async def test_a_client_that_reads_nothing_is_cut(tmp_path: Path) -> None:
    async with house(tmp_path / "data", **(PATIENT | {"command_seconds": SHORT})) as smtp:
        client = await (await smtp.connect()).hello()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        with pytest.raises(ConnectionError):
            while True:
                client.send(b"HELP\r\n" * 1000)
                await asyncio.wait_for(client.writer.drain(), 10)
        assert await served(smtp)


async def served(smtp: House) -> bool:
    """Whether another client is."""
    other = await (await smtp.connect()).hello()
    return await other.say("NOOP") == "250 2.0.0 OK"
