"""Reading messages back: from the journal, the spool, or a Maildir file, checked against the stored CRC-32."""

import asyncio
import json
import logging
import os
import sqlite3
import zlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from gk.errors import Unavailable
from gk.store import disk, maildir
from gk.store.schema import REMOVE
from gk.store.values import Mailbox

log = logging.getLogger(__name__)

IN_MEMORY = 256 << 10  # larger contents are read from their file piece by piece
SLICE = 1 << 20
TRIES = 4  # looks for a file that the filer is moving


class Damaged(Unavailable):
    """The bytes on disk are not those that were stored."""


class Content:
    """One message's bytes: in memory when small, else an open file."""

    __slots__ = ("_bytes", "_fd", "size")

    def __init__(self, data: bytes | None, fd: int | None, size: int) -> None:
        self._bytes, self._fd, self.size = data, fd, size

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        """Bytes from `start`; blocks on the disk for a large message: read those in slices, in a thread."""
        end = self.size if length is None else min(self.size, start + length)
        if self._bytes is not None:
            return self._bytes if start == 0 and end == self.size else self._bytes[start:end]
        assert self._fd is not None
        pieces = []
        while start < end:
            piece = os.pread(self._fd, end - start, start)
            if not piece:
                break
            pieces.append(piece)
            start += len(piece)
        return b"".join(pieces)

    @property
    def sliced(self) -> "bytes | Content":
        """Something that gives slices of the bytes: in memory, or read when they are asked for."""
        return self if self._bytes is None else self._bytes

    def __getitem__(self, where: slice, /) -> bytes:
        return self.read(where.start, where.stop - where.start)

    def whole(self) -> bytes:
        return self.read()

    def close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)

    def __del__(self) -> None:
        self.close()


class Contents:
    """Finds and opens contents; a file between two names is waited for."""

    def __init__(self, data: Path, reader: sqlite3.Connection, filing: Callable[[], Awaitable[None]]) -> None:
        self._data, self._db, self._filing = data, reader, filing

    async def of(self, mailbox: Mailbox, uids: Sequence[int]) -> list[Content | None]:
        """The contents of these messages, None for those expunged meanwhile; raises Damaged."""
        found: dict[int, Content] = {}
        missing = list(uids)
        for attempt in range(TRIES):
            rows = self._db.execute(
                "SELECT e.uid, e.message, e.date, e.filed, e.flags, m.size, m.crc, m.spool, b.directory"
                " FROM entry e JOIN message m ON m.id = e.message JOIN mailbox b ON b.id = e.mailbox"
                " WHERE e.mailbox = ? AND e.uid IN (SELECT value FROM json_each(?))",
                (mailbox.id, json.dumps(missing)),
            ).fetchall()
            missing = await self._open(mailbox, rows, found, strays=attempt > 0)
            if not missing:
                break
            if attempt:
                await self._filing()
        if missing:
            log.error("event=content_missing mailbox=%d count=%d", mailbox.id, len(missing))
            raise Damaged("a message file is missing; «gk verify» tells which")
        return [found.get(uid) for uid in uids]

    async def of_message(self, message: int) -> Content | None:
        """The content of a message wherever it stands; for the outgoing queue."""
        for _ in range(TRIES):
            row = self._db.execute("SELECT size, crc, spool FROM message WHERE id = ?", (message,)).fetchone()
            if row is None:
                return None
            size, crc, spool = row
            body = self._db.execute("SELECT content FROM journal WHERE message = ?", (message,)).fetchone()
            if body is not None:
                return _checked(Content(body[0], None, size), crc)
            paths = [f"{self._data}/spool/{spool}"] if spool else []
            content = await asyncio.to_thread(_open_first, [*paths, *self._filed(message)], size, crc)
            if content is not None:
                return content
            await self._filing()
        raise Damaged(f"the content of message {message} is missing; «gk verify» tells more")

    async def _open(
        self,
        mailbox: Mailbox,
        rows: list[tuple[int, int, int, int | None, int, int, int, str | None, str]],
        found: dict[int, Content],
        *,
        strays: bool,
    ) -> list[int]:
        letters = maildir.Letters(self._db, mailbox.id)
        files: list[tuple[int, list[str], int, int]] = []
        places: list[list[tuple[Path, str, str]]] = []  # beside them, where a file may be under another name
        root = str(maildir.account_path(self._data, mailbox.account))
        for uid, message, date, filed, flags, size, crc, spool, directory in rows:
            body = None
            if filed is None:
                body = self._db.execute("SELECT content FROM journal WHERE message = ?", (message,)).fetchone()
            if body is not None:
                found[uid] = _checked(Content(body[0], None, size), crc)
                continue
            paths = [f"{self._data}/spool/{spool}"] if spool is not None else []
            there = self._places(message) if filed is None else []
            if filed is not None:
                stem = f"{root}/{directory}/cur/{maildir.stem(date, message, uid, size)}"
                paths.append(stem + letters.of(filed))
                if flags != filed:
                    paths.append(stem + letters.of(flags))
            else:
                paths += [f"{folder}/cur/{name}" for folder, name, _ in there]
            files.append((uid, paths, size, crc))
            places.append(there if strays else [])
        if not files:
            return []
        opened = await asyncio.to_thread(
            lambda: [_open_any(*file[1:], there) for file, there in zip(files, places, strict=True)]
        )
        for (uid, *_), content in zip(files, opened, strict=True):
            if content is not None:
                found[uid] = content
        return [uid for (uid, *_), content in zip(files, opened, strict=True) if content is None]

    def _filed(self, message: int) -> list[str]:
        return [f"{folder}/cur/{name}" for folder, name, _ in self._places(message)]

    def _places(self, message: int) -> list[tuple[Path, str, str]]:
        return filed(self._db, self._data, message)


