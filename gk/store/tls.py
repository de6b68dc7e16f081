"""What is known of other domains' TLS: their MTA-STS policies (RFC 8461 §5.1) and the results to report (RFC 8460).

A row names a domain, never an address. Both tables are bounded: strangers choose the domains mail is sent to.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gk.store.db import Store

DAY = 86400  # seconds
DAYS = 90  # results are kept
RESULTS = 10_000  # rows; the oldest days go first
POLICIES = 10_000  # rows; the expired go first, then those longest without use
IDLE = 30 * DAY  # after which a policy nobody sends by is no longer renewed


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """A policy as it was fetched; `mode` is enforce, testing or none, `fetched` in seconds since 1970."""

    id: str
    mode: str
    mx: tuple[str, ...]
    max_age: int
    fetched: int

    def valid(self, now: float) -> bool:
        return now < self.fetched + self.max_age


@dataclass(frozen=True, slots=True)
class TlsResult:
    """What sessions came to: `policy` and `result` in the words of RFC 8460 §4.2 and §4.3, `result` "" for success."""

    day: int
    domain: str
    policy: str
    result: str
    mx: str


@dataclass(frozen=True, slots=True)
class TlsSummary:
    """Equal results of several days, the first and the last in days since 1970; `mx` "" where sessions succeeded."""

    domain: str
    policy: str
    mx: str
    result: str
    sessions: int
    first: int
    last: int


class TlsRecords:
    """The room of policies and results."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits = store.reader, store.commits

    # --- policies -----------------------------------------------------------------------------------------------------

    def policy(self, domain: str) -> StsPolicy | None:
        """The policy kept for a domain, whether it is still valid or not."""
        row = self._db.execute(
            "SELECT id, mode, mx, max_age, fetched FROM sts_policy WHERE domain = ?", (domain,)
        ).fetchone()
        return StsPolicy(row[0], row[1], tuple(row[2].split()), row[3], row[4]) if row else None

    async def keep(self, domain: str, policy: StsPolicy) -> None:
        """Keep a policy just fetched in place of the one before. Raises ReadOnly, DiskFull."""
        await self._commits.do(lambda db, facts: _keep(db, domain, policy))

    def stale(self, now: float, age: int, limit: int) -> list[str]:
        """Domains in use whose valid policy was tried longer ago than `age` seconds, or a quarter of its life."""
        rows = self._db.execute(
            "SELECT domain FROM sts_policy WHERE (tried + ? <= ? OR tried + max_age / 4 <= ?) AND fetched + max_age > ?"
            " AND used > ? ORDER BY tried LIMIT ?",
            (age, now, now, now, now - IDLE, limit),
        )
        return [domain for (domain,) in rows]

    async def tried(self, domains: Iterable[str], now: int) -> None:
        """A renewal was tried: the next one has time."""
        rows = [(now, domain) for domain in domains]
        await self._commits.do(
            lambda db, facts: db.executemany("UPDATE sts_policy SET tried = ? WHERE domain = ?", rows)
        )

    # --- results ------------------------------------------------------------------------------------------------------

    async def count(self, results: Mapping[TlsResult, int], used: Iterable[str], now: int) -> None:
        """Add sessions to their rows, and note which domains' policies were used."""
        counted, seen = list(results.items()), [(now, domain) for domain in used]
        await self._commits.do(lambda db, facts: _count(db, counted, seen, now // DAY))

    def results(self, day: int) -> list[tuple[TlsResult, int]]:
        """The results of one day with their sessions, by domain."""
        rows = self._db.execute(
            "SELECT domain, policy, result, mx, sessions FROM tls_result WHERE day = ?"
            " ORDER BY domain, policy, result, mx",
            (day,),
        )
        return [(TlsResult(day, *row[:4]), row[4]) for row in rows]

    def summary(self, since: int, domain: str, limit: int) -> list[TlsSummary]:
        """Sessions since a day, all or those to one domain; failures come first, so that a limit cuts successes."""
        rows = self._db.execute(
            "SELECT domain, policy, mx, result, sum(sessions), min(day), max(day) FROM tls_result"
            " WHERE day >= ? AND (? = '' OR domain = ?) GROUP BY domain, policy, mx, result"
            " ORDER BY CASE WHEN result = '' THEN 1 ELSE 0 END, domain, policy, mx, result LIMIT ?",
            (since, domain, domain, limit),
        )
        return [TlsSummary(*row) for row in rows]


def _keep(db: sqlite3.Connection, domain: str, policy: StsPolicy) -> None:
    db.execute(
        "INSERT INTO sts_policy (domain, id, mode, mx, max_age, fetched, tried, used) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (domain) DO UPDATE SET id = excluded.id, mode = excluded.mode, mx = excluded.mx,"
        " max_age = excluded.max_age, fetched = excluded.fetched, tried = excluded.tried",
        (
            domain, policy.id, policy.mode, " ".join(policy.mx), policy.max_age,
            policy.fetched, policy.fetched, policy.fetched,
        ),
    )  # fmt: skip
    (count,) = db.execute("SELECT count(*) FROM sts_policy").fetchone()
    if count > POLICIES:
        db.execute(
            "DELETE FROM sts_policy WHERE domain IN (SELECT domain FROM sts_policy WHERE domain <> ?"
            " ORDER BY CASE WHEN fetched + max_age > ? THEN 1 ELSE 0 END, used LIMIT ?)",
            (domain, policy.fetched, count - POLICIES),
        )


def _count(
    db: sqlite3.Connection, results: list[tuple[TlsResult, int]], used: list[tuple[int, str]], today: int
) -> None:
    db.executemany(
        "INSERT INTO tls_result (day, domain, policy, result, mx, sessions) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (day, domain, policy, result, mx) DO UPDATE SET sessions = sessions + excluded.sessions",
        [(r.day, r.domain, r.policy, r.result, r.mx, sessions) for r, sessions in results],
    )
    db.executemany("UPDATE sts_policy SET used = ? WHERE domain = ?", used)
    db.execute("DELETE FROM tls_result WHERE day < ?", (today - DAYS,))
    (count,) = db.execute("SELECT count(*) FROM tls_result").fetchone()
    if count > RESULTS:
        db.execute(
            "DELETE FROM tls_result WHERE (day, domain, policy, result, mx) IN"
            " (SELECT day, domain, policy, result, mx FROM tls_result ORDER BY day LIMIT ?)",
            (count - RESULTS,),
        )
