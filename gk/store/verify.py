"""`gk verify`: does the index agree with itself, and with the files?"""

import os
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gk.store import maildir
from gk.store.content import filed
from gk.store.schema import PLACE

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One disagreement: its kind in one word, and where it is; ids only."""

    kind: str
    where: str


def verify(db: sqlite3.Connection, data: Path, *, content: bool = False) -> list[Problem]:
    """All problems, in one read transaction; with `content` every message is read against its checksum."""
    db.execute("BEGIN")
    try:
        damage = [row[0] for row in db.execute("PRAGMA quick_check(10)") if row[0] != "ok"]
        if damage:
            return [Problem("database", text) for text in damage]
        problems = [*_rows(db), *_mailboxes(db)]
        files = _files(db, data)
        problems += _entries(db, data, files, content)
        problems += [Problem("unknown-file", str(path.relative_to(data))) for path in _unknown(db, data, files)]
        return problems
    finally:
        db.execute("ROLLBACK")


def _rows(db: sqlite3.Connection) -> Iterator[Problem]:
    checks = (
        (
            "entry-without-message",
            "SELECT mailbox || '/' || uid FROM entry WHERE message NOT IN (SELECT id FROM message)",
        ),
        (
            "entry-without-mailbox",
            "SELECT mailbox || '/' || uid FROM entry WHERE mailbox NOT IN (SELECT id FROM mailbox)",
        ),
        (
            "message-nowhere",
            "SELECT id FROM message WHERE id NOT IN (SELECT message FROM entry)"
            " AND id NOT IN (SELECT message FROM outgoing)",
        ),
        ("journal-without-message", "SELECT message FROM journal WHERE message NOT IN (SELECT id FROM message)"),
        ("header-missing", "SELECT id FROM message WHERE id NOT IN (SELECT message FROM header)"),
        ("queue-without-message", "SELECT id FROM outgoing WHERE message NOT IN (SELECT id FROM message)"),
        (
            "place-missing",
            "SELECT mailbox || '/' || uid FROM entry e WHERE filed IS NULL AND NOT EXISTS (SELECT 1 FROM filing f"
            f" WHERE f.kind = {PLACE} AND f.message = e.message AND f.mailbox = e.mailbox AND f.first = e.uid)",
        ),
        (
            "directory-shared",
            "SELECT min(id) FROM mailbox WHERE directory IS NOT NULL GROUP BY abs(account), directory"
            " HAVING count(*) > 1",
        ),
    )
    for kind, query in checks:
        for (where,) in db.execute(query):
            yield Problem(kind, str(where))


def _mailboxes(db: sqlite3.Connection) -> Iterator[Problem]:
    rows = db.execute(
        "SELECT b.id, b.uidnext, b.modseq, b.messages, b.unseen, b.deleted, b.size, count(e.uid),"
        " coalesce(max(e.uid), 0), coalesce(max(e.modseq), 0), coalesce(sum(NOT e.flags & 1), 0),"
        " coalesce(sum((e.flags & 8) <> 0), 0),"
        " coalesce(sum(m.size), 0) FROM mailbox b LEFT JOIN entry e ON e.mailbox = b.id"
        " LEFT JOIN message m ON m.id = e.message GROUP BY b.id"
    )
    for mailbox, uidnext, modseq, messages, unseen, deleted, size, count, last, highest, fresh, gone, total in rows:
        if last >= uidnext:
            yield Problem("uidnext", f"mailbox {mailbox}: {uidnext} is taken")
        if highest > modseq:
            yield Problem("modseq", f"mailbox {mailbox}: {modseq} below {highest}")
        if (messages, unseen, deleted, size) != (count, fresh, gone, total):
            yield Problem(
                "counters", f"mailbox {mailbox}: {(messages, unseen, deleted, size)}, not {(count, fresh, gone, total)}"
            )


def _files(db: sqlite3.Connection, data: Path) -> dict[int, dict[str, str]]:
    """mailbox → name without flags → name, of all files in cur."""
    out: dict[int, dict[str, str]] = {}
    for mailbox, account, directory in db.execute(
        "SELECT id, abs(account), directory FROM mailbox WHERE directory IS NOT NULL"
    ):
        names: dict[str, str] = {}
        try:
            with os.scandir(maildir.account_path(data, account) / directory / "cur") as found:
                for entry in found:
                    names[entry.name.rpartition(",")[0] + ","] = entry.name
        except FileNotFoundError:
            pass
        out[mailbox] = names
    return out


def _entries(db: sqlite3.Connection, data: Path, files: dict[int, dict[str, str]], content: bool) -> Iterator[Problem]:
    checked: set[int] = set()
    for mailbox, uid, message, date, placed, size, crc, spool, account, directory in db.execute(
        "SELECT e.mailbox, e.uid, e.message, e.date, e.filed, m.size, m.crc, m.spool, abs(b.account), b.directory"
        " FROM entry e JOIN message m ON m.id = e.message JOIN mailbox b ON b.id = e.mailbox"
    ):
        where = f"mailbox {mailbox} uid {uid} message {message}"
        if placed is None:
            body = db.execute("SELECT content FROM journal WHERE message = ?", (message,)).fetchone()
            if body is not None:
                if len(body[0]) != size or (content and zlib.crc32(body[0]) != crc):
                    yield Problem("journal-damaged", where)
                continue
            paths = [data / "spool" / spool] if spool else []
            paths += [folder / "cur" / name for folder, name, _ in filed(db, data, message)]
            if not any(path.exists() for path in paths):
                yield Problem("content-missing", where)
            continue
        name = files.get(mailbox, {}).get(maildir.stem(date, message, uid, size))
        if name is None:
            yield Problem("file-missing", where)
            continue
        path = maildir.account_path(data, account) / directory / "cur" / name
        try:
            actual = path.stat().st_size
        except FileNotFoundError:
            continue  # moved by the filer since
        if actual != size:
            yield Problem("file-size", f"{where}: {actual} bytes, not {size}")
        elif content and message not in checked and _crc(path) != crc:
            yield Problem("file-damaged", where)
        checked.add(message)


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            crc = zlib.crc32(piece, crc)
    return crc


def _unknown(db: sqlite3.Connection, data: Path, files: dict[int, dict[str, str]]) -> Iterator[Path]:
    """Files in our folders that no row speaks of, neither an entry nor work still to do."""
    waiting = {
        (mailbox, uid)
        for mailbox, first, last in db.execute("SELECT mailbox, first, last FROM filing WHERE first > 0")
        for uid in (first, last)
    }
    for mailbox, account, directory in db.execute(
        "SELECT id, abs(account), directory FROM mailbox WHERE directory IS NOT NULL"
    ):
        known = {
            maildir.stem(date, message, uid, size)
            for date, message, uid, size in db.execute(
                "SELECT e.date, e.message, e.uid, m.size FROM entry e JOIN message m ON m.id = e.message"
                " WHERE e.mailbox = ?",
                (mailbox,),
            )
        }
        for stem, name in files.get(mailbox, {}).items():
            match = maildir.FILE.fullmatch(name)
            if stem not in known and not (match and (mailbox, int(match[3])) in waiting):
                yield maildir.account_path(data, account) / directory / "cur" / name
