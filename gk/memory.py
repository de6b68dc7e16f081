"""Memory that was freed goes back to the system: glibc keeps it in its arenas otherwise (mallopt(3))."""

import asyncio
import ctypes
import sys
from collections.abc import Callable
from pathlib import Path

GROWN = 8 << 20  # octets of private memory since the last look that are worth another
ARENA_MAX = -8  # M_ARENA_MAX of malloc.h
ARENAS = 2  # one thread at a time runs Python: more arenas hold more holes and make nothing faster
STATUS = Path("/proc/self/status")


def private() -> int:
    """Octets of this process's own memory that are resident (RssAnon, proc(5))."""
    for line in STATUS.read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    return 0


class Memory:
    """Gives back what a burst of large messages left behind, a few seconds after it."""

    name = "memory"

    def __init__(self, interval: float = 5.0, kept: Callable[[], int] = private) -> None:
        """Look every `interval` seconds at what is `kept`."""
        self._interval, self._kept = interval, kept
        self.trimmed = 0  # how often

    async def run(self, ready: asyncio.Event) -> None:
        libc = ctypes.CDLL(None) if sys.platform == "linux" else None
        if libc is None or not hasattr(libc, "malloc_trim"):  # another C library: it has its own ways
            ready.set()
            await asyncio.Event().wait()
            return
        libc.mallopt(ARENA_MAX, ARENAS)
        last = self._kept()
        ready.set()
        while True:
            await asyncio.sleep(self._interval)
            if self._kept() > last + GROWN:
                await asyncio.to_thread(libc.malloc_trim, 0)
                self.trimmed += 1
                last = self._kept()
            else:
                last = min(last, self._kept())
