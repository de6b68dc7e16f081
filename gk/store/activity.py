"""How much was done, hour by hour (UTC): numbers of kinds, nothing of whose mail it was."""

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gk.store.values import Fact

if TYPE_CHECKING:
    from gk.store.db import Store

HOUR = 3600
KEPT = 400 * 24  # hours


class Activities:
    """The room of these numbers."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits = store.reader, store.commits

    async def add(self, now: float, news: Mapping[str, float]) -> None:
        """So much more in the hour of `now`, by kind."""
        hour = int(now) // HOUR

        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            db.execute("DELETE FROM activity WHERE hour < ?", (hour - KEPT,))
            db.executemany(
                "INSERT INTO activity (hour, kind, amount) VALUES (?1, ?2, ?3)"
                " ON CONFLICT (hour, kind) DO UPDATE SET amount = amount + ?3",
                [(hour, kind, amount) for kind, amount in news.items()],
            )

        await self._commits.do(work)

    def since(self, hour: int) -> list[tuple[int, str, float]]:
        """(hour since 1970, kind, amount), the newest hour first."""
        return self._db.execute(
            "SELECT hour, kind, amount FROM activity WHERE hour >= ? ORDER BY hour DESC, kind", (hour,)
        ).fetchall()
