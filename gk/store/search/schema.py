"""search.db: its tables, whom it belongs to, and whether it can be trusted.

A document's number is `account << 40 | message`: the documents of an account are a range of rows. `head` and `body`
hold the same texts as `document`, as trigrams; `word` holds the words a person would look for. All three are
contentless: to take a document out of them its texts must be given again, so `document` keeps them.
"""

import json
import sqlite3
from pathlib import Path
from urllib.parse import quote

DATABASE = "search.db"
STAMP = "search.stamp"  # size and time of the file when it was last closed: who else wrote to it is found out
VERSION = 2
SHIFT = 40  # bits of a message id
MESSAGE = (1 << SHIFT) - 1

BODY_CUT, HEAD_CUT = 1, 2  # of `cut`: the text is longer than what is kept of it, or not what is found field by field

FIELDS = ("subject", "from", "to", "cc", "bcc")

_TABLES = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE document (
    id INTEGER PRIMARY KEY, cut INTEGER NOT NULL, preview TEXT NOT NULL,
    head BLOB NOT NULL, body BLOB NOT NULL
);
CREATE INDEX document_cut ON document (id) WHERE cut <> 0;
CREATE TABLE field (
    id INTEGER PRIMARY KEY, subject BLOB NOT NULL, "from" BLOB NOT NULL, "to" BLOB NOT NULL, cc BLOB NOT NULL,
    bcc BLOB NOT NULL
);
CREATE TABLE key (
    id INTEGER PRIMARY KEY, sent INTEGER, reply INTEGER NOT NULL, subject TEXT NOT NULL, "from" TEXT NOT NULL,
    "to" TEXT NOT NULL, cc TEXT NOT NULL, display_from TEXT NOT NULL, display_to TEXT NOT NULL, message_id BLOB,
    "references" BLOB NOT NULL
);
CREATE VIRTUAL TABLE head USING fts5 (
    text, content = '', detail = none, columnsize = 0, tokenize = 'trigram case_sensitive 1'
);
CREATE VIRTUAL TABLE body USING fts5 (
    text, content = '', detail = none, columnsize = 0, tokenize = 'trigram case_sensitive 1'
);
CREATE VIRTUAL TABLE word USING fts5 (
    text, content = '', detail = none, columnsize = 0, tokenize = 'unicode61 remove_diacritics 2'
);
PRAGMA user_version = {VERSION};
"""


def document(account: int, message: int) -> int:
    """The number of a message of an account."""
    return abs(account) << SHIFT | message


def read_only(path: Path) -> str:
    """The URI of a database that is not written to, nor its log checkpointed."""
    return f"file:{quote(str(path.absolute()))}?mode=ro"


def identity(db: sqlite3.Connection, schema: str = "main") -> int:
    """Which gk.db the rows are of; 0 when that is not written."""
    row = db.execute(f"SELECT value FROM {schema}.meta WHERE name = 'identity'").fetchone()
    return int(row[0]) if row else 0


def belongs(db: sqlite3.Connection, schema: str, owner: int) -> bool:
    """Whether these are the tables of this version, filled from that gk.db. Raises sqlite3.Error for a damaged file."""
    (version,) = db.execute(f"PRAGMA {schema}.user_version").fetchone()
    return bool(version == VERSION and identity(db, schema) == owner)


def mark(db: sqlite3.Connection, schema: str = "main") -> int:
    """Every message up to this id is in the index."""
    return int(db.execute(f"SELECT value FROM {schema}.meta WHERE name = 'mark'").fetchone()[0])


def create(db: sqlite3.Connection, owner: int) -> None:
    """Make the tables in an empty file."""
    for statement in _TABLES.split(";\n"):
        if statement.strip():
            db.execute(statement)
    db.execute("INSERT INTO meta (name, value) VALUES ('identity', ?), ('mark', 0)", (owner,))


def remove(data: Path) -> None:
    """Forget the whole index; it is filled again while the server runs."""
    for name in (STAMP, DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):  # a log without its database is ignored
        (data / name).unlink(missing_ok=True)


def stamp(data: Path) -> None:
    """Note what the closed file looks like."""
    log = data / f"{DATABASE}-wal"  # a reader may keep it from being removed
    if not log.exists() or not log.stat().st_size:
        (data / STAMP).write_text(json.dumps(looks(data)))


def stamped(data: Path) -> bool | None:
    """Whether the file is as it was closed; None when it was not closed, as after a kill. Takes the stamp away."""
    try:
        noted = json.loads((data / STAMP).read_bytes())
    except (OSError, ValueError):
        return None
    (data / STAMP).unlink()
    return bool(noted == list(looks(data)))


def looks(data: Path) -> tuple[int, int]:
    """Size and time of the last change of the file: one process writes it, so it knows what they must be."""
    try:
        found = (data / DATABASE).stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns
