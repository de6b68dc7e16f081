"""The outgoing queue, as rows: one per message, one per recipient with its own status and due time.

A claimed recipient is `sending`; what a killed process had claimed is pending again at the next start. A message
leaves the queue in the transaction that records its last recipient, together with the reports about it.
"""

import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gk import metrics
from gk.errors import GkError, NoSuchQueueItem, Overloaded, SendingLimit
from gk.store import entries, removal
from gk.store.filer import settle
from gk.store.spool import SpoolFile
from gk.store.values import Arrival, Fact, Queued, Recipient

if TYPE_CHECKING:
    from gk.store.db import Store

PENDING, SENDING, SENT, FAILED, BOUNCED = "pending", "sending", "sent", "failed", "bounced"
TRACED = 200_000  # attempts remembered, oldest forgotten first
DISK_SHARE = 10  # the queue may fill a tenth of the disk
DSN = "dsn"  # the origin of reports, which count for nobody
HELD = 1e12  # due time of what is held: out of the way of what is due
WALK = 100  # due recipients looked at before the domains are asked one by one
WINDOW = 1000  # due recipients looked at for one claim: a full queue is claimed from in bounded time


Unwanted = tuple[int, str, str]  # an account, a recipient that refuses its bulk mail for good, and how
Attempts = list[dict[str, Any]]  # spelled out here because `list` is a method below


@dataclass(frozen=True, slots=True)
class QueuedRecipient:
    """One recipient of a message to be sent; notify and orcpt as the DSN extension gave them (RFC 3461)."""

    address: str
    domain: str
    notify: str | None = None
    orcpt: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimedRecipient:
    no: int
    address: str
    notify: str | None
    orcpt: str | None
    attempts: int
    last_attempt: float | None


@dataclass(frozen=True, slots=True)
class Claim:
    """The recipients of one message at one domain, claimed for one attempt."""

    queue_id: int
    message: int
    size: int
    account: int | None
    sender: str
    envid: str | None
    ret: str | None
    created: float
    domain: str
    recipients: tuple[ClaimedRecipient, ...]
    prefix: bytes = b""  # header fields that go out before the content
    requiretls: int = 0  # 1: REQUIRETLS, -1: the message says `TLS-Required: No` (RFC 8689)
    bulk: int = 0  # 1: who refuses it for good is written to in bulk no more


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt for one recipient; `due` when it stays pending."""

    no: int
    status: str
    reply: str
    remote: str
    due: float = 0.0
    tls: str | None = None  # how the session was encrypted


@dataclass(frozen=True, slots=True)
class Report:
    """A DSN for a local sender, stored with the outcome it tells of."""

    arrival: Arrival
    recipients: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Messages of the queue by what they are; "" and None ask for nothing. Addresses are compared without case."""

    status: str = ""  # of any recipient; "held"
    sender: str = ""
    recipient: str = ""
    domain: str = ""
    origin: str = ""

    def condition(self) -> tuple[str, tuple[str, ...]]:
        """SQL over `outgoing q`, and its values."""
        of_recipient = "EXISTS (SELECT 1 FROM outgoing_recipient r WHERE r.outgoing = q.id AND {})"
        parts: list[str] = []
        values: list[str] = []
        if self.status == "held":
            parts.append("q.held = 1")
        elif self.status:
            parts.append(of_recipient.format("r.status = ?"))
            values.append(self.status)
        for column, value in (("q.sender", self.sender), ("q.origin", self.origin)):
            if value:
                parts.append(f"lower({column}) = lower(?)")
                values.append("" if value == "<>" else value)
        for column, value in (("r.address", self.recipient), ("r.domain", self.domain)):
            if value:
                parts.append(of_recipient.format(f"lower({column}) = lower(?)"))
                values.append(value)
        return " AND ".join(parts) or "1", tuple(values)


