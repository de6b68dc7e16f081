"""The service that keeps search.db filled: it starts one child process, wakes it, and hears how far it is."""

import asyncio
import contextlib
import logging
import sqlite3
import sys
from typing import TYPE_CHECKING

from gk import metrics
from gk.bus import Subscription
from gk.errors import Unavailable
from gk.events import Event, MessageDelivered, MessagesExpunged
from gk.service import child_environment
from gk.store.values import Fact

if TYPE_CHECKING:
    from gk.store.db import Store

log = logging.getLogger(__name__)

GATHER, CROWD = 1.0, 100  # seconds news waits for company, messages that are company enough
PATIENCE = 5.0  # seconds the child has to finish its batch
LINE = 1 << 20  # octets of a line of the child
CHILD = "gk.store.search.child"


class Indexer:
    """Supervises the child; when that ends, so does `run`, and both are started again after a doubling pause."""

    name = "indexer"

    def __init__(self, store: "Store", log_format: str = "text") -> None:
        self._store, self._format = store, log_format
        self._child: asyncio.subprocess.Process | None = None
        self._mark = 0
        self._damaged = False  # the child was told to begin anew and has not yet
        self._erased = True
        self._heard = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process id of the child, while there is one."""
        return self._child.pid if self._child else None

    async def rest(self) -> None:
        """Wait until everything committed is indexed, and everything dropped forgotten, without gathering first."""
        while True:
            heard = self._heard
            if self._child and self._behind() == 0 and not self._dropped():
                return
            self._ask(b"w")
            await heard.wait()

    async def erase(self) -> None:
        """Leave nothing in search.db of what has been dropped; it is merged as a whole, which takes its time."""
        await self.rest()
        self._erased = False
        while not self._erased:
            heard = self._heard
            self._ask(b"E")
            await heard.wait()

    async def run(self, ready: asyncio.Event) -> None:
        ready.set()  # searches are right without the index
        self._store.search.complain = self._complain
        self._store.search.wonder = lambda: self._ask(b"w")
        with self._store.bus.subscribe(MessageDelivered, MessagesExpunged) as news:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", CHILD, str(self._store.data.absolute()), self._format,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=child_environment(), limit=LINE,
            )  # fmt: skip
            try:
                waking = asyncio.ensure_future(self._wake(news))
                try:
                    await self._listen()
                finally:
                    waking.cancel()
                    await asyncio.wait([waking])
            finally:
                await self._end()

    async def _end(self) -> None:
        """Have the child stop after its batch."""
        child, self._child = self._child, None
        assert child is not None and child.stdin is not None
        child.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await child.wait()
        except TimeoutError:
            log.warning("event=search_child_killed")
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                await child.stdin.wait_closed()

    async def _wake(self, news: Subscription[Event]) -> None:
        while True:
            await news.wait()
            count = 0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GATHER):
                    while count < CROWD:
                        await news.wait()
                        count += len(news.drain())
            self._count()
            self._ask(b"w")

    async def _listen(self) -> None:
        """Act on what the child says, until it says no more."""
        assert self._child is not None and self._child.stdout is not None
        while line := await self._child.stdout.readline():
            word, *rest = line.decode().split()
            match word:
                case "mark":
                    self._mark = int(rest[0])
                    self._store.search.vouched = None if self._damaged else (int(rest[1]), int(rest[2]))
                    self._count()
                case "forgot":
                    await self._clear([(int(a), int(m)) for a, m in zip(rest[::2], rest[1::2], strict=True)])
                case "renewed":
                    self._damaged = False
                case "erased":
                    self._erased = True
            self._heard.set()
            self._heard = asyncio.Event()

    async def _clear(self, pairs: list[tuple[int, int]]) -> None:
        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            db.executemany("DELETE FROM dropped WHERE account = ? AND message = ?", pairs)

        try:
            await self._store.commits.do(work)
        except Unavailable as error:  # forgetting twice does no harm
            log.warning("event=search_dropped_stay reason=%s", type(error).__name__)

    def _complain(self) -> None:
        self._damaged = True
        self._ask(b"R")

    def _ask(self, letter: bytes) -> None:
        """Write to the child, unless it has not read what was written before."""
        if self._child is None or self._child.stdin is None or self._child.stdin.is_closing():
            return
        if letter != b"w" or not self._child.stdin.transport.get_write_buffer_size():
            self._child.stdin.write(letter)

    def _behind(self) -> int:
        """How many messages, at most, are not indexed."""
        row = self._store.reader.execute("SELECT seq FROM sqlite_sequence WHERE name = 'message'").fetchone()
        return max(0, row[0] - self._mark) if row else 0

    def _dropped(self) -> bool:
        return self._store.reader.execute("SELECT 1 FROM dropped LIMIT 1").fetchone() is not None

    def _count(self) -> None:
        metrics.backlog.labels("indexed").set(self._behind())
