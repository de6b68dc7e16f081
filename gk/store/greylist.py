"""Who was asked to come again: client network, sender and recipient as one keyed hash, and when they may.

A row lasts as long as the client has to come again, and once it did, until it was not seen for long. A network whose
mail came again often enough is a row, too. When the table is full, what ends first makes room: those who never came.
"""

import json
import sqlite3
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

from gk.config import Greylist as Rules
from gk.store.bans import secret

if TYPE_CHECKING:
    from gk.store.db import Store

DAY = 86_400
CLEARED = 1000  # rows dropped at once
KNOWN = 5  # senders and recipients that came again, after which a network is not asked any more


class Greylist:
    """The room of greylisting."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits = store.reader, store.commits
        self._key = secret(store.reader)
        self._rows: int | None = None  # counted once, then kept in step

    def hash(self, *parts: str) -> int:
        """What stands for a client's network, or for it with a sender and a recipient."""
        text = "\0".join(parts).encode("utf-8", "replace")
        mark = blake2b(text, key=self._key, person=b"greylist", digest_size=8)
        return int.from_bytes(mark.digest(), "big", signed=True)

    async def wait(self, network: int, triplets: Sequence[int], rules: Rules, now: int) -> int:
        """Seconds after which the client is to come again; 0 where it did, for one of the recipients at least."""
        if self._lasting(network, triplets, now + (rules.days - 1) * DAY):
            return 0
        asked = list(dict.fromkeys(triplets))

        def work(db: sqlite3.Connection, facts: object) -> int:
            seconds, self._rows = _wait(db, network, asked, rules, now, self._rows)  # of units, one is at work
            return seconds

        return await self._commits.do(work)

    def _lasting(self, network: int, triplets: Sequence[int], enough: int) -> bool:
        """Whether the answer is known, and nothing need be written for it."""
        row = self._db.execute(
            "SELECT 1 FROM greylist WHERE until >= ?1 AND (hash = ?2 AND passed >= ?3"
            " OR hash IN (SELECT value FROM json_each(?4)) AND passed > 0) LIMIT 1",
            (enough, network, KNOWN, json.dumps(list(triplets))),
        ).fetchone()
        return row is not None


def _wait(
    db: sqlite3.Connection, network: int, triplets: Sequence[int], rules: Rules, now: int, counted: int | None
) -> tuple[int, int]:
    """(seconds to wait, rows in the table)."""
    rows = db.execute("SELECT count(*) FROM greylist").fetchone()[0] if counted is None else counted
    known = {
        hash: (first, passed)
        for hash, first, passed in db.execute(
            "SELECT hash, first, passed FROM greylist WHERE until >= ? AND hash IN (SELECT value FROM json_each(?))",
            (now, json.dumps([network, *triplets])),
        )
    }
    trusted = known.pop(network, (0, 0))[1] >= KNOWN
    firsts = [first for first, _ in known.values()]
    wait = 0 if trusted else max(0, rules.minutes * 60 - (now - min(firsts, default=now)))
    until = now + (rules.hours * 3600 if wait else rules.days * DAY)
    for triplet in triplets:
        if wait and triplet in known:
            continue  # who asks again too early waits no longer for it
        rows += _put(db, triplet, now, until, passed=0 if wait else 1)
    if not wait and not any(passed for _, passed in known.values()):
        rows += _put(db, network, now, until, passed=1)
    elif trusted:
        rows += _put(db, network, now, until, passed=0)
    rows -= db.execute(
        "DELETE FROM greylist WHERE hash IN (SELECT hash FROM greylist WHERE until < ? ORDER BY until LIMIT ?)",
        (now, CLEARED),
    ).rowcount
    if rows > rules.entries:
        rows -= db.execute(
            "DELETE FROM greylist WHERE hash IN (SELECT hash FROM greylist ORDER BY until LIMIT ?)",
            (rows - rules.entries,),
        ).rowcount
    return wait, rows


def _put(db: sqlite3.Connection, hash: int, now: int, until: int, passed: int) -> int:
    """Enter or renew a row; the number of rows that makes more. One that has ended begins anew."""
    renewed = db.execute(
        "UPDATE greylist SET first = CASE WHEN until < ?2 THEN ?2 ELSE first END,"
        " passed = CASE WHEN until < ?2 THEN 0 ELSE passed END + ?4, until = ?3 WHERE hash = ?1",
        (hash, now, until, passed),
    ).rowcount
    if renewed:
        return 0
    db.execute("INSERT INTO greylist (hash, first, until, passed) VALUES (?, ?, ?, ?)", (hash, now, until, passed))
    return 1
