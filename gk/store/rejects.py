"""The last messages that were not taken: who wrote to whom as the envelope says, and why not. Never their content."""

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gk.store.packed import unpacked
from gk.store.verdicts import packed

if TYPE_CHECKING:
    from gk.store.db import Store

DAY = 86_400
CLEARED = 1000  # outdated rows dropped at once


@dataclass(frozen=True, slots=True)
class Reject:
    """One message that was not taken, `at` in seconds since 1970; `told` are the plain values that were kept."""

    id: int
    at: int
    told: dict[str, Any]


class Rejects:
    """The room of refused and deferred messages: the last `limits.rejects`, for `limits.rejects_days`."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits, self._limits = store.reader, store.commits, store.limits

    async def add(self, told: Mapping[str, Any]) -> None:
        """Keep one; `told` has a list of `findings`, which is cut where it is too long."""
        limits, now = self._limits, int(time.time())
        if not limits.rejects:
            return

        def work(db: sqlite3.Connection, facts: object) -> None:
            added = db.execute("INSERT INTO reject (at, content) VALUES (?, ?)", (now, packed(told))).lastrowid
            assert added is not None
            for which, value in (("id <= ?", added - limits.rejects), ("at < ?", now - limits.rejects_days * DAY)):
                db.execute(
                    f"DELETE FROM reject WHERE id IN (SELECT id FROM reject WHERE {which} LIMIT {CLEARED})",
                    (value,),
                )

        await self._commits.do(work)

    def latest(self, before: int, most: int) -> list[Reject]:
        """Up to `most` with an id below `before`, the newest first."""
        rows = self._db.execute(
            "SELECT id, at, content FROM reject WHERE id < ? AND at >= ? ORDER BY id DESC LIMIT ?",
            (before, self._oldest(), most),
        )
        return [Reject(id, at, told) for id, at, content in rows if (told := unpacked(content)) is not None]

    def get(self, id: int) -> Reject | None:
        """One of them; None where it is not there any more."""
        return next((one for one in self.latest(id + 1, 1) if one.id == id), None)

    def _oldest(self) -> int:
        return int(time.time()) - self._limits.rejects_days * DAY
