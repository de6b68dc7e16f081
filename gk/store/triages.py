"""What messages are about: which are still to be judged, and the results, one row a message, gone with the message.

What is to be judged is noted in the unit that delivers a message, so no crash loses it. A result is of the message
alone, whoever got it; its keywords are set in the unit that keeps it, where the message stands then. The same unit
moves what a route leads elsewhere, so that is done once or not at all.
"""

import asyncio
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gk.errors import LimitReached, Refused
from gk.store import entries, names
from gk.store.packed import small, unpacked
from gk.store.values import DELETED, DELIMITER, FLAGGED, INBOX, SEEN, Fact, Flags, Triaged

if TYPE_CHECKING:
    from gk.store.db import Store

LARGEST = 8 << 10  # octets of a stored result
_LONG = ("evidence", "entities", "keywords", "summary")  # what is cut where a result is too large


NONE = Flags()


@dataclass(frozen=True, slots=True)
class Route:
    """What becomes of a message that stands in INBOX as it was delivered: `users` are addresses, none: of everybody.

    `folder` "" leaves it there; `priority` goes from 1 to 5.
    """

    name: str
    users: frozenset[str] = frozenset()
    folder: str = ""
    flags: Flags = NONE
    priority: int = 5


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one message: `content` is `packed`, None where it could not be judged.

    `category`, `urgency` and `awaiting` are what the bus hears; of `routes` the first that is for a user holds.
    """

    message: int
    content: bytes | None = None
    keywords: frozenset[str] = frozenset()
    category: str = ""
    urgency: str = ""
    awaiting: bool = False
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Routed:
    """What a route made of a message in one account; `folder` "": it stayed, `flags` with blanks between them."""

    account: int
    route: str
    folder: str
    flags: str
    priority: int


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
        self._db, self._commits, self._limits = store.reader, store.commits, store.limits
        self._new = asyncio.Event()
        self._new.set()  # what a stop left
        self.news = False
        """Something was delivered since whoever judges said no."""

    def delivered(self) -> None:
        """There are new messages to judge."""
        self.news = True
        self._new.set()

    async def some(self) -> None:
        """Wait until there may be messages to judge."""
        await self._new.wait()
        self._new.clear()

    def open(self, most: int, after: int = 0) -> list[int]:
        """Ids of messages that are not judged yet, the oldest first, from behind `after`."""
        rows = self._db.execute(
            "SELECT DISTINCT message FROM triage_job WHERE message > ? ORDER BY message LIMIT ?", (after, most)
        )
        return [message for (message,) in rows]

    def waiting(self) -> int:
        """How many deliveries are not judged yet."""
        (count,) = self._db.execute("SELECT count(*) FROM triage_job").fetchone()
        return int(count)

    def of(self, message: int) -> dict[str, Any] | None:
        """The result of a message, by its id; None where there is none, or it cannot be read."""
        row = self._db.execute("SELECT content FROM triage WHERE message = ?", (message,)).fetchone()
        return None if row is None else unpacked(row[0])

    def routed(self, message: int) -> list[Routed]:
        """What routes made of a message, in each account."""
        query = "SELECT account, route, folder, flags, priority FROM routed WHERE message = ? ORDER BY account"
        return [Routed(*row) for row in self._db.execute(query, (message,))]

    async def keep(self, results: Sequence[Result]) -> None:
        """Keep what came of messages, set keywords and follow routes, in one commit; what was removed is left out."""
        if not results:
            return
        limits = self._limits
        await self._commits.do(lambda db, facts: _keep(db, facts, results, limits.keywords, limits.mailboxes))


# --- units ------------------------------------------------------------------------------------------------------------


def note(db: sqlite3.Connection, account: int, mailbox: int, message: int, uid: int | None = None) -> bool:
    """Note in the unit of a delivery that a message is to be judged, unless it goes to Junk; whether it is noted.

    Without its uid, as of mail that is kept in step with a mailbox elsewhere, no route leads it away.
    """
    statement = (
        "INSERT INTO triage_job (message, account, mailbox, uid) SELECT ?, ?, id, ? FROM mailbox WHERE id = ?"
        " AND special_use IS NOT '\\Junk' ON CONFLICT DO NOTHING"
    )
    return bool(db.execute(statement, (message, account, uid, mailbox)).rowcount)


@dataclass(frozen=True, slots=True)
class _Job:
    """One delivery to be judged: where it was placed, None of what no route may lead away."""

    account: int
    mailbox: int | None
    uid: int | None


def _keep(db: sqlite3.Connection, facts: list[Fact], results: Sequence[Result], limit: int, mailboxes: int) -> None:
    flagged: dict[tuple[int, Flags], list[int]] = {}
    triaged: list[Fact] = []
    for one in results:
        jobs = db.execute(
            "DELETE FROM triage_job WHERE message = ? RETURNING account, mailbox, uid", (one.message,)
        ).fetchall()
        if not jobs or one.content is None:  # without a job it was removed meanwhile, and must leave nothing
            continue
        db.execute("INSERT OR REPLACE INTO triage (message, content) VALUES (?, ?)", (one.message, one.content))
        moved: dict[tuple[int, int], tuple[Route, bool]] = {}
        for job in [_Job(*row) for row in jobs] if one.routes else ():
            moved |= _follow(db, facts, one, job, limit, mailboxes)
        rows = db.execute(
            "SELECT m.account, e.mailbox, e.uid FROM entry e JOIN mailbox m ON m.id = e.mailbox WHERE e.message = ?"
            " AND m.account IN (SELECT value FROM json_each(?)) AND NOT e.flags & ?"
            " AND coalesce(m.special_use, '') NOT IN ('\\Junk', '\\Trash')",
            (one.message, json.dumps([job[0] for job in jobs]), DELETED),
        ).fetchall()
        for account, mailbox, uid in rows:
            route, went = moved.get((mailbox, uid), (_NOWHERE, False))
            flags = Flags(route.flags.system, route.flags.keywords | one.keywords)
            flagged.setdefault((mailbox, flags), []).append(uid)
            triaged.append(
                Triaged(account, mailbox, uid, one.category, one.urgency, one.awaiting, route.priority, went)
            )
    for (mailbox, flags), uids in flagged.items():
        if flags.system or flags.keywords:
            mark(db, facts, mailbox, sorted(uids), flags, limit)
    facts += triaged


_NOWHERE = Route("")


def _follow(
    db: sqlite3.Connection, facts: list[Fact], one: Result, job: _Job, limit: int, mailboxes: int
) -> dict[tuple[int, int], tuple[Route, bool]]:
    """Lead a message where its route says, if it stands in INBOX as it was delivered: (mailbox, uid) where it is then.

    As it was delivered: under the same uid, without any flag, so neither the user nor a script of hers touched it.
    """
    row = db.execute(
        "SELECT a.address FROM entry e JOIN mailbox m ON m.id = e.mailbox JOIN account a ON a.id = m.account"
        " WHERE e.mailbox = ? AND e.uid = ? AND e.message = ? AND e.flags = 0 AND m.account = ? AND m.name = ?",
        (job.mailbox, job.uid, one.message, job.account, INBOX),
    ).fetchone()
    route = row and next((route for route in one.routes if not route.users or row[0] in route.users), None)
    if not route or job.mailbox is None or job.uid is None:
        return {}
    mailbox, uid = job.mailbox, job.uid
    target = _folder(db, facts, job.account, route.folder, mailboxes) if route.folder else None
    if target is not None:
        try:
            _, (uid,) = entries.move(db, facts, mailbox, [uid], target, limit, teaching=False)
            mailbox = target
        except LimitReached:
            target = None
    words = sorted(route.flags.keywords) + [name for name, bit in _SYSTEM.items() if route.flags.system & bit]
    db.execute(
        "INSERT OR REPLACE INTO routed (account, message, route, folder, flags, priority) VALUES (?, ?, ?, ?, ?, ?)",
        (job.account, one.message, route.name, route.folder if target else "", " ".join(words), route.priority),
    )
    return {(mailbox, uid): (route, target is not None)}


_SYSTEM = {"\\Flagged": FLAGGED, "\\Seen": SEEN}


def _folder(db: sqlite3.Connection, facts: list[Fact], account: int, name: str, limit: int) -> int | None:
    """The mailbox of that name, made where it is missing; None where it cannot be or has a use of its own."""
    row = db.execute("SELECT id, special_use FROM mailbox WHERE account = ? AND name = ?", (account, name)).fetchone()
    if row is not None:
        return None if row[1] in ("\\Junk", "\\Trash", "\\Drafts", "\\Sent") else int(row[0])
    if (
        db.execute("SELECT count(*) FROM mailbox WHERE account = ?", (account,)).fetchone()[0] + name.count(DELIMITER)
        >= limit
    ):
        return None  # nor are the first of its superiors made
    try:
        made = names.create(db, facts, account, name, None, limit).id
    except Refused:
        return None
    names.subscribe(db, facts, account, name, True)
    return made


def mark(
    db: sqlite3.Connection, facts: list[Fact], mailbox: int, uids: Sequence[int], flags: Flags, limit: int
) -> None:
    """Add flags to messages; a mailbox full of keywords goes without them."""
    try:
        entries.store_flags(db, facts, mailbox, uids, "add", flags, None, limit)
    except LimitReached:
        if flags.system:
            entries.store_flags(db, facts, mailbox, uids, "add", Flags(flags.system), None, limit)
