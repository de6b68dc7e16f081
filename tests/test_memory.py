"""Memory that was freed goes back to the system."""

import asyncio

from gk.memory import Memory, private

BLOCK = 16 << 10  # below what malloc maps by itself


async def test_what_a_burst_left_behind_is_given_back() -> None:
    memory, ready = Memory(interval=0.01), asyncio.Event()
    service = asyncio.create_task(memory.run(ready))
    await ready.wait()
    before = private()
    burst = [bytes(BLOCK) + b"x" for _ in range(4000)]
    grown = private()
    assert grown - before > 40 << 20
    kept = burst[::500]  # between the holes, and at their end
    del burst
    async with asyncio.timeout(30):
        while private() - before > 8 << 20:  # the system tells nobody
            await asyncio.sleep(0.01)
    assert memory.trimmed and kept
    service.cancel()
    await asyncio.gather(service, return_exceptions=True)


async def test_a_process_that_does_not_grow_is_left_alone() -> None:
    looked = asyncio.Event()
    looks: list[int] = []

    def steady() -> int:
        looks.append(1)
        if len(looks) > 10:
            looked.set()
        return 100 << 20

    memory = Memory(interval=0.0, kept=steady)
    service = asyncio.create_task(memory.run(asyncio.Event()))
    async with asyncio.timeout(30):
        await looked.wait()
    assert memory.trimmed == 0
    service.cancel()
    await asyncio.gather(service, return_exceptions=True)