class Outgoing:
    """The room of the queue."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits, self._store = store.reader, store.commits, store
        self._count = self._bytes = 0

    def begin(self) -> None:
        count, size = self._db.execute(
            "SELECT count(*), coalesce(sum(m.size), 0) FROM outgoing q JOIN message m ON m.id = q.message"
        ).fetchone()
        self._counted(count, size)

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
    ) -> int:
        """Queue a message, and deliver `local` ones in the same commit; the queue id, 0 where nobody is elsewhere.

        Raises Overloaded when the queue is full, SendingLimit, DiskFull, ReadOnly.
        """
        arrivals = [arrival, *(kept for kept, _ in local)]
        try:
            if recipients:
                self._check_room(arrival.size)
            await self._store.space.room()
        except GkError:
            for refused in arrivals:
                if isinstance(refused.content, SpoolFile):
                    refused.content.discard()
            raise
        now, keywords, sending = time.time(), self._store.limits.keywords, self._store.sending
        counted = account if origin != DSN else None
        hashes = [] if counted is None else [sending.hash(counted, r.address) for r in recipients]

        def work(db: sqlite3.Connection, facts: list[Fact]) -> int:
            if hashes and counted is not None:
                sending.count(db, counted, hashes, now)
            for kept, mailboxes in local:
                entries.deliver(db, facts, kept, mailboxes, int(now), keywords)
            if not recipients:
                return 0
            message = entries.add_message(db, arrival)
            queue_id = db.execute(
                "INSERT INTO outgoing"
                " (message, account, sender, origin, envid, ret, priority, prefix, requiretls, bulk, created)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (message, account, sender, origin, envid, ret, priority, prefix, requiretls, int(bulk), now),
            ).lastrowid
            assert queue_id is not None
            db.executemany(
                "INSERT INTO outgoing_recipient (outgoing, no, address, domain, notify, orcpt, due)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(queue_id, no, r.address, r.domain, r.notify, r.orcpt, now) for no, r in enumerate(recipients)],
            )
            facts.append(Queued(queue_id))
            return queue_id

        try:
            queue_id = await self._store.keep_all(arrivals, work)
        except SendingLimit as error:
            metrics.refused.labels("send", error.limit).inc()
            raise
        if queue_id:
            self._counted(1, arrival.size)
        elif isinstance(arrival.content, SpoolFile):
            arrival.content.kept = False
            arrival.content.discard()
        return queue_id

    def _check_room(self, size: int) -> None:
        disk = os.statvfs(self._store.data)
        if self._count >= self._store.limits.queue_messages:
            raise Overloaded("the outgoing queue is full")
        if self._bytes + size > disk.f_blocks * disk.f_frsize // DISK_SHARE:
            raise Overloaded("the outgoing queue has its share of the disk")

    def _counted(self, messages: int, size: int) -> None:
        self._count += messages
        self._bytes += size
        metrics.queued.set(self._count)

    # --- the runner's side --------------------------------------------------------------------------------------------

    async def recover(self, now: float, longest: float) -> None:
        """What was being sent when the process died is pending again; nothing is due later than `longest` from now.

        The clock may have been wrong when the due times were written.
        """
        await self._commits.do(lambda db, facts: _recover(db, now, now + longest))

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
        return await self._commits.do(lambda db, facts: _claim(db, now, limit, counts, share))

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
        keywords = self._store.limits.keywords

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
                entries.deliver(db, facts, report.arrival, report.recipients, int(now), keywords)
            for account, address, reason in unwanted:
                self._store.sending.note(db, account, address, reason)
            if db.execute(
                "SELECT 1 FROM outgoing_recipient WHERE outgoing = ? AND status IN ('pending', 'sending')", (queue_id,)
            ).fetchone():
                return None
            return _drop(db, queue_id)

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
        await self._commits.do(lambda db, facts: _shift(db, seconds, newest))

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
        await self._poke(queue_id, due, (HELD if held else time.time(), queue_id))
        await self._poke(queue_id, "UPDATE outgoing SET held = ? WHERE id = ?", (int(held), queue_id))

    async def retry(self, queue_id: int) -> None:
        """Make the open recipients of a message due now, whatever the clock says."""
        statement = "UPDATE outgoing_recipient SET due = 0 WHERE outgoing = ? AND status = 'pending'"
        await self._poke(queue_id, statement, (queue_id,))

    async def remove(self, queue_id: int) -> None:
        """Take a message out of the queue; nobody is told."""
        self.get(queue_id)
        self._left(await self._commits.do(lambda db, facts: _drop(db, queue_id)))

    def _left(self, size: int | None) -> None:
        """A message of that size left the queue; None where it had left before."""
        if size is not None:
            self._counted(-1, -size)
            self._store.filer.wake()

    async def _poke(self, queue_id: int, statement: str, values: tuple[object, ...]) -> None:
        """Change a message and have the runner look again."""
        self.get(queue_id)

        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            db.execute(statement, values)
            facts.append(Queued(queue_id))

        await self._commits.do(work)


def _recover(db: sqlite3.Connection, now: float, latest: float) -> None:
    db.execute("UPDATE outgoing_recipient SET status = 'pending' WHERE status = 'sending'")
    db.execute(
        "UPDATE outgoing_recipient SET due = ? WHERE status = 'pending' AND due > ? AND due < ?", (latest, latest, HELD)
    )
    db.execute("UPDATE outgoing SET created = ? WHERE created > ?", (now, now))
    db.execute("DELETE FROM attempt WHERE id <= (SELECT max(id) FROM attempt) - ?", (TRACED,))


def _claim(
    db: sqlite3.Connection, now: float, limit: int, at: dict[str, int], share: int
) -> tuple[list[Claim], float | None]:
    """Most of the time the first due rows are those to take. Where they all belong to domains that have their share,
    each other domain is asked for its own: the crowd of one slow domain is never walked through."""
    counts = Counter(at)
    chosen: dict[tuple[int, str], None] = {}
    looked = 0
    for queue_id, domain in _due(db, now):
        looked += 1
        if (queue_id, domain) not in chosen and counts[domain] < share:
            counts[domain] += 1
            chosen[queue_id, domain] = None
            if len(chosen) == limit:
                break
    if not chosen and looked >= WALK:
        chosen = _of_others(db, now, limit, counts, share)
    if chosen:
        return [_mark(db, queue_id, domain, now) for queue_id, domain in chosen], None
    dues = [due for domain in _domains(db) if counts[domain] < share and (due := _first_due(db, domain)) is not None]
    return [], min(dues, default=None)


def _due(db: sqlite3.Connection, now: float) -> Iterator[tuple[int, str]]:
    """The first due (message, domain) pairs, urgent ones before the others."""
    first = (
        "SELECT r.outgoing, r.domain, q.priority, r.due FROM outgoing_recipient r JOIN outgoing q ON q.id = r.outgoing"
        " WHERE r.status = 'pending' AND r.due <= ? AND q.held = 0 ORDER BY r.due LIMIT ?"
    )
    urgent = db.execute("SELECT 1 FROM outgoing WHERE priority > 0 LIMIT 1").fetchone()
    if urgent:
        first = f"SELECT * FROM ({first}) ORDER BY priority DESC, due, outgoing"
    rows = db.execute(first, (now, WINDOW if urgent else WALK))
    try:
        for queue_id, domain, _, _ in rows:
            yield queue_id, domain
    finally:
        rows.close()


def _of_others(
    db: sqlite3.Connection, now: float, limit: int, counts: Counter[str], share: int
) -> dict[tuple[int, str], None]:
    chosen: dict[tuple[int, str], None] = {}
    for domain in _domains(db):
        if counts[domain] >= share:
            continue
        rows = db.execute(
            "SELECT DISTINCT r.outgoing FROM outgoing_recipient r JOIN outgoing q ON q.id = r.outgoing"
            " WHERE r.status = 'pending' AND r.domain = ? AND r.due <= ? AND q.held = 0 ORDER BY r.due LIMIT ?",
            (domain, now, min(share - counts[domain], limit - len(chosen))),
        )
        chosen.update(dict.fromkeys((queue_id, domain) for (queue_id,) in rows.fetchall()))
        if len(chosen) == limit:
            break
    return chosen


def _domains(db: sqlite3.Connection) -> Iterator[str]:
    """The domains somebody waits for, each found by one step in the index."""
    domain = ""
    for _ in range(WINDOW):
        (domain,) = db.execute(
            "SELECT min(domain) FROM outgoing_recipient WHERE status = 'pending' AND domain > ?", (domain,)
        ).fetchone()
        if domain is None:
            return
        yield domain


def _first_due(db: sqlite3.Connection, domain: str) -> float | None:
    row = db.execute(
        "SELECT r.due FROM outgoing_recipient r JOIN outgoing q ON q.id = r.outgoing"
        " WHERE r.status = 'pending' AND r.domain = ? AND q.held = 0 ORDER BY r.due LIMIT 1",
        (domain,),
    ).fetchone()
    return row[0] if row else None


def _mark(db: sqlite3.Connection, queue_id: int, domain: str, now: float) -> Claim:
    recipients = db.execute(
        "UPDATE outgoing_recipient SET status = 'sending' WHERE outgoing = ? AND domain = ? AND status = 'pending'"
        " AND due <= ? RETURNING no, address, notify, orcpt, attempts, last_attempt",
        (queue_id, domain, now),
    ).fetchall()
    message, size, account, sender, envid, ret, created, prefix, required, bulk = db.execute(
        "SELECT q.message, m.size, q.account, q.sender, q.envid, q.ret, q.created, q.prefix, q.requiretls, q.bulk"
        " FROM outgoing q"
        " JOIN message m ON m.id = q.message WHERE q.id = ?",
        (queue_id,),
    ).fetchone()
    claimed = tuple(ClaimedRecipient(*r) for r in sorted(recipients))
    return Claim(queue_id, message, size, account, sender, envid, ret, created, domain, claimed, prefix, required, bulk)


def _drop(db: sqlite3.Connection, queue_id: int) -> int | None:
    """Take a message out of the queue; its size, None when it was gone already."""
    row = db.execute("DELETE FROM outgoing WHERE id = ? RETURNING message", (queue_id,)).fetchone()
    if row is None:
        return None
    (size,) = db.execute("SELECT size FROM message WHERE id = ?", row).fetchone()
    db.execute("DELETE FROM outgoing_recipient WHERE outgoing = ?", (queue_id,))
    removal.forget(db, [row[0]])
    removal.unspool(db, settle(db, [row[0]]))
    return int(size)


def _shift(db: sqlite3.Connection, seconds: float, newest: int) -> None:
    db.execute(
        "UPDATE outgoing_recipient SET due = due + ?, last_attempt = last_attempt + ? WHERE outgoing <= ?",
        (seconds, seconds, newest),
    )
    db.execute("UPDATE outgoing SET created = created + ? WHERE id <= ?", (seconds, newest))
