"""Memory that was freed goes back to the system."""

import asyncio
import subprocess
import sys

from gk.memory import Memory

# In a process of its own: this one has holes of other tests to fill first.
BURST = """
import asyncio
from gk.memory import Memory, private

async def main():
    memory, ready = Memory(interval=0.01), asyncio.Event()
    service = asyncio.create_task(memory.run(ready))
    await ready.wait()
    before = private()
    burst = [bytes(16 << 10) + b"x" for _ in range(4000)]  # of a size that malloc does not map by itself
    grown = private() - before
    kept = burst[::500]  # between the holes, and at their end
    del burst
    async with asyncio.timeout(30):
        while not memory.trimmed or private() - before > 8 << 20:  # the system tells nobody
            await asyncio.sleep(0.01)
    print(grown >> 20, memory.trimmed, len(kept))

asyncio.run(main())
"""


def test_what_a_burst_left_behind_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", BURST], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    grown, trimmed, _ = map(int, done.stdout.split())
    assert grown > 40 and trimmed


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
