"""The filer: a service that has the rows in `filing` done on disk, in their order; it may be killed anywhere."""

import asyncio
import contextlib
import errno
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from gk.errors import ReadOnly, Unavailable
from gk.store import crash
from gk.store.rounds import Round, Rounds, record
from gk.store.writer import Commits

log = logging.getLogger(__name__)

GATHER = 2.0  # seconds a round waits for company: what it costs is shared, and a burst of mail goes first
CROWD = 4000  # messages that do not wait that long
PAUSE = 5.0  # seconds before work that failed for lack of space is tried again


class Filer:
    """A service that keeps `filing` empty."""

    name = "filer"

    def __init__(
        self,
        data: Path,
        read: Callable[[], sqlite3.Connection],
        commits: Commits,
        settled: Callable[[int, int], None],
    ) -> None:
        """`settled(messages, bytes)` hears what left the backlog."""
        self._data, self._read, self._commits, self._settled = data, read, commits, settled
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._waiting = 0  # messages that came since the last round
        self._resting = 0  # callers of rest()
        self._round_done = asyncio.Event()
        self.idle = asyncio.Event()
        """Set while there is nothing left to file."""

    def wake(self, messages: int = 0) -> None:
        """There is new work, so many messages to place among it."""
        self.idle.clear()
        self._wake.set()
        self._waiting += messages
        if self._waiting >= CROWD:
            self._hurry.set()

    async def round(self) -> None:
        """Wait for the end of the round in hand: a file may be between two names until then."""
        if not self.idle.is_set():
            self._hurry.set()
            async with asyncio.timeout(PAUSE):
                await self._round_done.wait()

    async def rest(self) -> None:
        """Wait until nothing is left to file, without gathering first."""
        self._resting += 1
        self._hurry.set()
        try:
            await self.idle.wait()
        finally:
            self._resting -= 1

    async def run(self, ready: asyncio.Event) -> None:
        db = self._read()
        rounds = Rounds(self._data, db)
        try:
            ready.set()
            self._wake.set()
            while True:
                await self._wake.wait()
                if not self._resting:
                    with contextlib.suppress(TimeoutError):  # not wait_for, which can lose a cancellation until 3.12
                        async with asyncio.timeout(GATHER):
                            await self._hurry.wait()
                self._hurry.clear()
                self._wake.clear()
                self._waiting = 0
                await self._work_off(rounds)
        finally:
            db.close()

    async def _work_off(self, rounds: Rounds) -> None:
        """Rounds as long as they are full; what a small one left over gathers company first."""
        while not self._commits.broken:
            try:
                done = await self._once(rounds)
            except (ReadOnly, Unavailable) as error:
                log.warning("event=filing_waits reason=%s", type(error).__name__)
                done = None
            except OSError as error:
                name = errno.errorcode.get(error.errno or 0, "unknown")
                if error.errno in (errno.EIO, errno.EROFS):
                    self._commits.fail(f"{name} while filing")
                log.exception("event=filing_failed error=%s", name)
                done = None
            self._round_done.set()
            self._round_done = asyncio.Event()
            if done is None:
                await asyncio.sleep(PAUSE)
            elif not done.full:
                if done:
                    self._wake.set()  # look again, later
                elif not self._wake.is_set():
                    self.idle.set()
                return

    async def _once(self, rounds: Rounds) -> Round:
        """One round: what it did."""
        work = asyncio.ensure_future(asyncio.to_thread(rounds.work))
        try:
            done = await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])  # the thread uses its connection: let it end
            if not work.exception():  # what is placed is recorded, or its removal would never be
                await asyncio.shield(self._record(work.result()))
            raise
        if done:
            await self._record(done)
        return done

    async def _record(self, done: Round) -> None:
        """Commit what a round did on disk."""
        spools = await self._commits.do(lambda db, facts: record(db, facts, done))
        crash.here("round-committed")
        for name in spools:
            (self._data / "spool" / name).unlink(missing_ok=True)
            crash.here("spool-removed")
        if done.placed:
            self._settled(len(done.placed), done.size)
