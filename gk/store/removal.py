"""Units of work that take messages out of mailboxes, and drop content that stands nowhere any more."""

import json
import sqlite3
from array import array
from collections.abc import Iterable, Sequence

from gk.store import maildir
from gk.store.chosen import chosen, uid_set
from gk.store.schema import PLACE, REMOVE, UNSPOOL
from gk.store.values import DELETED, SEEN, Expunged, Fact, Filing

REMEMBERED = 1000  # expunges of a mailbox that are told apart; who was away for longer is told all uids that are gone


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
    letters = maildir.Letters(db, mailbox)
    removes = []
    for uid, message, _, filed, date, size in rows:
        exact = None
        if filed is None:  # a round killed before its commit may have left the file, under the name of its place row
            row = db.execute(
                f"DELETE FROM filing WHERE kind = {PLACE} AND message = ? AND mailbox = ? AND first = ?"
                " RETURNING flags",
                (message, mailbox, uid),
            ).fetchone()
            filed, exact = (row[0] if row else 0), 1
        name = maildir.file_name(date, message, uid, size, letters.of(filed))
        removes.append((mailbox, uid, uid, message, exact, name))
    db.executemany(
        f"INSERT INTO filing (kind, mailbox, first, last, message, flags, name) VALUES ({REMOVE}, ?, ?, ?, ?, ?, ?)",
        removes,
    )
    _note(db, mailbox, modseq, gone)
    _drop(db, abs(account), [row[1] for row in rows])
    forget(db, [row[1] for row in rows])
    facts.append(Expunged(account, mailbox, array("I", gone), modseq))
    facts.append(Filing(-sum(r[3] is None for r in rows), -sum(r[5] for r in rows if r[3] is None)))
    return gone


def _note(db: sqlite3.Connection, mailbox: int, modseq: int, gone: Sequence[int]) -> None:
    """Remember when these uids went, for clients that come back (RFC 7162 §3.2.5); the log is bounded."""
    db.execute("INSERT INTO expunged (mailbox, modseq, uids) VALUES (?, ?, ?)", (mailbox, modseq, uid_set(gone)))
    row = db.execute(
        f"SELECT modseq FROM expunged WHERE mailbox = ? ORDER BY modseq DESC LIMIT 1 OFFSET {REMEMBERED}", (mailbox,)
    ).fetchone()
    if row is not None:
        db.execute("DELETE FROM expunged WHERE mailbox = ? AND modseq <= ?", (mailbox, row[0]))
        db.execute("UPDATE mailbox SET forgotten = ? WHERE id = ?", (row[0], mailbox))


def _drop(db: sqlite3.Connection, account: int, messages: Sequence[int]) -> None:
    """Have the search index forget the messages the account has nowhere any more."""
    db.execute(
        "INSERT INTO dropped (account, message) SELECT DISTINCT ?, gone.value FROM json_each(?) gone WHERE NOT EXISTS"
        " (SELECT 1 FROM entry JOIN mailbox ON mailbox.id = entry.mailbox"
        " WHERE entry.message = gone.value AND abs(mailbox.account) = ?) ON CONFLICT DO NOTHING",
        (account, json.dumps(list(messages)), account),
    )


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
    for table, column in (
        ("message", "id"), ("header", "message"), ("journal", "message"), ("verdict", "message"), ("lesson", "message"),
        ("triage_job", "message"), ("triage", "message"), ("routed", "message"), ("reply", "message"),
    ):  # fmt: skip
        db.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))", (ids,))
    unspool(db, [spool for _, spool in orphans if spool is not None])


def unspool(db: sqlite3.Connection, spools: Iterable[str]) -> None:
    """Have the filer remove spool files no row names any more."""
    db.executemany(f"INSERT INTO filing (kind, mailbox, name) VALUES ({UNSPOOL}, 0, ?)", [(s,) for s in spools])
