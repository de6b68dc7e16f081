"""Slow clients by the thousand: new ones are greeted at once, mail flows, and the clocks cut who says nothing."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.attacks.conftest import Target, note
from tests.attacks.test_bombs import deliver
from tests.attacks.watch import watching
from tests.attacks.wire import imap, smtp
from tests.imap.client import message
from tests.server import running

DEADLINE = 4  # seconds for everything
LIMITS = f"""\
banner_seconds = {DEADLINE}
command_seconds = {DEADLINE}
data_seconds = {DEADLINE}
session_seconds = {2 * DEADLINE}
login_seconds = {DEADLINE}
free_space_bytes = 1
"""
PARTIAL = {"mx": b"EHLO slow.example.org\r\nMAIL FROM:<a@b.example>\r\nRCPT TO", "starttls": b"a LOGIN alice@exa"}


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server of little patience."""
    with running(tmp_path_factory.mktemp("slow"), LIMITS) as server, watching(server) as watch:
        yield Target(server, watch)


Held = list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]


@asynccontextmanager
async def crowd(target: Target, door: str, addresses: list[str], each: int) -> AsyncIterator[Held]:
    """Connections that were greeted and do not go on."""
    port = target.server.ports[door]
    held: Held = []

    async def one(address: str) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0), limit=1024)
        except ConnectionError:
            return
        held.append((reader, writer))

    try:
        for address in addresses:
            await asyncio.gather(*(one(address) for _ in range(each)))
        yield held
    finally:
        for _, writer in held:
            writer.close()


async def greeting(target: Target, door: str) -> float:
    """How long a new client waits for it."""
    begun = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", target.server.ports[door], local_addr=("127.98.0.1", 0))
    line = await reader.readline()
    writer.close()
    assert line.startswith((b"220 ", b"* OK")), line
    return time.perf_counter() - begun


async def drip(held: Held, data: bytes) -> None:
    """A byte to each connection, as long as there are any."""
    for at in range(len(data)):
        for _, writer in held:
            if not writer.is_closing():
                writer.write(data[at : at + 1])
        await asyncio.gather(*(_drained(writer) for _, writer in held))


async def _drained(writer: asyncio.StreamWriter) -> None:
    try:
        await writer.drain()
    except OSError:
        pass


async def end(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except OSError:
        return b""


@pytest.mark.slow
async def test_two_thousand_slow_clients_keep_nobody_waiting_and_are_cut(slow: Target) -> None:
    addresses = [f"127.50.{n}.1" for n in range(50)]
    before = slow.memory("VmRSS")
    async with crowd(slow, "mx", addresses, 20) as mail, crowd(slow, "starttls", addresses, 20) as readers:
        assert len(mail) == len(readers) == 1000
        async with slow.attack("2,000 slow clients"):
            dripping = asyncio.gather(drip(mail, PARTIAL["mx"][:3]), drip(readers, PARTIAL["starttls"][:3]))
            waits = [await greeting(slow, door) for _ in range(20) for door in ("mx", "starttls")]
            await dripping
            note("memory per slow connection, KiB", (slow.memory("VmRSS") - before) / 2000, "1,000 SMTP, 1,000 IMAP")
            assert slow.memory("VmRSS") - before < 2000 * 60
            note("greeting of a new client, s", max(waits), "2,000 slow clients")
            note("median greeting of a new client, s", statistics.median(waits), "2,000 slow clients")
            assert max(waits) < 2.0
            async with smtp(slow.server, source="127.98.0.2") as client:
                assert (await deliver(client, message("through"))).startswith("250")
            async with imap(slow.server, "alice", "INBOX", source="127.98.0.2") as client:
                assert b"* SEARCH\r\n" not in await client.ok("SEARCH SUBJECT through")
            async with asyncio.timeout(4 * DEADLINE):  # all are cut
                last = await asyncio.gather(*(end(reader) for reader, _ in mail + readers))
        assert all(b"421 4.4.2" in said for said in last[:1000])
        cut = [said for said in last[1000:] if b"* BYE no login in time" in said]
        crowded = [said for said in last[1000:] if said == b"" or b"* BYE too many connections without" in said]
        assert len(cut) + len(crowded) == 1000 and 450 <= len(cut) <= 500


async def test_one_address_has_its_share_and_no_more(slow: Target) -> None:
    async with slow.attack("400 connections from one address"):
        for door, refusal in (("mx", b"421 4.7.0"), ("starttls", b"* BYE [UNAVAILABLE]")):
            async with crowd(slow, door, ["127.51.0.1"], 400) as held:
                lines = await asyncio.gather(*(reader.readline() for reader, _ in held))
                assert sum(line.startswith(refusal) for line in lines) == 100
                assert await greeting(slow, door) < 2.0


async def test_a_message_that_comes_too_slowly_is_cut_and_its_mail_dropped(slow: Target) -> None:
    async with smtp(slow.server, source="127.52.0.1") as client, imap(slow.server, "alice", "INBOX") as reader:
        await client.envelope("alice@example.test")
        assert (await client.say("DATA")).startswith("354")
        async with slow.attack("a message of one byte a moment"):
            replied = asyncio.create_task(client.reply())
            while not replied.done():
                client.send(b"x")
                await asyncio.wait([replied], timeout=0.05)
            assert (await replied).startswith(("421 4.4.2", ""))
        assert b"EXISTS" not in b"".join(await reader.ok("NOOP"))


async def test_who_logs_in_and_sleeps_in_the_middle_of_a_command_is_not_in_the_way(slow: Target) -> None:
    async with imap(slow.server, "alice") as sleeper, imap(slow.server, "alice") as other:
        sleeper.send(b"a APPEND INBOX {1000}\r\n")
        assert (await sleeper.response()).startswith(b"+ ")
        sleeper.send(b"half")
        async with slow.attack("half an APPEND"):
            await other.append(message("one"))
            await other.ok("SELECT INBOX")
            await other.ok("CREATE Other")
            await other.ok("RENAME Other Another")


@pytest.mark.parametrize("door", ["submissions", "tls"])
async def test_a_client_that_never_finishes_its_handshake_counts_like_any_other(slow: Target, door: str) -> None:
    async with slow.attack(f"400 connections without a handshake: {door}"):
        before = slow.memory("VmRSS")
        async with crowd(slow, door, ["127.53.0.1"], 400) as held:
            ends = [asyncio.create_task(end(reader)) for reader, _ in held]
            done, _ = await asyncio.wait(ends, timeout=DEADLINE, return_when=asyncio.FIRST_COMPLETED)
            while len(done) < 100:
                done, _ = await asyncio.wait(ends, timeout=DEADLINE / 10)
            note("memory per unfinished handshake, KiB", (slow.memory("VmRSS") - before) / 300, door)
            async with smtp(slow.server, "submissions", source="127.54.0.1") as client:
                assert (await client.login()).startswith("235")
            async with imap(slow.server, "alice", "INBOX", door="tls", source="127.54.0.1") as client:
                await client.ok("NOOP")
            async with asyncio.timeout(4 * DEADLINE):
                await asyncio.gather(*ends)
