"""The connections that search: few, each used by one thread at a time, off the event loop.

Each reads gk.db and, where the index may be used, search.db beside it under the name `s`.
"""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gk.store.directory import DATABASE as TRUTH
from gk.store.search import schema
from gk.store.search.schema import DATABASE, identity, read_only

T = TypeVar("T")

CONNECTIONS = 3  # searches at the same time, half of the threads there are; more wait
SHARE = CONNECTIONS - 1  # of one account: who has much to ask keeps nobody else out

Work = Callable[["Reader"], T]


class Reader:
    """One connection; `index` says whether search.db stands beside gk.db."""

    def __init__(self, data: Path, *, index: bool) -> None:
        self._path = data / DATABASE
        self.db = sqlite3.connect(
            read_only(data / TRUTH), uri=True, isolation_level=None, check_same_thread=False, timeout=10
        )
        self.index, self._file = False, 0
        try:
            self.db.execute("PRAGMA query_only=ON")
            self.db.execute("PRAGMA cache_size=-8192")
            if index:
                self._attach()
        except BaseException:
            self.db.close()
            raise

    def _attach(self) -> None:
        """Raises sqlite3.Error for a damaged file; one that is not ours, or just being replaced, is left alone."""
        self._file = self._inode()
        if not self._file:
            return
        self.db.execute("ATTACH ? AS s", (read_only(self._path),))
        self.db.execute("PRAGMA s.cache_size=-16384")
        self.index = schema.belongs(self.db, "s", identity(self.db)) and self._inode() == self._file

    def is_current(self) -> bool:
        """Whether the index beside is the one that is there now."""
        return self.index and self._inode() == self._file

    def _inode(self) -> int:
        try:
            return os.stat(self._path).st_ino
        except OSError:
            return 0


class Readers:
    """Lends the connections out."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._idle: list[Reader] = []
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._shares: dict[int, tuple[asyncio.Semaphore, list[None]]] = {}  # of accounts that ask, and how often
        self._closed = False

    async def run(self, work: Work[T], *, index: bool, account: int) -> T:
        """Run the work of an account in a thread; a caller that is cancelled ends it.

        Raises what the work raises, sqlite3.Error where the index is damaged.
        """
        share, asking = self._shares.setdefault(account, (asyncio.Semaphore(SHARE), []))
        asking.append(None)
        try:
            async with share:
                return await self._run_when_free(work, index)
        finally:
            asking.pop()
            if not asking:
                del self._shares[account]

    async def _run_when_free(self, work: Work[T], index: bool) -> T:
        await self._free.acquire()
        lent: list[Reader] = []
        running = asyncio.ensure_future(asyncio.to_thread(self._run, work, index, lent))
        running.add_done_callback(lambda _: self._free.release())
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            for reader in lent:
                with contextlib.suppress(sqlite3.ProgrammingError):  # it has just ended
                    reader.db.interrupt()
            running.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody asks for it
            raise

    def _run(self, work: Work[T], index: bool, lent: list[Reader]) -> T:
        reader = self._take(index)
        lent.append(reader)
        try:
            reader.db.execute("BEGIN")
            try:
                return work(reader)
            finally:
                if reader.db.in_transaction:
                    reader.db.execute("ROLLBACK")
        except BaseException:
            lent.clear()
            reader.db.close()
            raise
        finally:
            if lent:
                lent.clear()
                self._give(reader)

    def _take(self, index: bool) -> Reader:
        if self._idle:
            reader = self._idle.pop()
            if not index or reader.is_current():
                return reader
            reader.db.close()
        return Reader(self._data, index=index)

    def _give(self, reader: Reader) -> None:
        if self._closed:
            reader.db.close()
        else:
            self._idle.append(reader)

    def close(self) -> None:
        """No more questions; what is still running closes its connection itself."""
        self._closed = True
        while self._idle:
            self._idle.pop().db.close()
