"""What language models cost: calls, tokens, time and money of each account and model, day by day (UTC)."""

import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gk.store.db import Store

DAY = 86_400
KEPT = 400  # days


@dataclass(frozen=True, slots=True)
class Spending:
    """Of one account, day and model: `day` in days since 1970, `price` in millionths of the user's money."""

    account: int
    day: int
    model: str
    calls: int
    failed: int
    asked: int  # tokens of questions
    said: int  # tokens of answers
    milliseconds: int
    price: int


class Ledger:
    """The room of calls to models."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits = store.reader, store.commits

    async def reserve(self, account: int, model: str, price: int, calls: int, most: int) -> bool:
        """Count a call that may cost `price`; False, and nothing is counted, beyond the day's `calls` or `most` money.

        `most` 0 is no bound of money.
        """
        day = _today()
        return await self._commits.do(lambda db, facts: _reserve(db, account, day, model, price, calls, most))

    async def settle(
        self, account: int, model: str, price: int, failed: int, asked: int, said: int, milliseconds: int
    ) -> None:
        """What a call took beyond what was reserved; `price` may be less than 0.

        It is of the day the call began: what was set aside before midnight is no money of the new day.
        """
        day = int(time.time() - milliseconds / 1000) // DAY
        await self._commits.do(
            lambda db, facts: _add(db, account, day, model, 0, failed, asked, said, milliseconds, price)
        )

    def of(self, account: int | None = None, days: int = 1) -> list[Spending]:
        """The last days, today among them, of an account or of all; the newest day first."""
        first = _today() - days + 1
        rows = self._db.execute(
            "SELECT account, day, model, calls, failed, asked, said, milliseconds, price FROM model_use"
            " WHERE day >= ? AND (? IS NULL OR account = ?) ORDER BY day DESC, account, model",
            (first, account, account),
        )
        return [Spending(*row) for row in rows]


def _today() -> int:
    return int(time.time()) // DAY


def _reserve(db: sqlite3.Connection, account: int, day: int, model: str, price: int, calls: int, most: int) -> bool:
    made, spent = db.execute(
        "SELECT coalesce(sum(calls), 0), coalesce(sum(price), 0) FROM model_use WHERE account = ? AND day = ?",
        (account, day),
    ).fetchone()
    if not made:
        db.execute("DELETE FROM model_use WHERE account = ? AND day < ?", (account, day - KEPT))
    if made + 1 > calls or (most and spent + price > most):
        return False
    _add(db, account, day, model, 1, 0, 0, 0, 0, price)
    return True


def _add(db: sqlite3.Connection, account: int, day: int, model: str, *counts: int) -> None:
    db.execute(
        "INSERT INTO model_use (account, day, model, calls, failed, asked, said, milliseconds, price)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (account, day, model) DO UPDATE SET"
        " calls = calls + ?4, failed = failed + ?5, asked = asked + ?6, said = said + ?7,"
        " milliseconds = milliseconds + ?8, price = price + ?9",
        (account, day, model, *counts),
    )
