"""What DMARC reports will tell (RFC 9990 §2): messages counted by day, policy and result, gone once they were told.

A row names domains and the address of a server, never a person. Strangers choose what is in it: everything is bounded.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gk.store.db import Store

DAYS = 3  # rows wait for their report
ROWS, ROWS_OF_ONE = 20_000, 2_000  # in all, and of one domain and day; others are not counted any more
TLS_REPORTED = "tls_reported"


@dataclass(frozen=True, slots=True)
class DmarcResult:
    """What messages had in common: `domain` published the policy; `content` are plain values, JSON."""

    day: int
    domain: str
    content: str


class ReportCounts:
    """The room of what is to be reported."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits = store.reader, store.commits

    async def count(
        self, results: Mapping[DmarcResult, int], policies: Mapping[tuple[int, str], str], today: int
    ) -> None:
        """Add messages to their rows; `policies` are the records by (day, domain), the last one counts."""
        counted, records = list(results.items()), list(policies.items())
        await self._commits.do(lambda db, facts: _count(db, counted, records, today))

    def due(self, today: int, limit: int) -> list[tuple[int, str]]:
        """(day, domain) of the reports about days before `today`."""
        return self._db.execute(
            "SELECT day, domain FROM dmarc_policy WHERE day < ? ORDER BY day, domain LIMIT ?", (today, limit)
        ).fetchall()

    def policy(self, day: int, domain: str) -> str:
        """The record the domain published on that day; "" where nothing is counted."""
        row = self._db.execute("SELECT record FROM dmarc_policy WHERE day = ? AND domain = ?", (day, domain)).fetchone()
        return str(row[0]) if row else ""

    def rows(self, day: int, domain: str) -> list[tuple[str, int]]:
        """(content, messages) of one report."""
        return self._db.execute(
            "SELECT content, messages FROM dmarc_result WHERE day = ? AND domain = ? ORDER BY content", (day, domain)
        ).fetchall()

    async def forget(self, day: int, domain: str) -> None:
        """Erase what was reported, or what nobody wants to hear."""

        def work(db: sqlite3.Connection, facts: object) -> None:
            for table in ("dmarc_result", "dmarc_policy"):
                db.execute(f"DELETE FROM {table} WHERE day = ? AND domain = ?", (day, domain))

        await self._commits.do(work)

    async def clear(self) -> None:
        """Erase all that was counted: nothing is reported any more."""
        if self._db.execute("SELECT 1 FROM dmarc_policy LIMIT 1").fetchone():
            await self._commits.do(lambda db, facts: _clear(db))

    def tls_reported(self) -> int:
        """The last day whose TLS results were reported, 0 before the first."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (TLS_REPORTED,)).fetchone()
        return int(row[0]) if row else 0

    async def set_tls_reported(self, day: int) -> None:
        """The TLS results of a day were reported."""
        await self._commits.do(
            lambda db, facts: db.execute(
                "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (TLS_REPORTED, day),
            )
        )


def _clear(db: sqlite3.Connection) -> None:
    for table in ("dmarc_result", "dmarc_policy"):
        db.execute(f"DELETE FROM {table}")


def _count(
    db: sqlite3.Connection,
    results: Iterable[tuple[DmarcResult, int]],
    policies: Iterable[tuple[tuple[int, str], str]],
    today: int,
) -> None:
    for table in ("dmarc_result", "dmarc_policy"):
        db.execute(f"DELETE FROM {table} WHERE day < ?", (today - DAYS,))
    (rows,) = db.execute("SELECT count(*) FROM dmarc_result").fetchone()
    of_one: dict[tuple[int, str], int] = {}
    for result, messages in results:
        place = result.day, result.domain
        if db.execute(
            "UPDATE dmarc_result SET messages = messages + ? WHERE day = ? AND domain = ? AND content = ?",
            (messages, *place, result.content),
        ).rowcount:
            continue
        if place not in of_one:
            (of_one[place],) = db.execute(
                "SELECT count(*) FROM dmarc_result WHERE day = ? AND domain = ?", place
            ).fetchone()
        if rows >= ROWS or of_one[place] >= ROWS_OF_ONE:
            continue
        rows, of_one[place] = rows + 1, of_one[place] + 1
        db.execute(
            "INSERT INTO dmarc_result (day, domain, content, messages) VALUES (?, ?, ?, ?)",
            (*place, result.content, messages),
        )
    for place, record in policies:
        if of_one.get(place, 1):  # a policy without rows is nobody's report
            db.execute(
                "INSERT INTO dmarc_policy (day, domain, record) VALUES (?, ?, ?)"
                " ON CONFLICT (day, domain) DO UPDATE SET record = excluded.record",
                (*place, record),
            )