def filed(db: sqlite3.Connection, data: Path, message: int) -> list[tuple[Path, str, str]]:
    """The files of a message as (folder, name, name without flags), those waiting to be removed included."""
    out = []
    for mailbox, uid, date, flags, size, account, directory in db.execute(
        "SELECT e.mailbox, e.uid, e.date, e.filed, m.size, b.account, b.directory FROM entry e"
        " JOIN message m ON m.id = e.message JOIN mailbox b ON b.id = e.mailbox"
        " WHERE e.message = ? AND e.filed IS NOT NULL LIMIT 10",
        (message,),
    ).fetchall():
        stem = maildir.stem(date, message, uid, size)
        letters = maildir.Letters(db, mailbox).of(flags)
        out.append((maildir.account_path(data, abs(account)) / directory, stem + letters, stem))
    for name, account, directory in db.execute(
        "SELECT f.name, b.account, b.directory FROM filing f JOIN mailbox b ON b.id = f.mailbox"
        " WHERE f.message = ? AND f.kind = ? AND b.directory IS NOT NULL"
        " ORDER BY f.flags IS NOT NULL LIMIT 10",  # last those whose file may never have come to be
        (message, REMOVE),
    ).fetchall():
        folder = maildir.account_path(data, abs(account)) / directory
        out.append((folder, name, name[: name.rindex(",") + 1]))
    return out


def _open_any(paths: list[str], size: int, crc: int, there: list[tuple[Path, str, str]]) -> Content | None:
    """One of the paths, else one of the files whose flags in the name are others than the rows say by now."""
    content = _open_first(paths, size, crc)
    if content is None and there:
        content = _open_first([path for folder, _, stem in there if (path := disk.find(folder, stem))], size, crc)
    return content


def _open_first(paths: list[str], size: int, crc: int) -> Content | None:
    for path in paths:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Unavailable(f"a message file cannot be opened: {error.strerror}") from None
        if size > IN_MEMORY:
            content = Content(None, fd, size)
            if os.fstat(fd).st_size != size:
                content.close()
                raise Damaged("a message file has another size than when it was stored")
            return _checked(content, crc)
        try:
            data = os.read(fd, size + 1)
        finally:
            os.close(fd)
        if len(data) != size:
            raise Damaged("a message file has another size than when it was stored")
        return _checked(Content(data, None, size), crc)
    return None


def _checked(content: Content, crc: int) -> Content:
    if content.size <= IN_MEMORY:
        actual, start = zlib.crc32(content.read()), content.size
    else:
        actual, start = 0, 0
    while start < content.size:
        piece = content.read(start, SLICE)
        actual = zlib.crc32(piece, actual)
        start += len(piece) or content.size
    if actual != crc:
        content.close()
        raise Damaged("a message file is damaged: its checksum is not the stored one")
    return content
