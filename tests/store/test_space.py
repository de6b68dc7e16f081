"""Who waits for the filer: deliveries for deliveries, copies for copies."""

import asyncio
from pathlib import Path

from gk.config import Limits
from gk.store.space import Space
from gk.store.values import Flags
from tests.store.rooms import append, box, message, opened


async def _waits(coroutine: "asyncio.Future[None] | object") -> bool:
    task = asyncio.ensure_future(coroutine)  # type: ignore[arg-type]
    await asyncio.sleep(0)
    done = task.done()
    task.cancel()
    return not done


async def test_copies_hold_up_copies_and_nobody_else(tmp_path: Path) -> None:
    space = Space(tmp_path, Limits(journal_messages=10, journal_bytes=1000))
    space.backlog(5, 500)
    space.backlog(64_000, 64_000_000, copied=True)
    assert not await _waits(space.room())
    assert await _waits(space.room_for_copies())
    space.backlog(6, 60)
    assert await _waits(space.room()), "11 of its own"
    space.backlog(-64_000, -64_000_000)
    assert not await _waits(space.room_for_copies())
    assert await _waits(space.room()), "what left is taken for copies first"
    space.backlog(-11, -560)
    assert not await _waits(space.room())


async def test_what_was_copied_is_counted_until_it_is_filed(tmp_path: Path) -> None:
    async with opened(tmp_path, journal_messages=20) as store:
        await store.mailboxes.append(box(store), [(await store.prepare(message(n)), Flags(), None) for n in range(15)])
        await store.mailboxes.copy(box(store), range(1, 16), box(store, "Archive"))
        async with asyncio.timeout(1):
            await append(store, box(store), message(99))  # does not wait for the copies
        await store.filer.rest()
        assert (store.space._messages, store.space._copied) == (0, 0)
        assert (store.space._bytes, store.space._copied_bytes) == (0, 0)
