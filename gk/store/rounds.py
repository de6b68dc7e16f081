"""One round of filing: rows of `filing` done on disk, in a thread, and the transaction that records it.

(1) Every `place` is written or hard-linked under tmp, synced, renamed into cur, the directory synced; (2) one
transaction marks them placed, drops journal bodies nobody waits for, and makes a `remove` of what was expunged
meanwhile; (3) files are renamed after their flags, and unlinked. A step done twice does no harm: a file's name is
fixed by its row but for the flags, and a file that is not where its row says is looked for by that name. A `remove`
waits while any unplaced row needs the same content, and a folder is dropped after the last of them.
"""

import errno
import json
import logging
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gk import durable
from gk.store import crash, disk, maildir
from gk.store.content import filed
from gk.store.folders import Folders
from gk.store.schema import DROP_FOLDER, MOVE_FOLDER, PLACE, REMOVE, RENAME, UNSPOOL
from gk.store.values import KEYWORDS, Fact

log = logging.getLogger(__name__)

BATCH = 1000  # rows of one round
BATCH_BYTES = 32 << 20  # of message content in one round
RENAMES = 2000  # files renamed for their flags in one round

Row = tuple[int, int, int, int, int, int, int, str]  # of filing: id, kind, mailbox, first, last, message, flags, name


@dataclass(slots=True)
class Round:
    """What one round did on disk, to be committed."""

    rows: list[int] = field(default_factory=list)  # filing ids that are done
    placed: list[tuple[int, int, int, int, str]] = field(
        default_factory=list
    )  # flags, mailbox, uid, message, file name
    renamed: list[tuple[int, int, int]] = field(default_factory=list)  # flags, mailbox, uid
    continued: list[tuple[int, int]] = field(default_factory=list)  # (next first uid, filing id) of a long RENAME
    folders: list[tuple[str, int]] = field(default_factory=list)  # directory, mailbox
    dropped: list[int] = field(default_factory=list)  # mailboxes whose folder is gone
    size: int = 0  # of the messages placed
    full: bool = False  # there may be more to do

    def __bool__(self) -> bool:
        return bool(self.rows or self.continued or self.folders)


