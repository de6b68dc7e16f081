"""Answers that GK writes: which delivered messages may get one, what became of each, and whether writing is stopped.

What is to be looked at is noted in the unit that delivers a message, so no crash loses it. The draft or the queued
answer, the flags of the message answered and the new state are one unit, so no crash repeats it: a killed attempt
begins anew. `correspondent` is the one address in these rows, in lower case; the texts hold none.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gk.errors import LimitReached, Refused
from gk.store import claims, delivery, entries, keywords, triages
from gk.store.entries import New
from gk.store.values import ANSWERED, DELETED, DRAFT, SEEN, Arrival, Fact, Flags, Queued

if TYPE_CHECKING:
    from gk.store.db import Store

HOUR, DAY = 3600, 86_400
EVERYBODY = 0  # the account whose stop holds for all
AI = "ai"  # the origin of answers in the queue
HANDLE = "gk-ai"  # under which senders who were answered are remembered
REMEMBERED = 10_000  # senders of one account that are remembered
STATES = ("pending", "processing", "completed", "failed", "skipped")
OTHERS = "'\\Junk', '\\Trash', '\\Drafts'"  # mailboxes whose messages belong to no conversation

Shown = list[dict[str, Any]]  # spelled out here because `list` is a method below


class Superseded(Refused):
    """The answer is not wanted any more; the message says why."""


@dataclass(frozen=True, slots=True)
class Job:
    """One message of an account that may be answered; `author` is the account here that sent it, 0: none."""

    id: int
    account: int
    message: int
    author: int
    attempts: int
    created: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job, beside its state: words for people, none of them an address but `correspondent`."""

    rule: str = ""
    action: str = ""
    reason: str = ""
    template: str = ""
    model: str = ""
    confidence: float | None = None
    correspondent: str = ""


