"""Units of work on the outgoing queue: what is taken out to be sent, and what leaves it. Functions of rows.

A full queue is claimed from in bounded time, and the crowd of one domain is never walked through.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator

from gk.store import removal
from gk.store.queued import Claim, ClaimedRecipient
from gk.store.rounds import settle

TRACED = 200_000  # attempts remembered, oldest forgotten first
HELD = 1e12  # due time of what is held: out of the way of what is due
WALK = 100  # due recipients looked at before the domains are asked one by one
WINDOW = 1000  # due recipients looked at where some are urgent, and domains looked at


def recover(db: sqlite3.Connection, now: float, latest: float) -> None:
    db.execute("UPDATE outgoing_recipient SET status = 'pending' WHERE status = 'sending'")
    db.execute(
        "UPDATE outgoing_recipient SET due = ? WHERE status = 'pending' AND due > ? AND due < ?", (latest, latest, HELD)
    )
    db.execute("UPDATE outgoing SET created = ? WHERE created > ?", (now, now))
    db.execute("DELETE FROM attempt WHERE id <= (SELECT max(id) FROM attempt) - ?", (TRACED,))


def claim(
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


def drop(db: sqlite3.Connection, queue_id: int) -> int | None:
    """Take a message out of the queue; its size, None when it was gone already."""
    row = db.execute("DELETE FROM outgoing WHERE id = ? RETURNING message", (queue_id,)).fetchone()
    if row is None:
        return None
    (size,) = db.execute("SELECT size FROM message WHERE id = ?", row).fetchone()
    db.execute("DELETE FROM outgoing_recipient WHERE outgoing = ?", (queue_id,))
    removal.forget(db, [row[0]])
    removal.unspool(db, settle(db, [row[0]]))
    return int(size)


def shift(db: sqlite3.Connection, seconds: float, newest: int) -> None:
    db.execute(
        "UPDATE outgoing_recipient SET due = due + ?, last_attempt = last_attempt + ? WHERE outgoing <= ?",
        (seconds, seconds, newest),
    )
    db.execute("UPDATE outgoing SET created = created + ? WHERE id <= ?", (seconds, newest))
