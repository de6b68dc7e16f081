"""What language models cost: calls and tokens of each account, day by day (UTC)."""

import sqlite3
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gk.store.db import Store

DAY = 86_400
KEPT = 400  # days


class Ledger:
    """The room of calls to models."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits = store.reader, store.commits

    async def count(self, account: int, calls: int, tokens: int, most: int) -> bool:
        """Add to today's; False, and nothing is added, where the calls would be more than `most`."""
        day = int(time.time()) // DAY
        return await self._commits.do(lambda db, facts: _count(db, account, day, calls, tokens, most))

    def of(self, account: int, days: int = 1) -> tuple[int, int]:
        """(calls, tokens) of the last days, today among them."""
        first = int(time.time()) // DAY - days + 1
        calls, tokens = self._db.execute(
            "SELECT coalesce(sum(calls), 0), coalesce(sum(tokens), 0) FROM model_day WHERE account = ? AND day >= ?",
            (account, first),
        ).fetchone()
        return calls, tokens


def _count(db: sqlite3.Connection, account: int, day: int, calls: int, tokens: int, most: int) -> bool:
    row = db.execute("SELECT calls FROM model_day WHERE account = ? AND day = ?", (account, day)).fetchone()
    if row is None:
        db.execute("DELETE FROM model_day WHERE account = ? AND day < ?", (account, day - KEPT))
    if calls and (row[0] if row else 0) + calls > most:
        return False
    db.execute(
        "INSERT INTO model_day (account, day, calls, tokens) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (account, day) DO UPDATE SET calls = calls + ?3, tokens = tokens + ?4",
        (account, day, calls, tokens),
    )
    return True