@dataclass(frozen=True, slots=True)
class Caps:
    """Answers in an hour written, and of these sent, for one account; days one sender gets one in."""

    written: int
    sent: int
    days: int


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a thread or of history: its id, when it came, and the address it was for ("": not told apart)."""

    message: int
    date: int
    recipient: str = ""
    answered: bool = False


class Replies:
    """The room of answers."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits, self._store = store.reader, store.commits, store
        self.changed = asyncio.Event()
        """Writing was stopped or may go on."""

    # --- the service's side -------------------------------------------------------------------------------------------

    def ready(self, now: float, most: int) -> Sequence[Job]:
        """What is due and known to triage, the oldest first."""
        rows = self._db.execute(
            "SELECT r.id, r.account, r.message, r.author, r.attempts, r.created FROM reply r"
            " WHERE r.state = 'pending' AND r.due <= ?"
            " AND NOT EXISTS (SELECT 1 FROM triage_job t WHERE t.message = r.message) ORDER BY r.due, r.id LIMIT ?",
            (now, most),
        )
        return [Job(*row) for row in rows]

    def waiting(self) -> int:
        """How many messages are not decided about."""
        (count,) = self._db.execute("SELECT count(*) FROM reply WHERE state IN ('pending', 'processing')").fetchone()
        return int(count)

    def next_due(self) -> float | None:
        """When the first of those that wait is due."""
        row = self._db.execute("SELECT min(due) FROM reply WHERE state = 'pending'").fetchone()
        return row[0] if row else None

    async def recover(self) -> None:
        """What was being written when the process ended is pending again."""
        await self._commits.do(lambda db, facts: db.execute(_RECOVER))

    async def begin(self, jobs: Sequence[int], now: float) -> None:
        """These are being answered: an attempt is counted."""
        await self._commits.do(
            lambda db, facts: db.execute(
                "UPDATE reply SET state = 'processing', attempts = attempts + 1, last_attempt = ?"
                " WHERE state = 'pending' AND id IN (SELECT value FROM json_each(?))",
                (now, json.dumps(list(jobs))),
            )
        )

    async def settle(self, found: Sequence[tuple[int, str, Outcome]], due: float = 0.0) -> None:
        """Write down states, in one commit; `pending` is tried again when it is `due`."""

        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            for job, state, outcome in found:
                _settle(db, job, state, outcome, due)

        await self._commits.do(work)

    async def draft(self, job: Job, arrival: Arrival, outcome: Outcome, caps: Caps, now: float) -> int:
        """Put a draft into the account's mailbox for them; its message id. Raises Superseded and LimitReached."""
        bounds = self._store.delivering
        await self._store.space.room()

        def work(db: sqlite3.Connection, facts: list[Fact]) -> int:
            _check(db, job, caps, now)
            box = delivery.used(db, facts, job.account, "\\Drafts", bounds.mailboxes)
            box = box if box is not None else entries.inbox(db, job.account)
            message = entries.add_message(db, arrival)
            try:
                flags = keywords.flags_value(db, box, Flags(SEEN | DRAFT, frozenset({"$gk-draft"})), bounds.keywords)
            except LimitReached:
                flags = SEEN | DRAFT  # a mailbox full of keywords still takes drafts
            thread = entries.thread_of(db, job.account, message, arrival)
            entries.add_entries(db, facts, [New(box, message, flags, int(now), thread, arrival.size)])
            _mark(db, facts, job, Flags(0, frozenset({"$gk-drafted"})), bounds.keywords)
            _settle(db, job.id, "completed", outcome, 0.0)
            db.execute("UPDATE reply SET made = ? WHERE id = ?", (message, job.id))
            return message

        return await self._store.keep(arrival, work)

    def sent(
        self, job: Job, outcome: Outcome, caps: Caps, now: float
    ) -> Callable[[sqlite3.Connection, list[Fact], int], None]:
        """A part of the unit that queues an answer; it raises Superseded and LimitReached, and then nothing is sent."""
        mark, bounds = self._store.sending.hash(job.account, outcome.correspondent), self._store.delivering

        def work(db: sqlite3.Connection, facts: list[Fact], queue_id: int) -> None:
            _check(db, job, caps, now)
            (count,) = db.execute(
                "SELECT count(*) FROM reply WHERE account = ? AND last_attempt > ? AND attempts > 0"
                " AND state = 'completed' AND action = 'send'",
                (job.account, now - HOUR),
            ).fetchone()
            if count >= caps.sent:
                raise LimitReached(f"{caps.sent} answers were sent in the last hour (replies.sent_per_hour)")
            _remember(db, job.account, mark, int(now), caps.days * DAY)
            _mark(db, facts, job, Flags(ANSWERED, frozenset({"$gk-answered"})), bounds.keywords)
            _settle(db, job.id, "completed", outcome, 0.0)
            db.execute("UPDATE reply SET made = ? WHERE id = ?", (queue_id, job.id))

        return work

    # --- what was done ------------------------------------------------------------------------------------------------

    def written(self, account: int, since: float, correspondent: str = "") -> int:
        """Attempts to write for an account since then, whatever came of them; to one sender where it is named."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM reply WHERE account = ?1 AND last_attempt > ?2 AND attempts > 0"
            " AND (?3 = '' OR correspondent = ?3)",
            (account, since, correspondent),
        ).fetchone()
        return int(count)

    def was_answered(self, account: int, sender: str, now: float) -> bool:
        """Whether any program of the account answered that sender lately: this one, or its absence."""
        mark = self._store.sending.hash(account, sender)
        row = self._db.execute(
            "SELECT 1 FROM answered WHERE account = ? AND hash = ? AND until > ?", (account, mark, int(now))
        ).fetchone()
        return row is not None

    def of(self, message: int, account: int | None = None) -> Shown:
        """What became of a message, for each account or for one."""
        return self._shown("r.message = ? AND (? IS NULL OR r.account = ?)", (message, account, account), 100)

    def list(self, account: int | None, state: str, before: int, limit: int) -> Shown:
        """The newest first, below the id `before` where that is not 0."""
        condition = "(?1 IS NULL OR r.account = ?1) AND (?2 = '' OR r.state = ?2) AND (?3 = 0 OR r.id < ?3)"
        return self._shown(condition, (account, state, before), limit)

    def _shown(self, condition: str, values: tuple[object, ...], limit: int) -> Shown:
        keys = (
            "number", "account", "message", "state", "attempts", "created", "last_attempt", "rule", "action", "reason",
            "template", "model", "confidence", "correspondent", "made",
        )  # fmt: skip
        rows = self._db.execute(
            "SELECT r.id, a.address, r.message, r.state, r.attempts, r.created, r.last_attempt, r.rule, r.action,"
            " r.reason, r.template, r.model, r.confidence, r.correspondent, r.made FROM reply r"
            f" JOIN account a ON a.id = r.account WHERE {condition} ORDER BY r.id DESC LIMIT {int(limit)}",
            values,
        )
        return [dict(zip(keys, row, strict=True)) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many there are in each state."""
        return dict(self._db.execute("SELECT state, count(*) FROM reply GROUP BY state").fetchall())

    # --- conversations ------------------------------------------------------------------------------------------------

    def thread(self, account: int, message: int, most: int) -> tuple[int, Sequence[Line]]:
        """The thread of a message in an account, 0 where it stands nowhere there; its newest others, oldest first."""
        thread, found = self._store.mailboxes.thread(account, message, most + 1)
        return thread, [Line(number, date) for number, date in found if number != message]

    def stands(self, account: int, message: int) -> Line | None:
        """The message in an account, outside Junk, Trash and Drafts; None where it is gone."""
        row = self._db.execute(
            "SELECT e.message, e.date, coalesce(e.recipient, ''), max(e.flags & ?) FROM entry e"
            " JOIN mailbox b ON b.id = e.mailbox WHERE e.message = ? AND b.account = ?"
            f" AND coalesce(b.special_use, '') NOT IN ({OTHERS}) AND NOT e.flags & ? GROUP BY e.message",
            (ANSWERED, message, account, DELETED),
        ).fetchone()
        return Line(row[0], row[1], row[2], bool(row[3])) if row else None

    def history(self, account: int, since: int, before: int, most: int) -> Sequence[Line]:
        """What came for an account since then, the newest first, below the message id `before` where that is not 0."""
        rows = self._db.execute(
            "SELECT e.message, min(e.date), coalesce(max(e.recipient), ''), max(e.flags & ?) FROM entry e"
            " JOIN mailbox b ON b.id = e.mailbox WHERE b.account = ? AND e.date >= ? AND (? = 0 OR e.message < ?)"
            f" AND coalesce(b.special_use, '') NOT IN ({OTHERS}, '\\Sent')"
            " GROUP BY e.message ORDER BY e.message DESC LIMIT ?",
            (ANSWERED, account, since, before, before, most),
        )
        return [Line(message, date, recipient, bool(answered)) for message, date, recipient, answered in rows]

    # --- stopping -----------------------------------------------------------------------------------------------------

    def stopped(self, account: int = EVERYBODY) -> int:
        """Since when writing is stopped for an account, by itself or for all, in seconds since 1970; 0: it is not."""
        row = self._db.execute(
            "SELECT min(since) FROM reply_stop WHERE account IN (?, ?)", (EVERYBODY, account)
        ).fetchone()
        return int(row[0] or 0)

    def stops(self) -> Sequence[tuple[int, int]]:
        """(account, since) of each stop; EVERYBODY is that of all."""
        return self._db.execute("SELECT account, since FROM reply_stop ORDER BY account").fetchall()

    async def stop(self, account: int = EVERYBODY) -> int:
        """Stop writing, and hold what was written and waits in the queue; how many messages are held now."""

        def work(db: sqlite3.Connection, facts: list[Fact]) -> int:
            db.execute(
                "INSERT INTO reply_stop (account, since) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (account, int(time.time())),
            )
            held = [
                number
                for (number,) in db.execute(
                    "UPDATE outgoing SET held = 1 WHERE origin = ?1 AND held = 0 AND (?2 = 0 OR account = ?2)"
                    " RETURNING id",
                    (AI, account),
                )
            ]
            db.execute(
                "UPDATE outgoing_recipient SET due = ? WHERE status = 'pending'"
                " AND outgoing IN (SELECT value FROM json_each(?))",
                (claims.HELD, json.dumps(held)),
            )
            facts += [Queued(number) for number in held]
            return len(held)

        count = await self._commits.do(work)
        self.changed.set()
        return count

    async def resume(self, account: int = EVERYBODY) -> int:
        """Write again, but to nothing that came meanwhile; how many messages stay unanswered for that.

        What was held in the queue stays so until a person lets it go.
        """

        def work(db: sqlite3.Connection, facts: list[Fact]) -> int:
            if not db.execute("DELETE FROM reply_stop WHERE account = ?", (account,)).rowcount:
                return 0
            return db.execute(
                "UPDATE reply SET state = 'skipped', reason = 'writing was stopped when it came'"
                " WHERE state IN ('pending', 'processing') AND (?1 = 0 OR account = ?1)",
                (account,),
            ).rowcount

        count = await self._commits.do(work)
        self.changed.set()
        return count


