"""Units of work on messages: append, flag, copy, move, expunge. Functions of rows, nothing else.

Every change raises the mailbox's modseq once (RFC 7162 §3.1), keeps its counters, and leaves in `filing` what the
files must do. A uid is taken from `uidnext` and never given again.
"""

import hashlib
import sqlite3
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gk.errors import NoSuchMailbox
from gk.store import keywords, lessons, removal, verdicts
from gk.store.chosen import chosen, runs
from gk.store.schema import PLACE, RENAME
from gk.store.values import (
    DELETED,
    INBOX,
    KEYWORDS,
    SEEN,
    SYSTEM,
    Added,
    Arrival,
    Fact,
    Filing,
    Flagged,
    Flags,
    When,
)

REFERENCES = 20  # ids of one message that are remembered for threading


@dataclass(frozen=True, slots=True)
class New:
    """One message to put into one mailbox."""

    mailbox: int
    message: int
    flags: int
    date: int
    thread: int
    size: int
    recipient: str | None = None
    zone: int = 0


# --- adding ----------------------------------------------------------------------------------------------------------


def add_message(db: sqlite3.Connection, arrival: Arrival) -> int:
    """Insert the content and what FETCH and SEARCH read of it; return its id, which is its EMAILID."""
    content, parsed = arrival.content, arrival.parsed
    in_journal = isinstance(content, bytes)
    message = db.execute(
        "INSERT INTO message (size, crc, spool, envelope, bodystructure, parts) VALUES (?, ?, ?, ?, ?, ?)",
        (
            arrival.size,
            arrival.crc,
            None if isinstance(content, bytes) else content.name,
            parsed.envelope,
            parsed.bodystructure,
            parsed.parts,
        ),
    ).lastrowid
    assert message is not None
    db.execute("INSERT INTO header (message, content) VALUES (?, ?)", (message, parsed.header))
    if in_journal:
        db.execute("INSERT INTO journal (message, content) VALUES (?, ?)", (message, content))
    if arrival.verdict is not None:
        verdicts.add(db, message, arrival.verdict)
    return message


def add_entries(db: sqlite3.Connection, facts: list[Fact], new: Sequence[New], *, copied: bool = False) -> list[int]:
    """Insert entries, all of one mailbox; return their uids. `copied`: of messages that are there already."""
    mailbox, count = new[0].mailbox, len(new)
    row = db.execute(
        "UPDATE mailbox SET uidnext = uidnext + ?, modseq = modseq + 1, messages = messages + ?,"
        " unseen = unseen + ?, deleted = deleted + ?, size = size + ? WHERE id = ? AND account > 0"
        " RETURNING uidnext, modseq, account",
        (
            count,
            count,
            sum(not n.flags & SEEN for n in new),
            sum(bool(n.flags & DELETED) for n in new),
            sum(n.size for n in new),
            mailbox,
        ),
    ).fetchone()
    if row is None:
        raise NoSuchMailbox("the mailbox was deleted meanwhile")
    uidnext, modseq, account = row
    first, saved = uidnext - count, int(time.time())
    db.executemany(
        "INSERT INTO entry (mailbox, uid, message, flags, modseq, date, thread, recipient, zone, saved)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (mailbox, uid, n.message, n.flags, modseq, n.date, n.thread, n.recipient, n.zone, saved)
            for uid, n in enumerate(new, first)
        ],
    )
    db.executemany(
        f"INSERT INTO filing (kind, mailbox, first, last, message, flags) VALUES ({PLACE}, ?, ?, ?, ?, ?)",
        [(mailbox, uid, uid, n.message, n.flags) for uid, n in enumerate(new, first)],
    )
    uids = array("I", range(first, uidnext))
    facts.append(Added(account, mailbox, uids, array("I", [n.flags for n in new]), modseq))
    facts.append(Filing(count, sum(n.size for n in new), copied))
    return list(uids)


def append(
    db: sqlite3.Connection,
    facts: list[Fact],
    mailbox: int,
    account: int,
    arrivals: Sequence[tuple[Arrival, Flags, When]],
    limit: int,
) -> list[int]:
    """APPEND: all messages or none (RFC 3502)."""
    new = []
    for arrival, flags, date in arrivals:
        message = add_message(db, arrival)
        value = keywords.flags_value(db, mailbox, flags, limit)
        thread = thread_of(db, account, message, arrival)
        new.append(New(mailbox, message, value, date.epoch, thread, arrival.size, zone=date.zone))
    return add_entries(db, facts, new)


def inbox(db: sqlite3.Connection, account: int) -> int:
    row = db.execute("SELECT id FROM mailbox WHERE account = ? AND name = ?", (account, INBOX)).fetchone()
    if row is None:
        raise NoSuchMailbox("the account was removed meanwhile")
    return int(row[0])


def thread_of(db: sqlite3.Connection, account: int, message: int, arrival: Arrival) -> int:
    """The thread of a message: that of any message it names or that named it, else its own id (RFC 8474 §5.2)."""
    parsed = arrival.parsed
    ids = parsed.references[-REFERENCES:]
    if parsed.message_id:
        ids = (*ids, parsed.message_id)
    if not ids:
        return message
    keys = [hashlib.blake2b(i, digest_size=8).digest() for i in ids]
    marks = ",".join("?" * len(keys))
    row = db.execute(
        f"SELECT min(thread) FROM thread WHERE account = ? AND reference IN ({marks})", (account, *keys)
    ).fetchone()
    thread = message if row[0] is None else int(row[0])
    db.executemany(
        "INSERT INTO thread (account, reference, thread) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(account, k, thread) for k in keys],
    )
    return thread


