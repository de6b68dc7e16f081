"""What the child reads of gk.db and of the message files: the messages above the mark, and what to forget."""

import logging
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gk.store import disk
from gk.store.content import IN_MEMORY, filed
from gk.store.directory import DATABASE
from gk.store.search.index import Entry
from gk.store.search.indexed import Extract, Indexed, indexed, unreadable
from gk.store.search.schema import identity, read_only

log = logging.getLogger(__name__)

BATCH = 200  # messages of one transaction
BATCH_BYTES = 8 << 20  # of messages in one transaction
DROPPED = 500  # documents forgotten in one transaction
PAUSES = (0.0, 0.02, 0.1, 0.5, 2.0)  # seconds before another look for a file the filer is moving


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction does: documents to add, (account, message) to forget, and the mark after it."""

    entries: list[Entry]
    dropped: list[tuple[int, int]]
    mark: int


@dataclass(frozen=True, slots=True)
class _Row:
    message: int
    size: int
    crc: int
    parts: bytes
    header: bytes
    accounts: tuple[int, ...]


class Source:
    """gk.db as this process sees it: it never writes there."""

    def __init__(self, data: Path, extract: Extract) -> None:
        self._data, self._extract = data, extract
        self._db = sqlite3.connect(read_only(data / DATABASE), uri=True, isolation_level=None, timeout=10)
        self._db.execute("PRAGMA query_only=ON")
        self.identity = identity(self._db)

    def close(self) -> None:
        self._db.close()

    def newest(self) -> int:
        """The highest message id ever given; what is committed later gets a higher one."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'message'").fetchone()
        return int(row[0]) if row else 0

    def batch(self, mark: int, told: set[tuple[int, int]]) -> Batch:
        """What comes after the mark, and what is dropped but for those `told` already.

        One read transaction sees it all: a document dropped in it has no entry any more, and every id up to the new
        mark was given, because the one writer gives ids inside its transactions.
        """
        with self._reading():
            dropped = [
                pair
                for pair in self._db.execute("SELECT account, message FROM dropped ORDER BY message, account")
                if pair not in told
            ][:DROPPED]
            newest = self.newest()
            rows, mark = self._rows(mark, newest)
            bodies = {row.message: self._journal(row.message) for row in rows}
        entries: list[Entry] = []
        for row in rows:
            text = self._index(row, bodies.pop(row.message))
            if text is not None:
                entries += [Entry(account, row.message, text) for account in row.accounts]
        return Batch(entries, dropped, mark)

    def _rows(self, mark: int, newest: int) -> tuple[list[_Row], int]:
        """The next messages that some account has, and up to which id those are all."""
        found = self._db.execute(
            "SELECT id, size FROM message WHERE id > ? ORDER BY id LIMIT ?", (mark, BATCH)
        ).fetchall()
        total, ids = 0, []
        for message, size in found:
            ids.append(message)
            total += size
            if total > BATCH_BYTES:
                break
        rows: list[_Row] = []
        for message in ids:
            accounts = tuple(
                account
                for (account,) in self._db.execute(
                    "SELECT DISTINCT abs(b.account) FROM entry e JOIN mailbox b ON b.id = e.mailbox"
                    " WHERE e.message = ?",
                    (message,),
                )
            )
            if accounts:  # a message of the outgoing queue is nobody's
                size, crc, parts, header = self._db.execute(
                    "SELECT size, crc, parts, h.content FROM message m JOIN header h ON h.message = m.id"
                    " WHERE m.id = ?",
                    (message,),
                ).fetchone()
                rows.append(_Row(message, size, crc, parts, header, accounts))
        whole = len(ids) == len(found) < BATCH
        return rows, newest if whole else ids[-1]

    def _journal(self, message: int) -> bytes | None:
        row = self._db.execute("SELECT content FROM journal WHERE message = ?", (message,)).fetchone()
        return row[0] if row else None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    # --- one message --------------------------------------------------------------------------------------------------

    def _index(self, row: _Row, body: bytes | None) -> Indexed | None:
        """The message read; None when it is gone. What cannot be read is logged by its id, and will be scanned."""
        try:
            if body is None:
                return self._from_file(row)
            return indexed(_sound(body, row), row.parts, row.header, self._extract)
        except FileNotFoundError:
            if not self._exists(row.message):
                return None
            log.error("event=search_content_missing message=%d", row.message)
        except Exception as error:  # one message never stops the others
            log.error("event=search_unreadable message=%d error=%s", row.message, type(error).__name__)
        return unreadable(row.header)

    def _exists(self, message: int) -> bool:
        return self._db.execute("SELECT 1 FROM entry WHERE message = ?", (message,)).fetchone() is not None

    def _from_file(self, row: _Row) -> Indexed:
        for pause in PAUSES:
            if pause:
                time.sleep(pause)
            if (body := self._journal(row.message)) is not None:
                return indexed(_sound(body, row), row.parts, row.header, self._extract)
            fd = self._open(row.message)
            if fd is not None:
                try:
                    return self._read(row, fd)
                finally:
                    os.close(fd)
            if not self._exists(row.message):
                break
        raise FileNotFoundError

    def _read(self, row: _Row, fd: int) -> Indexed:
        if row.size <= IN_MEMORY:
            return indexed(_sound(os.pread(fd, row.size + 1, 0), row), row.parts, row.header, self._extract)
        if os.fstat(fd).st_size != row.size:
            raise ValueError("another size than when it was stored")
        return indexed(_File(fd), row.parts, row.header, self._extract)

    def _open(self, message: int) -> int | None:
        row = self._db.execute("SELECT spool FROM message WHERE id = ?", (message,)).fetchone()
        if row is None:
            return None
        if row[0] is not None and (fd := _opened(f"{self._data}/spool/{row[0]}")) is not None:
            return fd
        for folder, name, stem in filed(self._db, self._data, message):
            fd = _opened(f"{folder}/cur/{name}")
            if fd is None and (stray := disk.find(folder, stem)) is not None:
                fd = _opened(stray)
            if fd is not None:
                return fd
        return None


class _File:
    """A large message: what is looked at is read when it is looked at."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __getitem__(self, where: slice, /) -> bytes:
        return os.pread(self._fd, max(0, where.stop - where.start), where.start)


def _opened(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _sound(content: bytes, row: _Row) -> bytes:
    if len(content) != row.size or zlib.crc32(content) != row.crc:
        raise ValueError("not the bytes that were stored")
    return content
