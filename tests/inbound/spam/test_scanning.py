"""Messages are looked at in threads, or elsewhere when many come at once; no one is lost with the process."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from gk.inbound.spam import scanning
from gk.inbound.spam.rule import Around
from gk.inbound.spam.scan import scan
from gk.inbound.spam.scanning import Scanner, answer, read_answer
from gk.service import supervise
from tests.inbound.spam.test_rules import AROUND, FOUND

WEIGHTS = {"pills": 9.5}


@pytest.fixture
async def scanner() -> AsyncIterator[Scanner]:
    service = Scanner()
    async with supervise(service):
        yield service


def test_an_answer_says_what_was_found() -> None:
    for raw in (*FOUND.values(), b"", "Subject: é\r\n\r\n\u2028 a\n\u2029b".encode()):
        found = scan(raw, AROUND, WEIGHTS)
        framed = answer(found)
        lengths = scanning.ANSWERED.unpack(framed[: scanning.ANSWERED.size])
        pieces, at = [], scanning.ANSWERED.size
        for length in lengths:
            pieces.append(framed[at : at + length])
            at += length
        assert at == len(framed) and read_answer(*pieces) == found


async def test_one_message_after_the_other_needs_no_process(scanner: Scanner) -> None:
    for raw in FOUND.values():
        assert await scanner.scan(raw, AROUND, WEIGHTS) == scan(raw, AROUND, WEIGHTS)
    assert scanner.pid is None


async def test_many_at_once_go_to_a_process_and_each_gets_its_own_answer(scanner: Scanner) -> None:
    raws = [*FOUND.values()] * 4
    found = await asyncio.gather(*(scanner.scan(raw, AROUND, WEIGHTS) for raw in raws))
    assert found == [scan(raw, AROUND, WEIGHTS) for raw in raws]
    assert scanner.pid is not None
    other = Around(frozenset({"other.test"}))
    assert await scanner.scan(FOUND["pretends_a_user"], other, {}) == scan(FOUND["pretends_a_user"], other, {})


async def test_a_process_that_dies_loses_no_message(scanner: Scanner) -> None:
    raws = [*FOUND.values()] * 4
    await asyncio.gather(*(scanner.scan(raw, AROUND, WEIGHTS) for raw in raws))
    assert scanner.pid is not None
    os.kill(scanner.pid, signal.SIGSTOP)
    waiting = [asyncio.create_task(scanner.scan(raw, AROUND, WEIGHTS)) for raw in raws]
    await asyncio.sleep(0)
    os.kill(scanner.pid, signal.SIGKILL)
    assert await asyncio.gather(*waiting) == [scan(raw, AROUND, WEIGHTS) for raw in raws]


async def test_it_ends_when_nothing_comes_any_more(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "QUIET", 0.01)
    await asyncio.gather(*(scanner.scan(raw, AROUND, WEIGHTS) for raw in FOUND.values()))
    async with asyncio.timeout(30):
        while scanner.pid is not None:
            await asyncio.sleep(0.01)
    assert await scanner.scan(FOUND["pills"], AROUND, WEIGHTS) == scan(FOUND["pills"], AROUND, WEIGHTS)


async def test_whoever_gives_up_does_not_disturb_the_others(scanner: Scanner) -> None:
    raws = [*FOUND.values()] * 3
    tasks = [asyncio.create_task(scanner.scan(raw, AROUND, WEIGHTS)) for raw in raws]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    for n, raw in enumerate(raws):
        assert isinstance(found[n], asyncio.CancelledError) if n % 3 == 0 else found[n] == scan(raw, AROUND, WEIGHTS)