# --- units ------------------------------------------------------------------------------------------------------------

_RECOVER = "UPDATE reply SET state = 'pending' WHERE state = 'processing'"


def note(
    db: sqlite3.Connection, account: int, mailbox: int, message: int, author: int, users: frozenset[str], now: int
) -> None:
    """Note in the unit of a delivery that a message may be answered, where it goes to one of the users, or to any."""
    condition = "" if not users else " AND a.address IN (SELECT value FROM json_each(?))"
    db.execute(
        "INSERT INTO reply (account, message, author, created, due) SELECT a.id, ?, ?, ?, ? FROM mailbox b"
        f" JOIN account a ON a.id = b.account WHERE b.id = ? AND a.id = ? AND b.special_use IS NULL{condition}"
        " ON CONFLICT DO NOTHING",
        (message, author, now, now, mailbox, account, *([json.dumps(sorted(users))] if users else [])),
    )


def _check(db: sqlite3.Connection, job: Job, caps: Caps, now: float) -> None:
    """Raise where the answer is not wanted any more, or is one too many."""
    if db.execute("SELECT 1 FROM reply_stop WHERE account IN (?, ?)", (EVERYBODY, job.account)).fetchone():
        raise Superseded("writing was stopped")
    if not db.execute("SELECT 1 FROM reply WHERE id = ? AND state = 'processing'", (job.id,)).fetchone():
        raise Superseded("it was decided about meanwhile")
    row = db.execute(
        "SELECT max(e.flags & ?) FROM entry e JOIN mailbox b ON b.id = e.mailbox WHERE e.message = ? AND b.account = ?",
        (ANSWERED, job.message, job.account),
    ).fetchone()
    if row[0] is None or row[0]:
        raise Superseded("it was answered meanwhile" if row[0] else "it was removed meanwhile")
    (count,) = db.execute(
        "SELECT count(*) FROM reply WHERE account = ? AND last_attempt > ? AND attempts > 0 AND state = 'completed'",
        (job.account, now - HOUR),
    ).fetchone()
    if count >= caps.written:
        raise LimitReached(f"{caps.written} answers were written in the last hour (replies.written_per_hour)")


