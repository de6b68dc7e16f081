"""SIGTERM under load: everybody is told, the server stops in time, and what it acknowledged is there."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.attacks.conftest import note
from tests.attacks.wire import Imap, Smtp, imap, smtp
from tests.soak.clients import run_until_cut
from tests.soak.rounds import Trial, begun

LONGEST_STOP = 10.0  # seconds


async def sessions(trial: Trial, stack: AsyncExitStack) -> tuple[list[Smtp], list[Imap]]:
    """One session in each state that waits."""
    server = trial.server
    senders = [await stack.enter_async_context(smtp(server, hello=False))]
    await senders[0].reply()
    senders += [await stack.enter_async_context(smtp(server, role)) for role in ("mx", "submissions")]
    await senders[1].envelope("alice@example.test")
    readers = [await stack.enter_async_context(imap(server, *state)) for state in ((), ("alice",), ("alice", "INBOX"))]
    readers += [await stack.enter_async_context(imap(server, "alice", "INBOX", door="tls"))]
    readers[3].send(b"i IDLE\r\n")
    while not (await readers[3].response()).startswith(b"+"):
        pass
    return senders, readers


async def stopped(trial: Trial, name: str, seconds: float) -> None:
    """Load for so long, SIGTERM, and what the sessions hear."""
    async with AsyncExitStack() as stack:
        senders, readers = await sessions(trial, stack)
        load = asyncio.create_task(run_until_cut(trial.server, trial.ledger, name))
        await asyncio.wait([load], timeout=seconds)
        begun = time.monotonic()
        status = await asyncio.to_thread(trial.server.stop, timeout=2 * LONGEST_STOP)
        spent = time.monotonic() - begun
        note("stop under load, s", spent, name)
        assert status == 0 and spent < LONGEST_STOP
        for sender in senders:
            assert (await sender.reply()).startswith("421 4.3.2")
            assert await sender.closed()
        for reader in readers:
            assert b"* BYE the server stops\r\n" in await reader.rest()
        async with asyncio.timeout(10):
            await load


async def rounds(directory: Path, count: int) -> None:
    async with begun(directory, count) as trial:
        for number in range(count):
            await stopped(trial, f"stop{number}", trial.chance.uniform(0.2, 1.0))
            await trial.start()
            wrong = await trial.judge()
            assert not wrong, f"round {number}: {wrong[:5]}"
        assert sum(trial.ledger.acknowledged.values()) > 50 * count
        assert "Traceback" not in trial.server.log.read_text()


async def test_a_server_that_stops_under_load_says_so_and_loses_nothing(tmp_path: Path) -> None:
    await rounds(tmp_path, 1)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_ten_stops_under_load_lose_nothing(tmp_path: Path) -> None:
    await rounds(tmp_path, 10)