# --- changing --------------------------------------------------------------------------------------------------------


def store_flags(
    db: sqlite3.Connection,
    facts: list[Fact],
    mailbox: int,
    uids: Sequence[int],
    mode: Literal["add", "remove", "set"],
    flags: Flags,
    unchanged_since: int | None,
    limit: int,
) -> list[int]:
    """STORE: return the uids left alone because they changed after `unchanged_since` (RFC 7162 §3.1.3)."""
    condition, values = chosen(uids)
    rows = db.execute(
        f"SELECT uid, flags, modseq FROM entry WHERE mailbox = ? AND {condition} ORDER BY uid", (mailbox, *values)
    ).fetchall()
    modified = []
    if unchanged_since is not None:
        modified = [uid for uid, _, modseq in rows if modseq > unchanged_since]
        rows = [row for row in rows if row[2] <= unchanged_since]
    words = keywords.known_words(db, mailbox, flags.keywords, limit) if mode != "remove" else flags.keywords
    becomes = {old: _changed(db, old, mode, flags.system, words) for old in {row[1] for row in rows}}
    changed = [(uid, becomes[old]) for uid, old, _ in rows if becomes[old] != old]
    if not changed:
        return modified
    delta_unseen = delta_deleted = 0
    for _, old, _ in rows:
        new = becomes[old]
        delta_unseen += (not new & SEEN) - (not old & SEEN)
        delta_deleted += bool(new & DELETED) - bool(old & DELETED)
    account, modseq = db.execute(
        "UPDATE mailbox SET modseq = modseq + 1, unseen = unseen + ?, deleted = deleted + ? WHERE id = ?"
        " RETURNING account, modseq",
        (delta_unseen, delta_deleted, mailbox),
    ).fetchone()
    changed_uids = [uid for uid, _ in changed]
    if modified:
        db.executemany(
            "UPDATE entry SET flags = ?, modseq = ? WHERE mailbox = ? AND uid = ?",
            [(new, modseq, mailbox, uid) for uid, new in changed],
        )
    else:
        for old, new in becomes.items():
            if old != new:  # rows already changed by this loop carry the new modseq: A → B → C stays A → B
                db.execute(
                    f"UPDATE entry SET flags = ?, modseq = ? WHERE mailbox = ? AND {condition} AND flags = ?"
                    " AND modseq < ?",
                    (new, modseq, mailbox, *values, old, modseq),
                )
    db.executemany(
        f"INSERT INTO filing (kind, mailbox, first, last) VALUES ({RENAME}, ?, ?, ?)",
        [(mailbox, first, last) for first, last in runs(changed_uids, [row[0] for row in rows])],
    )
    if mode != "remove":
        lessons.flagged(db, facts, mailbox, changed_uids, flags.system, flags.keywords)
    facts.append(Flagged(account, mailbox, array("I", changed_uids), array("I", [new for _, new in changed]), modseq))
    facts.append(Filing())
    return modified


def _changed(db: sqlite3.Connection, old: int, mode: str, system: int, words: frozenset[str]) -> int:
    if mode == "set":
        return system | keywords.keyword_set(db, words) << KEYWORDS
    before = keywords.words_of(db, old) if words else frozenset()
    if mode == "add":
        bits, after = (old & SYSTEM) | system, before | words
    else:
        gone = {w.lower() for w in words}
        bits, after = (old & SYSTEM) & ~system, frozenset(w for w in before if w.lower() not in gone)
    upper = keywords.keyword_set(db, after) if after != before else old >> KEYWORDS
    return bits | upper << KEYWORDS


def copy(
    db: sqlite3.Connection,
    facts: list[Fact],
    source: int,
    uids: Sequence[int],
    target: int,
    limit: int,
    *,
    teaching: bool = True,
) -> tuple[list[int], list[int]]:
    """COPY: the source uids that were there, and the new ones in the same order; all or nothing.

    `teaching`: a user did it, which tells the junk filter what is wanted.
    """
    condition, values = chosen(uids)
    rows = db.execute(
        "SELECT e.uid, e.message, e.flags, e.date, e.thread, m.size, e.recipient, e.zone"
        f" FROM entry e JOIN message m ON m.id = e.message WHERE e.mailbox = ? AND e.{condition} ORDER BY e.uid",
        (source, *values),
    ).fetchall()
    if not rows:
        return [], []
    for value in {row[2] for row in rows if row[2] >> KEYWORDS}:
        keywords.known_words(db, target, keywords.words_of(db, value), limit)
    new = [New(target, *row[1:]) for row in rows]
    if teaching:
        lessons.moved(db, facts, source, target, [row[1] for row in rows])
    return [row[0] for row in rows], add_entries(db, facts, new, copied=True)


def move(
    db: sqlite3.Connection,
    facts: list[Fact],
    source: int,
    uids: Sequence[int],
    target: int,
    limit: int,
    *,
    teaching: bool = True,
) -> tuple[list[int], list[int]]:
    """MOVE (RFC 6851): as COPY, and gone from the source in the same commit."""
    old, new = copy(db, facts, source, uids, target, limit, teaching=teaching)
    if old:
        removal.remove(db, facts, source, old, only_deleted=False)
    return old, new