class Rounds:
    """Does the rows, one round after the other; for one thread at a time."""

    def __init__(self, data: Path, db: sqlite3.Connection) -> None:
        """`db` reads; it is this object's alone."""
        self._data, self._db = data, db
        self._folders = Folders(db, data)
        self._stuck: set[int] = set()  # rows whose content is nowhere; looked at again after a restart

    def work(self) -> Round:
        """Do the next rows; what was done, to be recorded."""
        rows = self._db.execute(
            "SELECT id, kind, mailbox, first, last, message, flags, name FROM filing f WHERE NOT (kind = ? AND EXISTS"
            " (SELECT 1 FROM filing p WHERE p.kind = 0 AND p.message = f.message))"
            f" AND NOT (kind = ? AND EXISTS (SELECT 1 FROM filing r WHERE r.kind = {REMOVE} AND r.mailbox = f.mailbox))"
            " AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?",
            (REMOVE, DROP_FOLDER, json.dumps(list(self._stuck)), BATCH),
        ).fetchall()
        done = Round(full=len(rows) == BATCH)
        if any(row[1] in (MOVE_FOLDER, DROP_FOLDER) for row in rows):
            rows = self._in_order(done, rows)
        self._place(done, [row for row in rows if row[1] == PLACE])
        for row in rows:
            if row[1] == RENAME:
                self._rename(done, row)
            elif row[1] == REMOVE:
                self._remove(row)
                done.rows.append(row[0])
            elif row[1] == UNSPOOL:
                (self._data / "spool" / row[7]).unlink(missing_ok=True)
                done.rows.append(row[0])
            if len(done.renamed) >= RENAMES:
                done.full = True
                break
        return done

    def _place(self, done: Round, rows: list[Row]) -> None:
        written: dict[int, str] = {}  # message → a path that holds it, for the next one to link to
        moves: list[tuple[str, str]] = []
        fresh: list[str] = []
        boxes: dict[int, tuple[str, maildir.Letters]] = {}
        copied = 0
        places = self._db.execute(
            "SELECT f.id, f.mailbox, f.first, f.message, f.flags, e.date, m.size, m.spool, j.content"
            " FROM filing f LEFT JOIN entry e ON e.mailbox = f.mailbox AND e.uid = f.first"
            " LEFT JOIN message m ON m.id = e.message LEFT JOIN journal j ON j.message = e.message"
            " WHERE f.id IN (SELECT value FROM json_each(?)) ORDER BY f.id",
            (json.dumps([row[0] for row in rows]),),
        )
        for row_id, mailbox, uid, message, flags, date, size, spool, content in places:
            done.rows.append(row_id)
            if date is None:
                continue  # expunged before it was filed
            if mailbox not in boxes:
                boxes[mailbox] = self._box(done, mailbox)
            folder, letters = boxes[mailbox]
            file = maildir.file_name(date, message, uid, size, letters.of(flags))
            tmp, cur = f"{folder}/tmp/{file}", f"{folder}/cur/{file}"
            if not os.path.exists(cur):  # it does after a crash between its rename and the commit
                try:
                    if self._write(tmp, message, spool, content, written):
                        fresh.append(tmp)
                except FileNotFoundError as error:  # somebody removed what it was to be linked to; the others go on
                    log.error("event=content_missing message=%d error=%s", message, error.strerror)
                    self._stuck.add(row_id)
                    done.rows.remove(row_id)
                    continue
                moves.append((tmp, cur))
            written[message] = tmp if moves and moves[-1][0] == tmp else cur
            done.placed.append((flags, mailbox, uid, message, file))
            done.size += size
            copied += len(content or b"")
            if copied > BATCH_BYTES:
                done.full = True
                break
        places.close()
        disk.sync_all(self._data, fresh)
        crash.here("tmp-synced")
        for tmp, cur in moves:
            os.rename(tmp, cur)
            crash.here("file-renamed")
        for folder, _ in boxes.values():
            durable.sync(f"{folder}/cur")
            crash.here("directory-synced")

    def _box(self, done: Round, mailbox: int) -> tuple[str, maildir.Letters]:
        """The folder of a mailbox, described, and its letters for flags."""
        account, directory, name, uidnext = self._db.execute(
            "SELECT abs(account), directory, name, uidnext FROM mailbox WHERE id = ?", (mailbox,)
        ).fetchone()
        folder, chosen = self._folders.made(mailbox, account, directory, name)
        if directory is None:
            done.folders.append((chosen, mailbox))
        self._folders.describe(folder, mailbox, uidnext)
        return str(folder), maildir.Letters(self._db, mailbox)

    def _write(
        self, path: str, message: int, spool: str | None, content: bytes | None, written: dict[int, str]
    ) -> bool:
        """Make `path` hold the message: linked where a file has it already, else written; true when to be synced."""
        for source in filter(None, (written.get(message), spool and f"{self._data}/spool/{spool}")):
            if disk.link(source, path):
                return False
        if content is not None:
            disk.write_file(path, content)
            crash.here("tmp-written")
            return True
        for folder, name, stem in filed(self._db, self._data, message):
            if disk.link(str(folder / "cur" / name), path) or disk.link(disk.find(folder, stem) or "", path):
                return False
        raise FileNotFoundError(errno.ENOENT, f"no content of message {message}")

    def _rename(self, done: Round, row: Row) -> None:
        """Name files after their present flags."""
        row_id, _, mailbox, first, last = row[:5]
        entries = self._db.execute(
            "SELECT e.uid, e.message, e.date, e.flags, e.filed, m.size, b.account, b.directory FROM entry e"
            " JOIN message m ON m.id = e.message JOIN mailbox b ON b.id = e.mailbox"
            " WHERE e.mailbox = ? AND e.uid BETWEEN ? AND ? AND e.filed IS NOT NULL AND e.filed <> e.flags LIMIT ?",
            (mailbox, first, last, RENAMES),
        ).fetchall()
        letters = maildir.Letters(self._db, mailbox)
        for uid, message, date, flags, named, size, account, directory in entries:
            folder = maildir.account_path(self._data, abs(account)) / directory
            if flags >> KEYWORDS and not done.renamed:
                self._folders.write_keywords(folder, mailbox)
            stem = maildir.stem(date, message, uid, size)
            old, new = stem + letters.of(named), stem + letters.of(flags)
            if old != new:
                try:
                    os.rename(folder / "cur" / old, folder / "cur" / new)
                except FileNotFoundError:
                    stray = disk.find(folder, stem)
                    if stray is not None:
                        os.rename(stray, folder / "cur" / new)
                crash.here("flags-renamed")
            done.renamed.append((flags, mailbox, uid))
        if len(entries) == RENAMES:
            done.continued.append((entries[-1][0] + 1, row_id))
        else:
            done.rows.append(row_id)

    def _remove(self, row: Row) -> None:
        _, _, mailbox, _, _, _, exact, name = row
        where = self._db.execute("SELECT account, directory FROM mailbox WHERE id = ?", (mailbox,)).fetchone()
        if where is None or where[1] is None:
            return  # the folder went with its files, or never was
        folder = maildir.account_path(self._data, abs(where[0])) / where[1]
        try:
            os.unlink(folder / "cur" / name)
        except FileNotFoundError:
            # A file that was never named otherwise is not there; another may be between two names.
            stray = None if exact else disk.find(folder, name[: name.rindex(",") + 1])
            if stray is not None:
                os.unlink(stray)
        crash.here("file-removed")

    def _in_order(self, done: Round, rows: list[Row]) -> list[Row]:
        """Do the folder steps the rows begin with; else the rows that come before the first of them.

        Where the others are to look is known once the steps are committed. Steps that share no directory are done in
        one round: each can be done twice. Those of mailboxes that never had a file are no steps at all.
        """
        before: list[Row] = []
        touched: set[Path] = set()
        for row in rows:
            row_id, kind, mailbox, _, _, _, _, target = row
            if kind not in (MOVE_FOLDER, DROP_FOLDER):
                if touched:
                    done.full = True
                    return []
                before.append(row)
                continue
            paths = self._folders.touched(mailbox, target)
            if (paths and (before or paths & touched)) or any(earlier[2] == mailbox for earlier in before):
                done.full = True
                break
            touched |= paths
            done.rows.append(row_id)
            if kind == DROP_FOLDER:
                self._folders.dropped(mailbox)
                done.dropped.append(mailbox)
            elif (now := self._folders.moved(mailbox, target)) is not None:
                done.folders.append((now, mailbox))
        return before


