"""The one writing connection: units of work, committed in groups.

A unit is a plain function of rows: it awaits nothing, opens no file, publishes nothing. `Writer.commit` drains the
waiting units, runs each under a savepoint in one transaction and commits, so a batch costs one thread hop and one
sync. A unit that fails rolls back alone; an I/O error fails the batch and makes the store read-only.
"""

import asyncio
import functools
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import aiosqlite

from gk import metrics
from gk.errors import DiskFull, GkError, Overloaded, ReadOnly, Unavailable
from gk.store import crash
from gk.store.values import Fact

log = logging.getLogger(__name__)
T = TypeVar("T")
Work = Callable[[sqlite3.Connection, list[Fact]], T]

BATCH = 256  # units of one commit: bounds the time of a transaction, and so everybody's wait
WAITING = 20_000  # units waiting; more than that is refused, not queued
CHECKPOINTS, PAUSE = 100, 0.05  # tries to empty the log, and seconds between two of them
CHECKPOINT = 4000  # WAL pages (16 MiB) before SQLite moves them into the database

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    f"PRAGMA wal_autocheckpoint={CHECKPOINT}",
    "PRAGMA cache_size=-65536",
    "PRAGMA mmap_size=0",
    "PRAGMA temp_store=MEMORY",
)
_LASTING = ("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_READONLY")


class Unit(Generic[T]):
    """One unit of work on its way, and what came of it."""

    __slots__ = ("done", "error", "facts", "result", "work")

    def __init__(self, work: Work[T], done: "asyncio.Future[T]") -> None:
        self.work, self.done = work, done
        self.facts: list[Fact] = []
        self.result: T | None = None
        self.error: BaseException | None = None


