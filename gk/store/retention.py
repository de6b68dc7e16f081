"""What is kept for a time goes when its time is over: once an hour, in small units."""

import asyncio
import logging
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gk.config import Retention
from gk.errors import Unavailable
from gk.store import removal
from gk.store.directory import connect_reader
from gk.store.values import Fact

if TYPE_CHECKING:
    from gk.store.db import Store

log = logging.getLogger(__name__)

PERIOD = 3600.0  # seconds
DAY = 86_400
SLICE = 500  # messages or rows of one unit
MOST = 50_000  # messages found by one look
ANSWERS = 366  # days after which remembered answers go, whatever was configured when they came


class Retaining:
    """The service."""

    name = "retention"

    def __init__(self, store: "Store", config: Retention) -> None:
        self._store, self._config = store, config

    async def run(self, ready: asyncio.Event) -> None:
        ready.set()
        while True:
            try:
                await self.clear()
            except Unavailable as error:  # a full disk, a read-only store: later
                log.warning("event=retention_put_off reason=%s", error)
            await asyncio.sleep(PERIOD)

    async def clear(self) -> int:
        """Take away what is too old; how many messages went. Raises Unavailable."""
        kept, now = self._config, int(time.time())
        gone = 0
        for use, days in (("\\Trash", kept.trash), ("\\Junk", kept.junk)):
            if days:
                gone += await self._messages(use, now - days * DAY)
        for table, column, days in (
            ("conversation", "last", kept.conversations), ("effect", "at", kept.conversations),
            ("reply", "last_attempt", kept.replies), ("model_answer", "at", ANSWERS),
        ):  # fmt: skip
            if days:
                await self._rows(table, column, now - days * DAY)
        if kept.backups:
            await asyncio.to_thread(_expire, self._store.data / "backup", now - kept.backups * DAY)
        if gone:
            log.info("event=retention_cleared messages=%d", gone)
        return gone

    async def _messages(self, use: str, before: int) -> int:
        gone = 0
        while True:
            # All entries of these mailboxes are looked at, with no index: not in the event loop.
            rows = await asyncio.to_thread(_old, self._store.data, use, before)
            earlier = gone
            places: dict[int, list[int]] = {}
            for mailbox, uid in rows:
                places.setdefault(mailbox, []).append(uid)
            for mailbox, uids in places.items():
                for start in range(0, len(uids), SLICE):
                    work = partial(_remove, mailbox=mailbox, uids=uids[start : start + SLICE])
                    gone += len(await self._store.commits.do(work))
            if len(rows) < MOST or gone == earlier:
                return gone

    async def _rows(self, table: str, column: str, before: int) -> None:
        statement = (
            f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {column} < ? LIMIT ?)"
            if table != "model_answer"
            else f"DELETE FROM {table} WHERE {column} < ? AND ?"
        )

        def work(db: sqlite3.Connection, facts: list[Fact]) -> int:
            return db.execute(statement, (before, SLICE)).rowcount

        while await self._store.commits.do(work) == SLICE:
            pass


def _old(data: Path, use: str, before: int) -> list[tuple[int, int]]:
    """(mailbox, uid) of what came there before that time."""
    db = connect_reader(data)
    try:
        return db.execute(
            "SELECT e.mailbox, e.uid FROM mailbox b JOIN entry e ON e.mailbox = b.id"
            " WHERE b.special_use = ? AND coalesce(e.saved, e.date) < ? ORDER BY e.mailbox, e.uid LIMIT ?",
            (use, before, MOST),
        ).fetchall()
    finally:
        db.close()


def _remove(db: sqlite3.Connection, facts: list[Fact], mailbox: int, uids: list[int]) -> list[int]:
    return removal.remove(db, facts, mailbox, uids, only_deleted=False)


def _expire(directory: Path, before: int) -> None:
    for path in directory.glob("*.db"):
        try:
            if path.stat().st_mtime >= before:
                continue
            path.unlink()
        except FileNotFoundError:  # somebody else removed it
            continue
        else:
            log.info("event=backup_expired name=%s", path.name)
