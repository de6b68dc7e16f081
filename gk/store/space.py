"""Room on the disk and in the journal: refuse early, keep a reserve, let deliveries wait for the filer.

The ballast is a file of zeros given up when the disk is full, so that mail can be expunged at 0 bytes free; it is
made again when there is room.
"""

import asyncio
import logging
import os
import time
from pathlib import Path

from gk import metrics
from gk.config import Limits
from gk.errors import DiskFull

log = logging.getLogger(__name__)

LOOK = 0.5  # seconds a reading of the free space is good for
TEND = 5.0  # seconds between looks at the ballast
LOWEST_FLOOR = 4 << 20
FLOOR_SHARE = 20  # a twentieth of the disk, where that is less than the configured floor


class Space:
    """Counts what is free and what is under way."""

    name = "space"

    def __init__(self, data: Path, limits: Limits) -> None:
        self._data, self._limits = data, limits
        self._ballast = data / "ballast"
        self._looked = 0.0
        self._free = self._floor = self._taken = 0
        self._messages = self._bytes = 0  # entries whose file is not made yet
        self._copied = self._copied_bytes = 0  # those among them that brought no content, as far as is known
        self._room = asyncio.Event()
        self._room.set()
        self._room_for_copies = asyncio.Event()
        self._room_for_copies.set()
        self.tended = asyncio.Event()
        """Set once the ballast was looked at."""

    def check(self, size: int) -> None:
        """Raise DiskFull when taking `size` bytes would leave less than the floor; counts them as taken."""
        now = time.monotonic()
        if now - self._looked > LOOK:
            self.look()
        if self._free - self._taken - size < self._floor:
            raise DiskFull("too little space is left on the disk")
        self._taken += size

    def look(self) -> None:
        """Read how much is free."""
        disk = os.statvfs(self._data)
        self._free = disk.f_bavail * disk.f_frsize
        total = disk.f_blocks * disk.f_frsize
        self._floor = max(LOWEST_FLOOR, min(self._limits.free_space_bytes, total // FLOOR_SHARE))
        if disk.f_files and disk.f_favail < 16:
            self._free = 0  # no inodes is no room either
        self._looked, self._taken = time.monotonic(), 0

    def backlog(self, messages: int, size: int, *, copied: bool = False) -> None:
        """So many entries and bytes came to wait for their files, or (negative) no longer do.

        What one user copies must not hold up what others are sent: copies are counted apart. Which of the two an
        entry that left was is not known; it is taken for a copy, so that the journal is never thought smaller than it
        is.
        """
        self._messages += messages
        self._bytes += size
        if copied or messages < 0:
            self._copied = max(0, self._copied + messages)
            self._copied_bytes = max(0, self._copied_bytes + size)
        metrics.backlog.labels("filed").set(self._messages)
        limits = self._limits
        own, own_bytes = self._messages - self._copied, self._bytes - self._copied_bytes
        _set(self._room, own < limits.journal_messages and own_bytes < limits.journal_bytes)
        _set(self._room_for_copies, self._copied < limits.journal_messages)

    async def room(self) -> None:
        """Wait while the journal is full: the filer sets the pace then."""
        if not self._room.is_set():
            await self._room.wait()

    async def room_for_copies(self) -> None:
        """Wait while as many copies wait for their files."""
        if not self._room_for_copies.is_set():
            await self._room_for_copies.wait()

    def relieve(self) -> bool:
        """Give the ballast up; false when it is gone already."""
        try:
            self._ballast.unlink()
        except OSError:
            return False
        log.warning("event=disk_full ballast=released")
        return True

    async def run(self, ready: asyncio.Event) -> None:
        ready.set()
        while True:
            await asyncio.to_thread(self._tend)
            self.tended.set()
            await asyncio.sleep(TEND)

    def _tend(self) -> None:
        disk = os.statvfs(self._data)
        total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
        size = min(8 << 20, total // 32)
        floor = max(LOWEST_FLOOR, min(self._limits.free_space_bytes, total // FLOOR_SHARE))
        if self._ballast.exists() or free < floor + 2 * size:
            return
        fresh = self._ballast.with_suffix(".new")
        try:
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, size)
            finally:
                os.close(fd)
            fresh.rename(self._ballast)
        except OSError:
            fresh.unlink(missing_ok=True)


def _set(event: asyncio.Event, on: bool) -> None:
    if on:
        event.set()
    else:
        event.clear()
