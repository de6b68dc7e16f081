"""What messages are about: which are still to be judged, and the results, one row a message, gone with the message.

What is to be judged is noted in the unit that delivers a message, so no crash loses it. A result is of the message
alone, whoever got it; its keywords are set in the unit that keeps it, where the message stands then.
"""

import asyncio
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gk.errors import LimitReached
from gk.store import entries
from gk.store.packed import small, unpacked
from gk.store.values import DELETED, Fact, Flags, Triaged

if TYPE_CHECKING:
    from gk.store.db import Store

LARGEST = 8 << 10  # octets of a stored result
_LONG = ("evidence", "entities", "keywords", "summary")  # what is cut where a result is too large


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one message: `content` is `packed`, None where it could not be judged."""

    message: int
    content: bytes | None = None
    keywords: frozenset[str] = frozenset()


def packed(found: Mapping[str, Any]) -> bytes:
    """A result as it is stored: JSON, compressed; its lists are halved until it is not too large."""
    while True:
        content = small(json.dumps(found).encode())
        if len(content) <= LARGEST or not any(found.get(name) for name in _LONG):
            return content
        found = {**found, **{name: found[name][: len(found[name]) // 2] for name in _LONG if found.get(name)}}


class Triages:
    """The room of results; whoever asks names the account the message is looked for in."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits, self._limit = store.reader, store.commits, store.limits.keywords
        self._new = asyncio.Event()
        self._new.set()  # what a stop left

    def delivered(self) -> None:
        """There are new messages to judge."""
        self._new.set()

    async def some(self) -> None:
        """Wait until there may be messages to judge."""
        await self._new.wait()
        self._new.clear()

    def open(self, most: int) -> list[int]:
        """Ids of messages that are not judged yet, the oldest first."""
        rows = self._db.execute("SELECT DISTINCT message FROM triage_job ORDER BY message LIMIT ?", (most,))
        return [message for (message,) in rows]

    def waiting(self) -> int:
        """How many deliveries are not judged yet."""
        (count,) = self._db.execute("SELECT count(*) FROM triage_job").fetchone()
        return int(count)

    def of(self, message: int) -> dict[str, Any] | None:
        """The result of a message, by its id; None where there is none, or it cannot be read."""
        row = self._db.execute("SELECT content FROM triage WHERE message = ?", (message,)).fetchone()
        return None if row is None else unpacked(row[0])

    async def keep(self, results: Sequence[Result]) -> None:
        """Keep what came of messages and set their keywords, in one commit; what was removed meanwhile is left out."""
        await self._commits.do(lambda db, facts: _keep(db, facts, results, self._limit))


# --- units ------------------------------------------------------------------------------------------------------------


def note(db: sqlite3.Connection, account: int, mailbox: int, message: int) -> bool:
    """Note in the unit of a delivery that a message is to be judged, unless it goes to Junk; whether it is noted."""
    statement = (
        "INSERT INTO triage_job (message, account) SELECT ?, ? FROM mailbox WHERE id = ?"
        " AND special_use IS NOT '\\Junk' ON CONFLICT DO NOTHING"
    )
    return bool(db.execute(statement, (message, account, mailbox)).rowcount)


def _keep(db: sqlite3.Connection, facts: list[Fact], results: Sequence[Result], limit: int) -> None:
    flagged: dict[tuple[int, frozenset[str]], list[int]] = {}
    triaged: list[Fact] = []
    for one in results:
        jobs = db.execute("DELETE FROM triage_job WHERE message = ? RETURNING account", (one.message,)).fetchall()
        if not jobs or one.content is None:  # without a job it was removed meanwhile, and must leave nothing
            continue
        db.execute("INSERT OR REPLACE INTO triage (message, content) VALUES (?, ?)", (one.message, one.content))
        rows = db.execute(
            "SELECT m.account, e.mailbox, e.uid FROM entry e JOIN mailbox m ON m.id = e.mailbox WHERE e.message = ?"
            " AND m.account IN (SELECT value FROM json_each(?)) AND NOT e.flags & ?"
            " AND coalesce(m.special_use, '') NOT IN ('\\Junk', '\\Trash')",
            (one.message, json.dumps([account for (account,) in jobs]), DELETED),
        ).fetchall()
        for account, mailbox, uid in rows:
            flagged.setdefault((mailbox, one.keywords), []).append(uid)
            triaged.append(Triaged(account, mailbox, uid))
    for (mailbox, words), uids in flagged.items():
        if words:
            mark(db, facts, mailbox, sorted(uids), Flags(0, words), limit)
    facts += triaged


def mark(
    db: sqlite3.Connection, facts: list[Fact], mailbox: int, uids: Sequence[int], flags: Flags, limit: int
) -> None:
    """Add flags to messages; a mailbox full of keywords goes without them."""
    try:
        entries.store_flags(db, facts, mailbox, uids, "add", flags, None, limit)
    except LimitReached:
        if flags.system:
            entries.store_flags(db, facts, mailbox, uids, "add", Flags(flags.system), None, limit)
