"""Bans that outlive the process: one row a network. Who is banned now is known in memory (gk.accounts.bans)."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gk.store.db import Store


@dataclass(frozen=True, slots=True)
class Ban:
    """A network that is not served before `until`, in seconds since 1970; `times` counts its bans in a row."""

    network: str
    until: int
    added: int
    times: int
    reason: str


def secret(db: sqlite3.Connection) -> bytes:
    """The key of the hashes that stand for clients, of this store."""
    parts = db.execute("SELECT value FROM meta WHERE name LIKE 'abuse_' ORDER BY name")
    return b"".join(value.to_bytes(8, "big") for (value,) in parts)


class BanRows:
    """The room of bans."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits = store.reader, store.commits
        self._key = secret(store.reader)

    def mark(self, network: str) -> str:
        """What stands for a network in logs: the same in all of them, and telling nobody else whose it is."""
        return blake2b(network.encode("utf-8", "replace"), key=self._key, person=b"client", digest_size=6).hexdigest()

    def every(self, most: int) -> list[Ban]:
        """All that are kept, up to `most` of those that last longest."""
        rows = self._db.execute(
            "SELECT network, until, added, times, reason FROM ban ORDER BY until DESC LIMIT ?", (most,)
        )
        return [Ban(*row) for row in rows]

    async def keep(self, bans: Iterable[Ban], gone: Iterable[str] = ()) -> None:
        """Write these and drop those."""
        rows = [(b.network, b.until, b.added, b.times, b.reason) for b in bans]
        dropped = [(network,) for network in gone]

        def work(db: sqlite3.Connection, facts: object) -> None:
            db.executemany("DELETE FROM ban WHERE network = ?", dropped)
            db.executemany("INSERT OR REPLACE INTO ban (network, until, added, times, reason) VALUES (?,?,?,?,?)", rows)

        await self._commits.do(work)