def _remember(db: sqlite3.Connection, account: int, mark: int, now: int, seconds: int) -> None:
    """Note that a sender was answered; raise where it was before, or too many others were (RFC 3834 §2)."""
    db.execute("DELETE FROM answered WHERE account = ? AND until <= ?", (account, now))
    if db.execute("SELECT 1 FROM answered WHERE account = ? AND hash = ?", (account, mark)).fetchone():
        raise Superseded("its sender was answered lately")
    (count,) = db.execute("SELECT count(*) FROM answered WHERE account = ?", (account,)).fetchone()
    if count >= REMEMBERED:
        raise LimitReached("too many senders were answered lately")
    db.execute(
        "INSERT INTO answered (account, handle, hash, until) VALUES (?, ?, ?, ?)",
        (account, HANDLE, mark, now + seconds),
    )


def _mark(db: sqlite3.Connection, facts: list[Fact], job: Job, flags: Flags, limit: int) -> None:
    """Flag the message that is answered, wherever the account has it."""
    rows = db.execute(
        "SELECT e.mailbox, e.uid FROM entry e JOIN mailbox b ON b.id = e.mailbox WHERE e.message = ? AND b.account = ?",
        (job.message, job.account),
    ).fetchall()
    for mailbox, uid in rows:
        triages.mark(db, facts, mailbox, [uid], flags, limit)


def _settle(db: sqlite3.Connection, job: int, state: str, outcome: Outcome, due: float) -> None:
    db.execute(
        "UPDATE reply SET state = ?, rule = ?, action = ?, reason = ?, template = ?, model = ?, confidence = ?,"
        " correspondent = ?, due = max(due, ?) WHERE id = ? AND state IN ('pending', 'processing')",
        (
            state, outcome.rule, outcome.action, outcome.reason, outcome.template, outcome.model, outcome.confidence,
            outcome.correspondent.lower(), due, job,
        ),
    )  # fmt: skip