def record(db: sqlite3.Connection, facts: list[Fact], done: Round) -> list[str]:
    """The transaction after a round; return the spool files nobody needs any more."""
    db.executemany("UPDATE mailbox SET directory = ? WHERE id = ?", done.folders)
    db.executemany("UPDATE entry SET filed = ? WHERE mailbox = ? AND uid = ?", [placed[:3] for placed in done.placed])
    for flags, mailbox, uid, message, name in done.placed:
        there = db.execute("SELECT flags FROM entry WHERE mailbox = ? AND uid = ?", (mailbox, uid)).fetchone()
        if there is None:  # expunged meanwhile
            db.execute(
                "INSERT INTO filing (kind, mailbox, first, last, message, name) VALUES (?, ?, ?, ?, ?, ?)",
                (REMOVE, mailbox, uid, uid, message, name),
            )
        elif there[0] != flags:  # flagged meanwhile
            db.execute(
                "INSERT INTO filing (kind, mailbox, first, last) VALUES (?, ?, ?, ?)", (RENAME, mailbox, uid, uid)
            )
    db.executemany("UPDATE entry SET filed = ? WHERE mailbox = ? AND uid = ?", done.renamed)
    db.executemany("UPDATE filing SET first = ? WHERE id = ?", done.continued)
    db.executemany("DELETE FROM filing WHERE id = ?", [(row,) for row in done.rows])
    db.executemany("DELETE FROM mailbox WHERE id = ?", [(mailbox,) for mailbox in done.dropped])
    return settle(db, {placed[3] for placed in done.placed})


def settle(db: sqlite3.Connection, messages: Iterable[int]) -> list[str]:
    """Drop journal bodies and name the spool files of messages whose every row is placed and which no queue needs."""
    settled = db.execute(
        "SELECT id, spool FROM message WHERE id IN (SELECT value FROM json_each(?))"
        " AND NOT EXISTS (SELECT 1 FROM filing WHERE filing.message = message.id AND filing.kind = 0)"
        " AND NOT EXISTS (SELECT 1 FROM outgoing WHERE outgoing.message = message.id)",
        (json.dumps(list(messages)),),
    ).fetchall()
    db.executemany("DELETE FROM journal WHERE message = ?", [(message,) for message, _ in settled])
    spooled = [(message, spool) for message, spool in settled if spool is not None]
    db.executemany("UPDATE message SET spool = NULL WHERE id = ?", [(message,) for message, _ in spooled])
    return [spool for _, spool in spooled]
