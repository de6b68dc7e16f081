"""Killed at every durable step of writer and filer, a store opens again with what it acknowledged, and verifies."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gk.store.crash import PLACES
from gk.store.directory import connect_reader
from gk.store.verify import verify
from tests.store.rooms import State, opened, state

STEPS = 150
LONG = os.environ.get("GK_FUZZ") == "1"


def lived(data: Path, seed: int, crash: str | None, steps: int = STEPS) -> tuple[int, list[dict[str, State]]]:
    """Run a history in a process of its own; its exit status and what it told."""
    environment = dict(os.environ) | ({"GK_CRASH_AT": crash} if crash else {})
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.history", str(data), str(seed), str(steps)],
        env=environment, capture_output=True, check=False, timeout=50,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.endswith(b"}")]
    assert done.returncode != 3, f"the history is not as foretold: {lines[-1]}"
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return done.returncode, lines


async def begun(data: Path) -> Path:
    """A data directory with the accounts in it."""
    async with opened(data):
        return data


async def check_opens(data: Path, told: dict[str, State]) -> None:
    """The state is one of the two foretold, before and after the filer has finished, and index and files agree."""
    async with opened(data) as store:
        found = await state(store)
        after = told["after"]
        for name, mailbox in after.items():
            mailbox["validity"] = mailbox["validity"] or found.get(name, {}).get("validity")
        assert found in (told["before"], after), f"lost in {told['try']}"
        await store.filer.rest()
        assert await state(store) == found
        db = connect_reader(data)
        try:
            assert verify(db, data, content=True) == []
        finally:
            db.close()
        assert list((data / "spool").iterdir()) == []


@pytest.mark.parametrize("place", PLACES)
async def test_a_kill_at_this_step_loses_nothing_acknowledged(place: str, tmp_path: Path) -> None:
    for nth in (1, 4) if not LONG else range(1, 21):
        data = await begun(tmp_path / str(nth))
        for seed in range(nth, nth + 40, 10):  # some histories are too short for the n-th time
            status, lines = await asyncio.to_thread(lived, data, seed, f"{place}:{nth}")
            await check_opens(data, lines[-1] if "try" in lines[-1] else lines[-2])
            if status:
                break
        assert status == -signal.SIGKILL, f"no history came to {place} {nth} times"


async def test_a_killed_history_goes_on_and_is_killed_again(tmp_path: Path) -> None:
    await begun(tmp_path)
    for seed, place in enumerate(("file-renamed:2", "round-committed:2", "committed:30", "flags-renamed:1")):
        _, lines = await asyncio.to_thread(lived, tmp_path, seed, place)
        await check_opens(tmp_path, lines[-1] if "try" in lines[-1] else lines[-2])


@pytest.mark.parametrize("seed", range(2 if not LONG else 50))
async def test_a_history_without_a_kill_ends_as_foretold(seed: int, tmp_path: Path) -> None:
    status, lines = await asyncio.to_thread(lived, tmp_path, 1000 + seed, None)
    assert status == 0
    await check_opens(tmp_path, lines[-2])
