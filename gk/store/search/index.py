"""The writing side of search.db: opened or made anew by the child, a batch of documents at a time."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gk.store.search import schema
from gk.store.search.grams import fit, pack, unpack
from gk.store.search.indexed import SEPARATOR, Indexed
from gk.store.search.schema import DATABASE

CHECKPOINT = 2000  # WAL pages

_PRAGMAS = (
    "PRAGMA synchronous=NORMAL",  # what a power cut takes is indexed again
    "PRAGMA secure_delete=ON",
    f"PRAGMA wal_autocheckpoint={CHECKPOINT}",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA cache_size=-32768",
    "PRAGMA temp_store=MEMORY",
)


class Superseded(Exception):
    """Another process went on with this index: what was read for the batch may be old."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One document to be added."""

    account: int
    message: int
    text: Indexed


class Index:
    """The connection that writes."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.mark = schema.mark(db)

    def close(self) -> None:
        """Bring the log home, as far as nobody reads in it."""
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._db.close()

    def abandon(self) -> None:
        """Close a file that is not to be written to any more."""
        self._db.close()

    def add(self, entries: Iterable[Entry], dropped: Sequence[tuple[int, int]], mark: int) -> None:
        """Add documents and forget others, (account, message) each, and move the mark: all or nothing.

        Raises Superseded.
        """
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if schema.mark(self._db) != self.mark:
                raise Superseded
            self._forget(dropped)
            for entry in entries:
                self._add(schema.document(entry.account, entry.message), entry.text)
            self._db.execute("UPDATE meta SET value = ? WHERE name = 'mark'", (mark,))
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self.mark = mark

    def _add(self, number: int, text: Indexed) -> None:
        execute = self._db.execute
        execute(
            "INSERT INTO document (id, cut, preview, head, body) VALUES (?, ?, ?, ?, ?)",
            (number, text.cut, text.preview, pack(text.head), pack(text.body)),
        )
        execute(
            "INSERT INTO field VALUES (?, ?, ?, ?, ?, ?)",
            (number, *(value.encode("utf-8", "surrogatepass") for value in text.fields)),
        )
        keys = text.keys
        execute(
            "INSERT INTO key VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (number, keys.sent, keys.reply, keys.subject, keys.sender, keys.to, keys.cc, keys.display_from,
             keys.display_to, keys.message_id, b"\n".join(keys.references)),
        )  # fmt: skip
        for name, content in _full_text(text.head, text.body, text.fields):
            execute(f"INSERT INTO {name} (rowid, text) VALUES (?, ?)", (number, content))

    def _forget(self, dropped: Sequence[tuple[int, int]]) -> None:
        execute = self._db.execute
        for account, message in dropped:
            number = schema.document(account, message)
            row = execute("SELECT head, body FROM document WHERE id = ?", (number,)).fetchone()
            if row is None:
                continue  # it went before its turn came
            raw = execute('SELECT subject, "from", "to", cc, bcc FROM field WHERE id = ?', (number,)).fetchone()
            fields = tuple(value.decode("utf-8", "surrogatepass") for value in raw)
            head, body = map(unpack, row)
            for name, content in _full_text(head, body, fields):
                execute(f"INSERT INTO {name} ({name}, rowid, text) VALUES ('delete', ?, ?)", (number, content))
            for table in ("document", "field", "key"):
                execute(f"DELETE FROM {table} WHERE id = ?", (number,))

    def erase(self) -> None:
        """Leave nothing of what was forgotten in the file: segments are merged, and what they held is overwritten."""
        for name in ("head", "body", "word"):
            self._db.execute(f"INSERT INTO {name} ({name}) VALUES ('optimize')")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _full_text(head: str, body: str, fields: tuple[str, ...]) -> list[tuple[str, str]]:
    """What the three FTS5 tables hold of a document; a pure function of what is stored of it."""
    words = "\n".join([*(value.replace(SEPARATOR, "\n") for value in fields), body])
    beside = [part for value in fields for part in value.split(SEPARATOR) if part not in head]
    return [("head", fit("\n".join([head, *beside]))), ("body", fit(body)), ("word", fit(words))]


def open_index(data: Path, owner: int, newest: int) -> Index:
    """The index of that gk.db, whose newest message is given: as it was left, or empty.

    Raises sqlite3.Error or OSError where no file can be made or read.
    """
    untouched = schema.stamped(data)
    if untouched is False:
        schema.remove(data)
    else:
        try:
            index = _opened(data, owner, newest, check=untouched is None)
            if index is not None:
                return index
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
        schema.remove(data)
    db = _connect(data)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("BEGIN IMMEDIATE")
    schema.create(db, owner)
    db.execute("COMMIT")
    return Index(db)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is at fault: it is of no use, then."""
    name = getattr(error, "sqlite_errorname", None) or ""
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR"))


def _connect(data: Path) -> sqlite3.Connection:
    path = data / DATABASE
    fresh = not path.exists()
    db = sqlite3.connect(path, isolation_level=None, cached_statements=64, timeout=10)
    if fresh:
        path.chmod(0o600)
    for pragma in _PRAGMAS:
        db.execute(pragma)
    return db


def _opened(data: Path, owner: int, newest: int, *, check: bool) -> Index | None:
    """The index there is; None where it is not of use."""
    path = data / DATABASE
    if not path.exists() or path.stat().st_size == 0:
        return None
    db = _connect(data)
    try:
        if schema.belongs(db, "main", owner) and schema.mark(db) <= newest and (not check or _sound(db)):
            return Index(db)
    except BaseException:
        db.close()
        raise
    db.close()
    return None


def _sound(db: sqlite3.Connection) -> bool:
    """After a stop without warning: pages, rows and the trees of FTS5 hang together."""
    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        return False
    for name in ("head", "body", "word"):
        db.execute(f"INSERT INTO {name} ({name}) VALUES ('integrity-check')")
    return True
