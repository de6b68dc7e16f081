"""Units of work on `remote_message`: whose rows there are, flags, what vanished or was erased. Functions of rows."""

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gk.store import entries
from gk.store.remote_marks import marked
from gk.store.values import ANSWERED, DELETED, FLAGGED, SEEN, SYSTEM, Fact, Flags

MIRRORED = SEEN | ANSWERED | FLAGGED | DELETED  # the flags both sides are to have
HERE = (  # whether the message of a row `m` stands in a mailbox of an account
    "EXISTS (SELECT 1 FROM entry e JOIN mailbox b ON b.id = e.mailbox WHERE e.message = m.message AND b.account = ?)"
)
INSERT = (
    "INSERT INTO remote_message (folder, uid, message, local, flags, mark, size, apart, sender, subject, date, lost)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Folder:
    """A mailbox there and the one here; `last` is the highest uid dealt with, `pushed` a modseq of the mailbox here."""

    id: int
    remote: int
    name: str
    account: int
    mailbox: int
    uidvalidity: int
    last: int
    modseq: int
    pushed: int


_FOLDER = (
    "SELECT f.id, f.remote, f.name, r.account, f.mailbox, f.uidvalidity, f.last, f.modseq, f.pushed"
    " FROM remote_folder f JOIN remote r ON r.id = f.remote WHERE "
)


def folder(db: sqlite3.Connection, remote: int, name: str) -> Folder:
    return Folder(*db.execute(_FOLDER + "f.remote = ? AND f.name = ?", (remote, name)).fetchone())


def by_id(db: sqlite3.Connection, number: int) -> Folder | None:
    row = db.execute(_FOLDER + "f.id = ?", (number,)).fetchone()
    return Folder(*row) if row else None


def every(db: sqlite3.Connection, remote: int) -> list[Folder]:
    return [Folder(*row) for row in db.execute(_FOLDER + "f.remote = ? ORDER BY f.id", (remote,))]


def remove(db: sqlite3.Connection, account: int) -> None:
    """Forget all an account has elsewhere."""
    inside = "folder IN (SELECT f.id FROM remote_folder f JOIN remote r ON r.id = f.remote WHERE r.account = ?)"
    db.execute(f"DELETE FROM remote_message WHERE {inside}", (account,))
    db.execute("DELETE FROM remote_folder WHERE remote IN (SELECT id FROM remote WHERE account = ?)", (account,))
    db.execute("DELETE FROM remote WHERE account = ?", (account,))


def retire(db: sqlite3.Connection, facts: list[Fact], kept: Sequence[int], most: int) -> int:
    """Forget so many messages of other accounts elsewhere than those, which are not here any more; how many."""
    return db.execute(
        "DELETE FROM remote_message WHERE id IN (SELECT m.id FROM remote_folder f"
        " JOIN remote_message m ON m.folder = f.id WHERE f.remote NOT IN (SELECT value FROM json_each(?))"
        " AND NOT EXISTS (SELECT 1 FROM message WHERE message.id = m.message) LIMIT ?)",
        (json.dumps(list(kept)), most),
    ).rowcount


def begin(db: sqlite3.Connection, number: int, uidvalidity: int) -> None:
    """The uids of a folder mean nothing any more; its messages wait to be known again."""
    db.execute("DELETE FROM remote_message WHERE folder = ? AND message = 0", (number,))
    db.execute(
        "UPDATE remote_message SET uid = NULL, lost = ? WHERE folder = ? AND uid IS NOT NULL",
        (int(time.time()), number),
    )
    db.execute(
        "UPDATE remote_folder SET uidvalidity = ?, last = 0, modseq = 0, pushed = 0 WHERE id = ?", (uidvalidity, number)
    )


def erased(db: sqlite3.Connection, messages: Sequence[int]) -> None:
    """Messages are erased here: they stay there, which is another's, and do not come again; nothing tells of whom."""
    listed = "message IN (SELECT value FROM json_each(?))"
    given = (json.dumps(list(messages)),)
    db.execute(f"DELETE FROM remote_message WHERE uid IS NULL AND {listed}", given)
    db.execute(f"UPDATE remote_message SET message = 0, apart = 1, sender = '', subject = 0 WHERE {listed}", given)


def adopted(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows for messages that stand here already: (uid, message, flags, date, size, header) of each."""
    made = []
    for uid, message, flags, date, size, header in rows:
        told = marked(header)
        made.append((None, message, uid, flags & SYSTEM, told.mark, size, 0, told.sender, told.subject, date))
    return made


def insert(db: sqlite3.Connection, number: int, rows: Sequence[tuple[Any, ...]]) -> None:
    now = int(time.time())
    db.executemany(INSERT, [(number, *row, now) for row in rows])


# --- flags and what vanished ------------------------------------------------------------------------------------------


def flagged(db: sqlite3.Connection, facts: list[Fact], to: Folder, found: Sequence[tuple[int, int]], limit: int) -> int:
    """Take over what changed there since both sides had the same; how many messages that are."""
    flags: Mapping[int, int] = dict(found)
    rows = db.execute(
        "SELECT id, local, flags, uid FROM remote_message WHERE folder = ? AND apart = 0"
        " AND uid IN (SELECT value FROM json_each(?))",
        (to.id, json.dumps(list(flags))),
    ).fetchall()
    return pull(db, facts, to, [(number, local, base, flags[uid]) for number, local, base, uid in rows], limit)


def pull(
    db: sqlite3.Connection, facts: list[Fact], to: Folder, rows: Iterable[tuple[int, int, int, int]], limit: int
) -> int:
    """The same for (row, uid here, flags both had, flags there): one change here for each kind of it."""
    add: dict[int, list[int]] = {}
    clear: dict[int, list[int]] = {}
    bases = []
    for number, local, base, now in rows:
        changed = (base ^ now) & MIRRORED
        if not changed:
            continue
        bases.append(((base & ~MIRRORED) | (now & MIRRORED), number))
        if changed & now:
            add.setdefault(changed & now, []).append(local)
        if changed & base:
            clear.setdefault(changed & base, []).append(local)
    db.executemany("UPDATE remote_message SET flags = ? WHERE id = ?", bases)
    for bits, uids in add.items():
        entries.store_flags(db, facts, to.mailbox, sorted(uids), "add", Flags(bits), None, limit)
    for bits, uids in clear.items():
        entries.store_flags(db, facts, to.mailbox, sorted(uids), "remove", Flags(bits), None, limit)
    return len(bases)


def vanish(db: sqlite3.Connection, facts: list[Fact], to: Folder, uids: Sequence[int], limit: int) -> int:
    """Messages that are not there any more: to Trash here unless their flags were changed here; how many moved.

    Nothing is expunged: what another server says is no reason to throw the last copy away.
    """
    rows = db.execute(
        "SELECT r.id, r.local, r.flags, e.flags FROM remote_message r"
        " LEFT JOIN entry e ON e.mailbox = ? AND e.uid = r.local"
        " WHERE r.folder = ? AND r.uid IN (SELECT value FROM json_each(?)) AND r.message <> 0 AND r.apart = 0",
        (to.mailbox, to.id, json.dumps(list(uids))),
    ).fetchall()
    trash = db.execute("SELECT id FROM mailbox WHERE account = ? AND special_use = '\\Trash'", (to.account,)).fetchone()
    going = sorted(local for _, local, base, now in rows if now is not None and not (base ^ now) & MIRRORED)
    if trash is not None and trash[0] != to.mailbox and going:
        entries.move(db, facts, to.mailbox, going, trash[0], limit)
    else:
        going = []
    listed = json.dumps(list(uids))
    chosen = "folder = ? AND uid IN (SELECT value FROM json_each(?))"
    db.execute(f"DELETE FROM remote_message WHERE {chosen} AND message = 0", (to.id, listed))
    db.execute(f"UPDATE remote_message SET uid = NULL, lost = ? WHERE {chosen}", (int(time.time()), to.id, listed))
    return len(going)