class Writer(sqlite3.Connection):
    """A connection whose `commit` runs the waiting units; called in aiosqlite's thread only."""

    def __init__(
        self,
        waiting: "deque[Unit[Any]]",
        finished: "list[Unit[Any]]",
        relief: Callable[[], bool],
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._waiting, self._finished, self._relief = waiting, finished, relief

    def commit(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        try:
            self._run(batch)
        except sqlite3.Error as error:
            # Disk full: the ballast is given up once, so that mail can still be read, moved and deleted.
            if error.sqlite_errorname == "SQLITE_FULL" and self._relief():
                try:
                    self._run(batch)
                except sqlite3.Error as again:
                    self._fail(batch, again)
            else:
                self._fail(batch, error)
        except MemoryError:
            self._fail(batch, sqlite3.OperationalError("out of memory"))
        self._finished += batch

    def _run(self, batch: "list[Unit[Any]]") -> None:
        execute = self.execute
        try:
            execute("BEGIN IMMEDIATE")
            for unit in batch:
                unit.facts.clear()
                execute("SAVEPOINT unit")
                try:
                    unit.result = unit.work(self, unit.facts)
                except sqlite3.OperationalError:
                    raise
                except Exception as error:  # the unit's own error: its rows go, the others' stay
                    unit.error = error
                    unit.facts.clear()
                    execute("ROLLBACK TO unit")
                execute("RELEASE unit")
            crash.here("units-done")
            execute("COMMIT")
            crash.here("committed")
        except BaseException:
            if self.in_transaction:
                try:
                    execute("ROLLBACK")
                except sqlite3.Error:
                    pass  # the transaction is gone either way
            raise

    @staticmethod
    def _fail(batch: "list[Unit[Any]]", error: sqlite3.Error) -> None:
        for unit in batch:
            unit.facts.clear()
            unit.error = error


class Commits:
    """The asyncio side: `do` a unit, get its result after the synced commit."""

    name = "store-writer"

    def __init__(self, path: Path, publish: Callable[[list[Fact]], None], relief: Callable[[], bool]) -> None:
        self._path, self._publish, self._relief = path, publish, relief
        self._waiting: deque[Unit[Any]] = deque()
        self._wake = asyncio.Event()
        self._compacting: list[asyncio.Future[None]] = []
        self.broken: str | None = None
        """Why nothing is written any more; None while all is well."""

    async def do(self, work: Work[T]) -> T:
        """Run the unit in the next commit; return its result once that is on disk.

        Raises what the unit raised, ReadOnly after an I/O error, DiskFull, Overloaded. A caller that is cancelled
        meanwhile does not undo the unit.
        """
        if self.broken:
            raise ReadOnly(self.broken)
        if len(self._waiting) >= WAITING:
            raise Overloaded("too many changes are waiting to be written")
        unit: Unit[T] = Unit(work, asyncio.get_running_loop().create_future())
        self._waiting.append(unit)
        self._wake.set()
        return await unit.done

    async def compact(self) -> None:
        """Leave nothing of what was deleted in the files: the database is written anew, and its log emptied.

        Everybody's changes wait meanwhile. Raises DiskFull, Unavailable where a reader was in the way.
        """
        if self.broken:
            raise ReadOnly(self.broken)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._compacting.append(done)
        self._wake.set()
        await done

    async def run(self, ready: asyncio.Event) -> None:
        finished: list[Unit[Any]] = []
        factory = functools.partial(Writer, self._waiting, finished, self._relief)
        async with aiosqlite.connect(self._path, factory=factory, isolation_level=None, cached_statements=256) as db:
            for pragma in _PRAGMAS:
                await db.execute_fetchall(pragma)
            ready.set()
            try:
                while True:
                    await self._wake.wait()
                    self._wake.clear()
                    while self._waiting:
                        await self._commit(db, finished)
                    while self._compacting:
                        await self._compact(db, self._compacting.pop())
            finally:
                # Whoever asked for a write was promised an answer: finish what is waiting, then close.
                while self._waiting and not self.broken:
                    await asyncio.shield(self._commit(db, finished))
                self._refuse_waiting()
                for done in self._compacting:
                    if not done.done():
                        done.set_exception(Unavailable("the server is stopping"))

    async def _commit(self, db: aiosqlite.Connection, finished: "list[Unit[Any]]") -> None:
        began = time.perf_counter()
        commit = asyncio.ensure_future(db.commit())
        try:
            await asyncio.shield(commit)
        except asyncio.CancelledError:
            await asyncio.wait([commit])
            self._settle(finished)
            raise
        self._settle(finished)
        metrics.commits.observe(time.perf_counter() - began)

    async def _compact(self, db: aiosqlite.Connection, done: "asyncio.Future[None]") -> None:
        try:
            await db.execute_fetchall("VACUUM")
            for _ in range(CHECKPOINTS):
                ((busy, *_),) = await db.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
                if not busy:
                    break
                await asyncio.sleep(PAUSE)  # a reader is in the middle of something
            else:
                raise Unavailable("the log could not be emptied while somebody read; try again")
        except (sqlite3.Error, Unavailable) as error:
            if not done.done():
                done.set_exception(self._translate(error))
        else:
            if not done.done():
                done.set_result(None)

    def _settle(self, finished: "list[Unit[Any]]") -> None:
        batch, finished[:] = finished[:], []
        facts: list[Fact] = []
        for unit in batch:
            if unit.error is not None:
                unit.error = self._translate(unit.error)
            facts += unit.facts
        if facts:
            self._publish(facts)
        crash.here("published")
        metrics.commit_units.inc(len(batch))
        for unit in batch:
            if unit.done.done():
                continue  # the caller is gone
            if unit.error is None:
                unit.done.set_result(unit.result)
            else:
                unit.done.set_exception(unit.error)

    def _translate(self, error: BaseException) -> BaseException:
        if isinstance(error, sqlite3.Error):
            name = getattr(error, "sqlite_errorname", None) or "SQLITE_ERROR"
            if name == "SQLITE_FULL":
                return DiskFull("the disk is full")
            if name.startswith(_LASTING):
                self.fail(f"{name} while writing the database")
                return ReadOnly(str(self.broken))
            log.error("event=commit_failed error=%s", name)
            return Unavailable("the change could not be written")
        if not isinstance(error, GkError):
            log.error("event=unit_failed error=%s", type(error).__name__, exc_info=error)
        return error

    def fail(self, why: str) -> None:
        """Turn read-only until restarted."""
        if not self.broken:
            self.broken = f"the store is read-only since an I/O error ({why}); check the disk, then restart"
            metrics.read_only.set(1)
            log.critical("event=store_read_only reason=%s", why)

    def _refuse_waiting(self) -> None:
        while self._waiting:
            unit = self._waiting.popleft()
            if not unit.done.done():
                unit.done.set_exception(ReadOnly(self.broken) if self.broken else Unavailable("the server stops"))
