"""Units of work on messages: deliver, append, flag, copy, move, expunge. Functions of rows, nothing else.

Every change raises the mailbox's modseq once (RFC 7162 §3.1), keeps its counters, and leaves in `filing` what the
files must do. A uid is taken from `uidnext` and never given again.
"""

import hashlib
import json
import sqlite3
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from gk.errors import LimitReached, NoSuchMailbox
from gk.store import maildir
from gk.store.schema import PLACE, REMOVE, RENAME, UNSPOOL
from gk.store.values import (
    DELETED,
    INBOX,
    KEYWORDS,
    SEEN,
    SYSTEM,
    Added,
    Arrival,
    Expunged,
    Fact,
    Filing,
    Flagged,
    Flags,
    Recipient,
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
    return message


def add_entries(db: sqlite3.Connection, facts: list[Fact], new: Sequence[New]) -> list[int]:
    """Insert entries, all of one mailbox; return their uids."""
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
    first = uidnext - count
    db.executemany(
        "INSERT INTO entry (mailbox, uid, message, flags, modseq, date, thread, recipient)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(mailbox, uid, n.message, n.flags, modseq, n.date, n.thread, n.recipient) for uid, n in enumerate(new, first)],
    )
    db.executemany(
        f"INSERT INTO filing (kind, mailbox, first, last, message, flags) VALUES ({PLACE}, ?, ?, ?, ?, ?)",
        [(mailbox, uid, uid, n.message, n.flags) for uid, n in enumerate(new, first)],
    )
    uids = array("I", range(first, uidnext))
    facts.append(Added(account, mailbox, uids, array("I", [n.flags for n in new]), modseq))
    facts.append(Filing(count, sum(n.size for n in new)))
    return list(uids)


def deliver(
    db: sqlite3.Connection,
    facts: list[Fact],
    arrival: Arrival,
    recipients: Sequence[Recipient],
    now: int,
    keywords: int,
) -> list[tuple[int, int]]:
    """Store the message once and enter it for every recipient; (mailbox, uid) of each.

    A mailbox that went away meanwhile is replaced by the account's INBOX.
    """
    message = add_message(db, arrival)
    placed = []
    for to in recipients:
        mailbox = to.mailbox
        if not db.execute("SELECT 1 FROM mailbox WHERE id = ? AND account = ?", (mailbox, to.account)).fetchone():
            mailbox = inbox(db, to.account)
        thread = thread_of(db, to.account, message, arrival)
        new = New(
            mailbox,
            message,
            flags_value(db, mailbox, to.flags, keywords),
            now,
            thread,
            arrival.size,
            to.address if len(recipients) > 1 else None,
        )
        placed.append((mailbox, add_entries(db, facts, [new])[0]))
    return placed


def append(
    db: sqlite3.Connection,
    facts: list[Fact],
    mailbox: int,
    account: int,
    arrivals: Sequence[tuple[Arrival, Flags, int]],
    keywords: int,
) -> list[int]:
    """APPEND: all messages or none (RFC 3502)."""
    new = []
    for arrival, flags, date in arrivals:
        message = add_message(db, arrival)
        value = flags_value(db, mailbox, flags, keywords)
        new.append(New(mailbox, message, value, date, thread_of(db, account, message, arrival), arrival.size))
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


# --- keywords --------------------------------------------------------------------------------------------------------


def flags_value(db: sqlite3.Connection, mailbox: int, flags: Flags, limit: int) -> int:
    """The stored value of flags: system bits, and the id of the keyword set above them."""
    return flags.system | keyword_set(db, known_words(db, mailbox, flags.keywords, limit)) << KEYWORDS


def known_words(db: sqlite3.Connection, mailbox: int, words: Iterable[str], limit: int) -> frozenset[str]:
    """The words as the mailbox spells them, new ones added; raise LimitReached beyond `limit` of them."""
    if not words:
        return frozenset()
    known = {w.lower(): w for (w,) in db.execute("SELECT word FROM keyword WHERE mailbox = ?", (mailbox,))}
    for word in sorted(words):
        if word.lower() not in known:
            if len(known) >= limit:
                raise LimitReached(f"a mailbox has at most {limit} keywords")
            db.execute("INSERT INTO keyword (mailbox, position, word) VALUES (?, ?, ?)", (mailbox, len(known), word))
            known[word.lower()] = word
    return frozenset(known[w.lower()] for w in words)


def keyword_set(db: sqlite3.Connection, words: Iterable[str]) -> int:
    """The id of a set of keywords, 0 for none."""
    text = " ".join(sorted(words))
    if not text:
        return 0
    db.execute("INSERT INTO keyword_set (words) VALUES (?) ON CONFLICT DO NOTHING", (text,))
    return int(db.execute("SELECT id FROM keyword_set WHERE words = ?", (text,)).fetchone()[0])


def words_of(db: sqlite3.Connection, value: int) -> frozenset[str]:
    """The keywords in a stored flags value."""
    if not value >> KEYWORDS:
        return frozenset()
    row = db.execute("SELECT words FROM keyword_set WHERE id = ?", (value >> KEYWORDS,)).fetchone()
    return frozenset(row[0].split()) if row else frozenset()


# --- changing --------------------------------------------------------------------------------------------------------


def chosen(uids: Sequence[int]) -> tuple[str, tuple[object, ...]]:
    """SQL that picks these uids, sorted ones, from the rows of a mailbox: a range where they are one."""
    if uids and uids[-1] - uids[0] == len(uids) - 1:
        return "uid BETWEEN ? AND ?", (uids[0], uids[-1])
    return "uid IN (SELECT value FROM json_each(?))", (json.dumps(list(uids)),)


def store_flags(
    db: sqlite3.Connection,
    facts: list[Fact],
    mailbox: int,
    uids: Sequence[int],
    mode: Literal["add", "remove", "set"],
    flags: Flags,
    unchanged_since: int | None,
    keywords: int,
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
    words = known_words(db, mailbox, flags.keywords, keywords) if mode != "remove" else flags.keywords
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
    facts.append(Flagged(account, mailbox, array("I", changed_uids), array("I", [new for _, new in changed]), modseq))
    facts.append(Filing())
    return modified


def _changed(db: sqlite3.Connection, old: int, mode: str, system: int, words: frozenset[str]) -> int:
    if mode == "set":
        return system | keyword_set(db, words) << KEYWORDS
    before = words_of(db, old) if words else frozenset()
    if mode == "add":
        bits, after = (old & SYSTEM) | system, before | words
    else:
        gone = {w.lower() for w in words}
        bits, after = (old & SYSTEM) & ~system, frozenset(w for w in before if w.lower() not in gone)
    upper = keyword_set(db, after) if after != before else old >> KEYWORDS
    return bits | upper << KEYWORDS


def runs(uids: Sequence[int], present: Sequence[int]) -> list[tuple[int, int]]:
    """The uids as (first, last) runs without gaps among those present; both sorted."""
    out: list[tuple[int, int]] = []
    wanted, first, last = set(uids), 0, 0
    for uid in present:
        if uid in wanted:
            first, last = (first or uid), uid
        elif first:
            out.append((first, last))
            first = 0
    if first:
        out.append((first, last))
    return out


def copy(
    db: sqlite3.Connection, facts: list[Fact], source: int, uids: Sequence[int], target: int, keywords: int
) -> tuple[list[int], list[int]]:
    """COPY: the source uids that were there, and the new ones in the same order; all or nothing."""
    condition, values = chosen(uids)
    rows = db.execute(
        "SELECT e.uid, e.message, e.flags, e.date, e.thread, m.size, e.recipient"
        f" FROM entry e JOIN message m ON m.id = e.message WHERE e.mailbox = ? AND e.{condition} ORDER BY e.uid",
        (source, *values),
    ).fetchall()
    if not rows:
        return [], []
    for value in {row[2] for row in rows if row[2] >> KEYWORDS}:
        known_words(db, target, words_of(db, value), keywords)
    new = [New(target, *row[1:]) for row in rows]
    return [row[0] for row in rows], add_entries(db, facts, new)


def move(
    db: sqlite3.Connection, facts: list[Fact], source: int, uids: Sequence[int], target: int, keywords: int
) -> tuple[list[int], list[int]]:
    """MOVE (RFC 6851): as COPY, and gone from the source in the same commit."""
    old, new = copy(db, facts, source, uids, target, keywords)
    if old:
        remove(db, facts, source, old, only_deleted=False)
    return old, new


def remove(
    db: sqlite3.Connection, facts: list[Fact], mailbox: int, uids: Sequence[int] | None, *, only_deleted: bool = True
) -> list[int]:
    """EXPUNGE: take entries out of a mailbox; content nobody needs any more goes too."""
    condition, values = chosen(uids) if uids is not None else ("1", ())
    if only_deleted:
        condition += f" AND flags & {DELETED}"
    rows = db.execute(
        "SELECT e.uid, e.message, e.flags, e.filed, e.date, m.size FROM entry e JOIN message m ON m.id = e.message"
        f" WHERE e.mailbox = ? AND {condition} ORDER BY e.uid",
        (mailbox, *values),
    ).fetchall()
    if not rows:
        return []
    gone = [row[0] for row in rows]
    account, modseq = db.execute(
        "UPDATE mailbox SET modseq = modseq + 1, messages = messages - ?, unseen = unseen - ?, deleted = deleted - ?,"
        " size = size - ? WHERE id = ? RETURNING account, modseq",
        (
            len(rows),
            sum(not r[2] & SEEN for r in rows),
            sum(bool(r[2] & DELETED) for r in rows),
            sum(r[5] for r in rows),
            mailbox,
        ),
    ).fetchone()
    picked, given = chosen(gone)
    db.execute(f"DELETE FROM entry WHERE mailbox = ? AND {picked}", (mailbox, *given))
    db.executemany(
        f"DELETE FROM filing WHERE kind = {PLACE} AND message = ? AND mailbox = ? AND first = ?",
        [(message, mailbox, uid) for uid, message, _, filed, _, _ in rows if filed is None],
    )
    letters = maildir.Letters(db, mailbox)
    db.executemany(
        f"INSERT INTO filing (kind, mailbox, first, last, message, name) VALUES ({REMOVE}, ?, ?, ?, ?, ?)",
        [
            (mailbox, uid, uid, message, maildir.file_name(date, message, uid, size, letters.of(filed)))
            for uid, message, _, filed, date, size in rows
            if filed is not None
        ],
    )
    forget(db, [row[1] for row in rows])
    facts.append(Expunged(account, mailbox, array("I", gone), modseq))
    facts.append(Filing(-sum(r[3] is None for r in rows), -sum(r[5] for r in rows if r[3] is None)))
    return gone


def forget(db: sqlite3.Connection, messages: Iterable[int]) -> None:
    """Drop the content of messages that stand in no mailbox and no queue."""
    orphans = db.execute(
        "SELECT id, spool FROM message WHERE id IN (SELECT value FROM json_each(?))"
        " AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.message = message.id)"
        " AND NOT EXISTS (SELECT 1 FROM outgoing WHERE outgoing.message = message.id)",
        (json.dumps(list(messages)),),
    ).fetchall()
    if not orphans:
        return
    ids = json.dumps([row[0] for row in orphans])
    for table, column in (("message", "id"), ("header", "message"), ("journal", "message")):
        db.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))", (ids,))
    unspool(db, [spool for _, spool in orphans if spool is not None])


def unspool(db: sqlite3.Connection, spools: Iterable[str]) -> None:
    """Have the filer remove spool files no row names any more."""
    db.executemany(f"INSERT INTO filing (kind, mailbox, name) VALUES ({UNSPOOL}, 0, ?)", [(s,) for s in spools])
