"""A database that is damaged: set aside, and read for what it still gives."""

import sqlite3
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from gk.message.parsed import parse
from gk.store import entries
from gk.store.directory import DATABASE
from gk.store.values import Arrival, Fact, Flags, When

KEYWORD_LIMIT = 500


@dataclass(slots=True)
class Summary:
    """What was done, in numbers, and what could not be."""

    mailboxes: int = 0
    messages: int = 0
    adopted: int = 0
    dropped: int = 0
    lost: list[str] = field(default_factory=list)
    taken_in: list[Path] = field(default_factory=list)  # foreign files, to be removed once their rows are committed


def set_aside(data: Path, summary: Summary) -> Path | None:
    """Move a database that cannot be used out of the way; None when it is sound."""
    path = data / DATABASE
    if not path.exists():
        return data / "none"
    try:
        db = sqlite3.connect(path)
        try:
            sound = db.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok"
            sound = sound and db.execute("SELECT count(*) FROM mailbox").fetchone() is not None
        finally:
            db.close()
    except sqlite3.DatabaseError:
        sound = False
    if sound:
        return None
    aside = data / "backup" / f"gk-damaged-{int(time.time())}.db"
    for suffix in ("", "-wal", "-shm"):
        old = Path(f"{path}{suffix}")
        if old.exists():
            old.rename(f"{aside}{suffix}")
    summary.lost.append(f"the database was damaged; it is kept as {aside.relative_to(data)}")
    return aside


def save_accounts(db: sqlite3.Connection, damaged: Path, summary: Summary) -> None:
    """Accounts, their secrets and what they have agreed on, as far as the damaged database still gives them.

    It may be of an older schema: columns that came later have their defaults.
    """
    for table in (
        "account", "app_password", "subscription", "metadata", "suppressed", "sent_to", "forward",
        "script", "rule", "absence", "answered", "seen_id", "sign", "learnt", "model_use", "conversation",
    ):  # fmt: skip
        columns = [row[1] for row in _readable(damaged, f"PRAGMA table_info({table})")]
        for row in _readable(damaged, f"SELECT * FROM {table}"):
            marks = ",".join("?" * len(row))
            db.execute(f"INSERT OR IGNORE INTO {table} ({','.join(columns)}) VALUES ({marks})", row)
    for row in _readable(damaged, "SELECT name, value FROM meta WHERE name LIKE 'sending_'"):  # the key of `sent_to`
        db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", row)
    for address, status in _readable(
        damaged, "SELECT address, status FROM outgoing_recipient WHERE status IN ('pending', 'sending')"
    ):
        summary.lost.append(f"queued mail to {address} ({status}) is lost; send it again")


def save_journal(db: sqlite3.Connection, damaged: Path, summary: Summary) -> None:
    """Messages acknowledged but not filed when the database broke."""
    rows = _readable(
        damaged,
        "SELECT e.mailbox, e.uid, e.message, e.date, e.flags, j.content FROM entry e"
        " LEFT JOIN journal j ON j.message = e.message WHERE e.filed IS NULL",
    )
    for mailbox, uid, message, date, flags, content in rows:
        if db.execute("SELECT 1 FROM entry WHERE mailbox = ? AND uid = ?", (mailbox, uid)).fetchone():
            continue
        account = db.execute("SELECT account FROM mailbox WHERE id = ?", (mailbox,)).fetchone()
        if content is None or account is None:
            summary.lost.append(f"message {message} (mailbox {mailbox}, uid {uid}) was not filed yet and is lost")
            continue
        arrival = Arrival(len(content), zlib.crc32(content), parse(content), content)
        facts: list[Fact] = []
        db.execute("BEGIN IMMEDIATE")
        entries.append(db, facts, mailbox, account[0], [(arrival, Flags(flags & 0xFF), When(date))], KEYWORD_LIMIT)
        db.execute("COMMIT")
        summary.adopted += 1


def _readable(path: Path, query: str) -> list[tuple]:  # type: ignore[type-arg]
    """The rows a damaged database still gives."""
    rows: list[tuple] = []  # type: ignore[type-arg]
    if not path.exists():
        return rows
    try:
        db = sqlite3.connect(path)
        try:
            for row in db.execute(query):
                rows.append(row)  # noqa: PERF402 - what was read before the damage counts
        finally:
            db.close()
    except sqlite3.DatabaseError:
        pass
    return rows
