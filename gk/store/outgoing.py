"""The outgoing queue, as rows: one per message, one per recipient with its own status and due time.

A claimed recipient is `sending`; what a killed process had claimed is pending again at the next start. A message
leaves the queue in the transaction that records its last recipient, together with the reports about it.
"""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gk import metrics
from gk.errors import GkError, NoSuchQueueItem, Overloaded, SendingLimit
from gk.store import claims, delivery, entries
from gk.store.queued import Chosen, Claim, Outcome, QueuedRecipient, Report
from gk.store.spool import SpoolFile
from gk.store.values import Arrival, Fact, Queued, Recipient

if TYPE_CHECKING:
    from gk.store.db import Store

DISK_SHARE = 10  # the queue may fill a tenth of the disk
DSN, VACATION = "dsn", "vacation"  # the origins of reports and of answers by programs, which count for nobody


Unwanted = tuple[int, str, str]  # an account, a recipient that refuses its bulk mail for good, and how
Also = Callable[[sqlite3.Connection, list[Fact], int], None]  # given the queue id
Attempts = list[dict[str, Any]]  # spelled out here because `list` is a method below


class Outgoing:
    """The room of the queue."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits, self._store = store.reader, store.commits, store
        self._count = self._bytes = 0

    def begin(self) -> None:
        count, size = self._db.execute(
            "SELECT count(*), coalesce(sum(m.size), 0) FROM outgoing q JOIN message m ON m.id = q.message"
        ).fetchone()
        self.counted(count, size)

    async def add(
        self,
        arrival: Arrival,
        sender: str,
        recipients: Sequence[QueuedRecipient],
        *,
        account: int | None,
        origin: str,
        envid: str | None = None,
        ret: str | None = None,
        priority: int = 0,
        prefix: bytes = b"",
        requiretls: int = 0,
        bulk: bool = False,
        local: Sequence[tuple[Arrival, Sequence[Recipient]]] = (),
        also: Also | None = None,
    ) -> int:
        """Queue a message, and deliver `local` ones in the same commit; the queue id, 0 where nobody is elsewhere.

        `also` is a part of that commit: where it raises, nothing is queued or delivered.
        Raises Overloaded when the queue is full, SendingLimit, DiskFull, ReadOnly.
        """
        arrivals = [arrival, *(kept for kept, _ in local)]
        try:
            if recipients:
                self.check_room(arrival.size)
            await self._store.space.room()
        except GkError:
            for refused in arrivals:
                if isinstance(refused.content, SpoolFile):
                    refused.content.discard()
            raise
        now, bounds, sending = time.time(), self._store.delivering, self._store.sending
        counted = account if origin not in (DSN, VACATION) else None
        hashes = [] if counted is None else [sending.hash(counted, r.address) for r in recipients]

        def work(db: sqlite3.Connection, facts: list[Fact]) -> int:
            if hashes and counted is not None:
                sending.count(db, counted, hashes, now)
            for kept, mailboxes in local:
                delivery.deliver(db, facts, kept, mailboxes, int(now), bounds, counted or 0)
            queue_id = 0
            if recipients:
                message = entries.add_message(db, arrival)
                queue_id = insert(
                    db, facts, message, recipients, now, account=account, sender=sender, origin=origin, envid=envid,
                    ret=ret, priority=priority, prefix=prefix, requiretls=requiretls, bulk=int(bulk),
                )  # fmt: skip
            if also is not None:
                also(db, facts, queue_id)
            return queue_id

        try:
            queue_id = await self._store.keep_all(arrivals, work)
        except SendingLimit as error:
            metrics.refused.labels("send", error.limit).inc()
            raise
        if queue_id:
            self.counted(1, arrival.size)
        elif isinstance(arrival.content, SpoolFile):
            arrival.content.kept = False
            arrival.content.discard()
        return queue_id

    def check_room(self, size: int) -> None:
        """Raise Overloaded where a message of that size finds no place in the queue."""
        disk = os.statvfs(self._store.data)
        if self._count >= self._store.limits.queue_messages:
            raise Overloaded("the outgoing queue is full")
        if self._bytes + size > disk.f_blocks * disk.f_frsize // DISK_SHARE:
            raise Overloaded("the outgoing queue has its share of the disk")

    def counted(self, messages: int, size: int) -> None:
        """So many messages came, or left, with so many bytes in all."""
        self._count += messages
        self._bytes += size
        metrics.queued.set(self._count)

    # --- the runner's side --------------------------------------------------------------------------------------------

    async def recover(self, now: float, longest: float) -> None:
        """What was being sent when the process died is pending again; nothing is due later than `longest` from now.

        The clock may have been wrong when the due times were written.
        """
        await self._commits.do(lambda db, facts: claims.recover(db, now, now + longest))

    def newest(self) -> int:
        """The id of the last message queued that is still there, 0 in an empty queue."""
        row = self._db.execute("SELECT max(id) FROM outgoing").fetchone()
        return int(row[0] or 0)

    async def claim(
        self, now: float, limit: int, at: Mapping[str, int], share: int
    ) -> tuple[list[Claim], float | None]:
        """Up to `limit` due message-and-domain pairs, urgent first, marked sending; where none is, the next due time.

        `at` counts what is under way by domain; no domain gets more than `share` with it.
        """
        counts = dict(at)
        return await self._commits.do(lambda db, facts: claims.claim(db, now, limit, counts, share))

    async def record(
        self,
        queue_id: int,
        domain: str,
        outcomes: Sequence[Outcome],
        reports: Sequence[Report],
        now: float,
        unwanted: Sequence[Unwanted] = (),
    ) -> bool:
        """Write down an attempt made at `now`, store the reports about it; true when the message left the queue.

        The `unwanted` go on the suppression list of their account.
        """
        bounds = self._store.delivering

        def work(db: sqlite3.Connection, facts: list[Fact]) -> int | None:
            db.executemany(
                "UPDATE outgoing_recipient SET status = ?, attempts = attempts + 1, last_attempt = ?, reply = ?,"
                " remote = ?, due = ? WHERE outgoing = ? AND no = ?",
                [(o.status, now, o.reply, o.remote, o.due, queue_id, o.no) for o in outcomes],
            )
            db.executemany(
                "INSERT INTO attempt (outgoing, no, at, domain, status, reply, remote, tls)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(queue_id, o.no, now, domain, o.status, o.reply, o.remote, o.tls) for o in outcomes],
            )
            for report in reports:
                delivery.deliver(db, facts, report.arrival, report.recipients, int(now), bounds)
            for account, address, reason in unwanted:
                self._store.sending.note(db, account, address, reason)
            if db.execute(
                "SELECT 1 FROM outgoing_recipient WHERE outgoing = ? AND status IN ('pending', 'sending')", (queue_id,)
            ).fetchone():
                return None
            return claims.drop(db, queue_id)

        size = await self._store.keep_all([r.arrival for r in reports], work)
        self._left(size)
        return size is not None

    async def put_off(self, domain: str, until: float, spread: float) -> int:
        """Try nothing for a domain before `until`, and then not all at once; no attempt is counted. How many waited."""
        statement = (
            "UPDATE outgoing_recipient SET due = ? + ? * (outgoing % 100) / 100.0"
            " WHERE status = 'pending' AND domain = ? AND due < ?"
        )
        return await self._commits.do(lambda db, facts: db.execute(statement, (until, spread, domain, until)).rowcount)

    def trace(self, queue_id: int) -> Attempts:
        """Every attempt for a message, also after it left the queue, oldest first."""
        keys = ("at", "recipient", "domain", "status", "reply", "remote", "tls")
        rows = self._db.execute(
            "SELECT at, no, domain, status, reply, remote, tls FROM attempt WHERE outgoing = ? ORDER BY id", (queue_id,)
        )
        return [dict(zip(keys, row, strict=True)) for row in rows]

    async def shift(self, seconds: float, newest: int) -> None:
        """The clock jumped: move the times of messages queued before it, up to the id `newest`, with it."""
        await self._commits.do(lambda db, facts: claims.shift(db, seconds, newest))

    # --- the person's side --------------------------------------------------------------------------------------------

    def list(
        self, *, after: int = 0, limit: int = 1000, queue_id: int | None = None, chosen: "Chosen | None" = None
    ) -> list[dict[str, Any]]:
        """So many messages of the queue with ids above `after`, oldest first, or one; each with its recipients."""
        condition, values = chosen.condition() if chosen else ("1", ())
        rows = self._db.execute(
            "SELECT q.id, q.sender, q.origin, q.held, q.created, m.size, q.message FROM outgoing q"
            " JOIN message m ON m.id = q.message WHERE q.id > ? AND (? IS NULL OR q.id = ?)"
            f" AND {condition} ORDER BY q.id LIMIT ?",
            (after, queue_id, queue_id, *values, limit),
        ).fetchall()
        items: dict[int, dict[str, Any]] = {}
        for row in rows:
            item = dict(zip(("id", "sender", "origin", "held", "created", "size", "message"), row, strict=True))
            item["held"] = bool(item["held"])
            item["recipients"] = []
            items[item["id"]] = item
        keys = ("address", "status", "attempts", "due", "last_attempt", "reply", "remote")
        for number, *values in self._db.execute(
            "SELECT outgoing, address, status, attempts, due, last_attempt, reply, remote FROM outgoing_recipient"
            " WHERE outgoing IN (SELECT value FROM json_each(?)) ORDER BY outgoing, no",
            (json.dumps([*items]),),
        ):
            items[number]["recipients"].append(dict(zip(keys, values, strict=True)))
        return [*items.values()]

    @property
    def count(self) -> int:
        """Messages in the queue."""
        return self._count

    def get(self, queue_id: int) -> dict[str, Any]:
        """One message; raises NoSuchQueueItem."""
        items = self.list(queue_id=queue_id)
        if not items:
            raise NoSuchQueueItem(f"no message {queue_id} in the queue; «gk queue list» shows what is there")
        return items[0]

    async def hold(self, queue_id: int, held: bool) -> None:
        """Keep a message from being sent, or let it go: then it is due."""
        due = "UPDATE outgoing_recipient SET due = ? WHERE outgoing = ? AND status = 'pending'"
        await self._poke(queue_id, due, (claims.HELD if held else time.time(), queue_id))
        await self._poke(queue_id, "UPDATE outgoing SET held = ? WHERE id = ?", (int(held), queue_id))

    async def retry(self, queue_id: int) -> None:
        """Make the open recipients of a message due now, whatever the clock says."""
        statement = "UPDATE outgoing_recipient SET due = 0 WHERE outgoing = ? AND status = 'pending'"
        await self._poke(queue_id, statement, (queue_id,))

    async def remove(self, queue_id: int) -> None:
        """Take a message out of the queue; nobody is told."""
        self.get(queue_id)
        self._left(await self._commits.do(lambda db, facts: claims.drop(db, queue_id)))

    def _left(self, size: int | None) -> None:
        """A message of that size left the queue; None where it had left before."""
        if size is not None:
            self.counted(-1, -size)
            self._store.filer.wake()

    async def _poke(self, queue_id: int, statement: str, values: tuple[object, ...]) -> None:
        """Change a message and have the runner look again."""
        self.get(queue_id)

        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            db.execute(statement, values)
            facts.append(Queued(queue_id))

        await self._commits.do(work)


def insert(
    db: sqlite3.Connection,
    facts: list[Fact],
    message: int,
    recipients: Sequence[QueuedRecipient],
    now: float,
    **columns: str | int | bytes | None,
) -> int:
    """Queue a stored message for its recipients, due at once: a part of a unit of work. The queue id."""
    names = ", ".join(columns)
    queue_id = db.execute(
        f"INSERT INTO outgoing (message, created, {names}) VALUES (?, ?{', ?' * len(columns)})",
        (message, now, *columns.values()),
    ).lastrowid
    assert queue_id is not None
    db.executemany(
        "INSERT INTO outgoing_recipient (outgoing, no, address, domain, notify, orcpt, due)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(queue_id, no, r.address, r.domain, r.notify, r.orcpt, now) for no, r in enumerate(recipients)],
    )
    facts.append(Queued(queue_id))
    return queue_id
