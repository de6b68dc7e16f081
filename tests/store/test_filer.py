"""The filer as a service."""

import asyncio
from pathlib import Path

import pytest

from gk.store.filer import CROWD
from tests.store.rooms import append, box, message, opened


@pytest.mark.parametrize("turns", range(5))
async def test_a_stop_in_the_moment_it_is_hurried_is_still_a_stop(turns: int, tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.filer.rest()
        await append(store, box(store), message(1))
        await asyncio.sleep(0)  # it gathers company
        (task,) = [t for t in asyncio.all_tasks() if t.get_name() == store.filer.name]
        store.filer.wake(CROWD)
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(5):
            await asyncio.wait([task])
