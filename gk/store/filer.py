"""The filer: does on disk what the committed rows in `filing` say, in their order, and may be killed anywhere.

In batches: (1) every `place` is written or hard-linked under tmp, synced, renamed into cur, the directory synced;
(2) one transaction marks them placed, drops journal bodies nobody waits for, and makes a `remove` of what was
expunged meanwhile; (3) files are renamed after their flags, and unlinked. A step done twice does no harm:
a file's name is fixed by its row but for the flags, and a file that is not where its row says is looked for by that
name. A `remove` waits while any unplaced row needs the same content.
"""

import asyncio
import ctypes
import errno
import logging
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gk.errors import ReadOnly, Unavailable
from gk.store import crash, maildir
from gk.store.content import filed
from gk.store.schema import DROP_FOLDER, MOVE_FOLDER, PLACE, REMOVE, RENAME, UNSPOOL
from gk.store.values import KEYWORDS, Fact
from gk.store.writer import Commits

log = logging.getLogger(__name__)

_LIBC = ctypes.CDLL(None, use_errno=True)  # for syncfs(2), which Python does not have

BATCH = 1000  # rows of one round
BATCH_BYTES = 32 << 20  # of message content in one round
RENAMES = 2000  # files renamed for their flags in one round
GATHER = 0.5  # seconds a round waits for company, unless a whole one is there: what it costs is shared
PAUSE = 5.0  # seconds before work that failed for lack of space is tried again
UIDNEXT_AHEAD = 1000  # gk-mailbox names a UIDNEXT that far ahead, so that it is rarely rewritten


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
    size: int = 0

    def __bool__(self) -> bool:
        return bool(self.rows or self.continued or self.folders)


class Filer:
    """A service that keeps `filing` empty."""

    name = "filer"

    def __init__(
        self,
        data: Path,
        read: Callable[[], sqlite3.Connection],
        commits: Commits,
        settled: Callable[[int, int], None],
    ) -> None:
        """`settled(messages, bytes)` hears what left the backlog."""
        self._data, self._read, self._commits, self._settled = data, read, commits, settled
        self._db: sqlite3.Connection | None = None
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._waiting = 0  # messages that came since the last round
        self._resting = 0  # callers of rest()
        self._round_done = asyncio.Event()
        self._known_folders: set[Path] = set()
        self._keywords_written: dict[int, int] = {}
        self._uidnext_written: dict[int, int] = {}
        self.idle = asyncio.Event()
        """Set while there is nothing left to file."""

    def wake(self, messages: int = 0) -> None:
        """There is new work, so many messages to place among it."""
        self.idle.clear()
        self._wake.set()
        self._waiting += messages
        if self._waiting >= BATCH:
            self._hurry.set()

    async def round(self) -> None:
        """Wait for the end of the round in hand: a file may be between two names until then."""
        if not self.idle.is_set():
            self._hurry.set()
            await asyncio.wait_for(self._round_done.wait(), PAUSE)

    async def rest(self) -> None:
        """Wait until nothing is left to file, without gathering first."""
        self._resting += 1
        self._hurry.set()
        try:
            await self.idle.wait()
        finally:
            self._resting -= 1

    async def run(self, ready: asyncio.Event) -> None:
        self._db = self._read()
        try:
            ready.set()
            self._wake.set()
            while True:
                await self._wake.wait()
                if not self._resting:
                    try:
                        await asyncio.wait_for(self._hurry.wait(), GATHER)
                    except TimeoutError:
                        pass
                self._hurry.clear()
                self._wake.clear()
                self._waiting = 0
                await self._rounds()
        finally:
            self._db.close()
            self._db = None

    async def _rounds(self) -> None:
        """Rounds as long as they are full; what a small one left over gathers company first."""
        while not self._commits.broken:
            try:
                done = await self._once()
            except (ReadOnly, Unavailable) as error:
                log.warning("event=filing_waits reason=%s", type(error).__name__)
                done = None
            except OSError as error:
                name = errno.errorcode.get(error.errno or 0, "unknown")
                if error.errno in (errno.EIO, errno.EROFS):
                    self._commits.fail(f"{name} while filing")
                log.exception("event=filing_failed error=%s", name)
                done = None
            self._round_done.set()
            self._round_done = asyncio.Event()
            if done is None:
                await asyncio.sleep(PAUSE)
            elif done < BATCH // 2:
                if done:
                    self._wake.set()  # look again, later
                elif not self._wake.is_set():
                    self.idle.set()
                return

    async def _once(self) -> int:
        """One round; how many rows it did."""
        work = asyncio.ensure_future(asyncio.to_thread(self._work))
        try:
            done = await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])  # the thread uses our connection: let it end
            raise
        if not done:
            return 0
        spools = await self._commits.do(lambda db, facts: _record(db, facts, done))
        crash.here("round-committed")
        for name in spools:
            (self._data / "spool" / name).unlink(missing_ok=True)
            crash.here("spool-removed")
        if done.placed:
            self._settled(len(done.placed), done.size)
        return len(done.rows) + len(done.renamed)

    # --- on disk, in a thread -----------------------------------------------------------------------------------------

    def _work(self) -> Round:
        assert self._db is not None
        rows = self._db.execute(
            "SELECT id, kind, mailbox, first, last, message, flags, name FROM filing f WHERE NOT (kind = ? AND EXISTS"
            " (SELECT 1 FROM filing p WHERE p.kind = 0 AND p.message = f.message)) ORDER BY id LIMIT ?",
            (REMOVE, BATCH),
        ).fetchall()
        done = Round()
        kinds = {row[1] for row in rows}
        if kinds & {MOVE_FOLDER, DROP_FOLDER}:  # one step each, and nothing of what comes after it yet
            at = next(i for i, row in enumerate(rows) if row[1] in (MOVE_FOLDER, DROP_FOLDER))
            if at == 0:
                self._folder(done, rows[0])
                return done
            rows = rows[:at]
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
                break
        return done

    def _place(self, done: Round, rows: list[tuple[int, int, int, int, int, int, int, str]]) -> None:
        assert self._db is not None
        written: dict[int, str] = {}  # message → a path that holds it, for the next one to link to
        moves: list[tuple[str, str]] = []
        fresh: list[str] = []
        folders: set[Path] = set()
        letters: dict[int, maildir.Letters] = {}
        for row_id, _, mailbox, uid, _, message, flags, _ in rows:
            entry = self._db.execute(
                "SELECT e.date, m.size, m.spool, b.account, b.directory, b.name, b.uidnext FROM entry e"
                " JOIN message m ON m.id = e.message JOIN mailbox b ON b.id = e.mailbox"
                " WHERE e.mailbox = ? AND e.uid = ?",
                (mailbox, uid),
            ).fetchone()
            done.rows.append(row_id)
            if entry is None:
                continue  # expunged before it was filed
            date, size, spool, account, directory, name, uidnext = entry
            folder = self._folder_of(done, mailbox, abs(account), directory, name)
            self._describe(folder, mailbox, uidnext)
            if mailbox not in letters:
                letters[mailbox] = maildir.Letters(self._db, mailbox)
            file = maildir.file_name(date, message, uid, size, letters[mailbox].of(flags))
            tmp, cur = str(folder / "tmp" / file), str(folder / "cur" / file)
            if not os.path.exists(cur):  # it does after a crash between its rename and the commit
                if self._write(tmp, message, spool, written):
                    fresh.append(tmp)
                moves.append((tmp, cur))
                folders.add(folder)
            written[message] = tmp if moves and moves[-1][0] == tmp else cur
            done.placed.append((flags, mailbox, uid, message, file))
            done.size += size
            if done.size > BATCH_BYTES:
                break
        self._sync(fresh)
        crash.here("tmp-synced")
        for tmp, cur in moves:
            os.rename(tmp, cur)
            crash.here("file-renamed")
        for folder in folders:
            sync_directory(folder / "cur")
            crash.here("directory-synced")

    def _write(self, path: str, message: int, spool: str | None, written: dict[int, str]) -> bool:
        """Make `path` hold the message: linked where a file has it already, else written; true when to be synced."""
        assert self._db is not None
        for source in filter(None, (written.get(message), spool and str(self._data / "spool" / spool))):
            if _link(source, path):
                return False
        row = self._db.execute("SELECT content FROM journal WHERE message = ?", (message,)).fetchone()
        if row is not None:
            _write_file(path, row[0])
            crash.here("tmp-written")
            return True
        for folder, name, stem in filed(self._db, self._data, message):
            if _link(str(folder / "cur" / name), path) or _link(find(folder, stem) or "", path):
                return False
        raise FileNotFoundError(errno.ENOENT, f"no content of message {message}")

    def _sync(self, paths: list[str]) -> None:
        """fsync each file; a syncfs first has them all written in one journal commit, so that each costs a quarter."""
        if len(paths) > 1:
            fd = os.open(self._data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                _LIBC.syncfs(fd)  # an error it might report is reported by fsync below, for the file it is about
            finally:
                os.close(fd)
        for path in paths:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def _rename(self, done: Round, row: tuple[int, int, int, int, int, int, int, str]) -> None:
        """Name files after their present flags."""
        assert self._db is not None
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
                self._write_keywords(folder, mailbox)
            stem = maildir.stem(date, message, uid, size)
            old, new = stem + letters.of(named), stem + letters.of(flags)
            if old != new:
                try:
                    os.rename(folder / "cur" / old, folder / "cur" / new)
                except FileNotFoundError:
                    stray = find(folder, stem)
                    if stray is not None:
                        os.rename(stray, folder / "cur" / new)
                crash.here("flags-renamed")
            done.renamed.append((flags, mailbox, uid))
        if len(entries) == RENAMES:
            done.continued.append((entries[-1][0] + 1, row_id))
        else:
            done.rows.append(row_id)

    def _remove(self, row: tuple[int, int, int, int, int, int, int, str]) -> None:
        assert self._db is not None
        _, _, mailbox, _, _, _, _, name = row
        where = self._db.execute("SELECT account, directory FROM mailbox WHERE id = ?", (mailbox,)).fetchone()
        if where is None or where[1] is None:
            return  # the folder went with its files, or never was
        folder = maildir.account_path(self._data, abs(where[0])) / where[1]
        try:
            os.unlink(folder / "cur" / name)
        except FileNotFoundError:
            stray = find(folder, name[: name.rindex(",") + 1])
            if stray is not None:
                os.unlink(stray)
        crash.here("file-removed")

    # --- folders ------------------------------------------------------------------------------------------------------

    def _folder_of(self, done: Round, mailbox: int, account: int, directory: str | None, name: str) -> Path:
        """The mailbox's folder, made with its parents synced when it is new."""
        assert self._db is not None
        for chosen, box in done.folders:
            if box == mailbox:
                directory = chosen
        if directory is None:
            directory = maildir.directory(name, mailbox)
            taken = self._db.execute(
                "SELECT 1 FROM mailbox WHERE abs(account) = ? AND directory = ? AND id <> ?",
                (account, directory, mailbox),
            ).fetchone()
            if taken or any(d == directory for d, _ in done.folders):
                directory = maildir.parking(mailbox)
            done.folders.append((directory, mailbox))
        root = maildir.account_path(self._data, account)
        folder = root / directory
        if folder not in self._known_folders:
            for path in (folder / "tmp", folder / "cur", folder / "new"):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if directory:
                (folder / "maildirfolder").touch(0o600)
            if not (root / maildir.ACCOUNT_FILE).exists():
                row = self._db.execute("SELECT address FROM account WHERE id = ?", (account,)).fetchone()
                replace(root / maildir.ACCOUNT_FILE, f"{row[0]}\n" if row else "")
            for path in (folder, root, root.parent, root.parent.parent):
                sync_directory(path)
            self._known_folders.add(folder)
        return folder

    def _folder(self, done: Round, row: tuple[int, int, int, int, int, int, int, str]) -> None:
        """Move or drop one folder; the row of the mailbox says where it is."""
        assert self._db is not None
        row_id, kind, mailbox, _, _, _, _, target = row
        done.rows.append(row_id)
        where = self._db.execute("SELECT account, directory FROM mailbox WHERE id = ?", (mailbox,)).fetchone()
        if where is None:
            return
        account, directory = abs(where[0]), where[1]
        root = maildir.account_path(self._data, account)
        if kind == DROP_FOLDER:
            done.dropped.append(mailbox)
            if directory is not None:
                _empty(root / directory)
                crash.here("folder-dropped")
                self._known_folders.discard(root / directory)
            return
        if directory is None or directory == target:
            return
        if self._db.execute(
            "SELECT 1 FROM mailbox WHERE abs(account) = ? AND directory = ? AND id <> ?", (account, target, mailbox)
        ).fetchone():
            target = maildir.parking(mailbox)
        if (root / directory).exists():
            os.rename(root / directory, root / target)
            crash.here("folder-moved")
            sync_directory(root)
        self._known_folders.discard(root / directory)
        self._uidnext_written.pop(mailbox, None)
        done.folders.append((target, mailbox))
        if (root / target).exists():
            self._describe(root / target, mailbox, 0)

    def _describe(self, folder: Path, mailbox: int, uidnext: int) -> None:
        """Keep gk-mailbox true: what `gk reindex` needs to rebuild the mailbox from its folder alone."""
        assert self._db is not None
        if self._uidnext_written.get(mailbox, -1) >= uidnext:
            return
        row = self._db.execute(
            "SELECT name, uidvalidity, uidnext, special_use FROM mailbox WHERE id = ?", (mailbox,)
        ).fetchone()
        if row is None:
            return
        name, uidvalidity, uidnext, special_use = row
        ahead = uidnext + UIDNEXT_AHEAD
        lines = [f"id {mailbox}", f"name {name}", f"uidvalidity {uidvalidity}", f"uidnext {ahead}"]
        if special_use:
            lines.append(f"special-use {special_use}")
        replace(folder / maildir.MAILBOX_FILE, "\n".join(lines) + "\n")
        self._uidnext_written[mailbox] = ahead
        self._write_keywords(folder, mailbox)

    def _write_keywords(self, folder: Path, mailbox: int) -> None:
        assert self._db is not None
        rows = self._db.execute(
            "SELECT position, word FROM keyword WHERE mailbox = ? AND position < 26 ORDER BY position", (mailbox,)
        ).fetchall()
        if len(rows) > self._keywords_written.get(mailbox, 0):
            replace(folder / maildir.KEYWORDS_FILE, "".join(f"{position} {word}\n" for position, word in rows))
            self._keywords_written[mailbox] = len(rows)


def _record(db: sqlite3.Connection, facts: list[Fact], done: Round) -> list[str]:
    """The transaction after a round; return the spool files nobody needs any more."""
    db.executemany("UPDATE mailbox SET directory = ? WHERE id = ?", done.folders)
    for flags, mailbox, uid, message, name in done.placed:
        there = db.execute(
            "UPDATE entry SET filed = ? WHERE mailbox = ? AND uid = ? RETURNING flags", (flags, mailbox, uid)
        ).fetchone()
        if there is None:
            db.execute(
                "INSERT INTO filing (kind, mailbox, first, last, message, name) VALUES (?, ?, ?, ?, ?, ?)",
                (REMOVE, mailbox, uid, uid, message, name),
            )
        elif there[0] != flags:
            db.execute(
                "INSERT INTO filing (kind, mailbox, first, last) VALUES (?, ?, ?, ?)", (RENAME, mailbox, uid, uid)
            )
    db.executemany("UPDATE entry SET filed = ? WHERE mailbox = ? AND uid = ?", done.renamed)
    db.executemany("UPDATE filing SET first = ? WHERE id = ?", done.continued)
    db.executemany("DELETE FROM filing WHERE id = ?", [(row,) for row in done.rows])
    db.executemany("DELETE FROM mailbox WHERE id = ?", [(mailbox,) for mailbox in done.dropped])
    spools = []
    for message in {placed[3] for placed in done.placed}:
        spools += settle(db, message)
    return spools


def settle(db: sqlite3.Connection, message: int) -> list[str]:
    """Drop the journal body or spool file of a message once every row of it is placed and no queue needs it."""
    if db.execute(
        "SELECT 1 FROM filing WHERE kind = 0 AND message = ? UNION ALL SELECT 1 FROM outgoing WHERE message = ?",
        (message, message),
    ).fetchone():
        return []
    db.execute("DELETE FROM journal WHERE message = ?", (message,))
    row = db.execute("SELECT spool FROM message WHERE id = ? AND spool IS NOT NULL", (message,)).fetchone()
    if row is None:
        return []
    db.execute("UPDATE message SET spool = NULL WHERE id = ?", (message,))
    return [row[0]]


def find(folder: Path, stem: str) -> str | None:
    """The file of that name with whatever flags, for when a crash came between a rename and its commit."""
    try:
        with os.scandir(folder / "cur") as entries:
            return next((entry.path for entry in entries if entry.name.startswith(stem)), None)
    except FileNotFoundError:
        return None


def sync_directory(path: Path) -> None:
    """fsync a directory: the names in it are on disk after that."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_file(path: str, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
    finally:
        os.close(fd)


def replace(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    _write_file(str(fresh), text.encode())
    fd = os.open(fresh, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(fresh, path)


def _link(source: str, target: str) -> bool:
    """Hard-link, or copy where the file system cannot (EMLINK, EXDEV); false when there is no source."""
    try:
        os.link(source, target)
    except FileExistsError:
        os.unlink(target)  # a leftover of a round that did not end
        return _link(source, target)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in (errno.EMLINK, errno.EXDEV, errno.EPERM, errno.ENOTSUP):
            raise
        try:
            content = Path(source).read_bytes()
        except FileNotFoundError:
            return False
        with open(target, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    return True


def _empty(folder: Path) -> None:
    """Remove what is ours in a folder, then the folder if nothing else is in it."""
    for sub in ("cur", "new", "tmp"):
        if (folder / sub).is_dir():
            with os.scandir(folder / sub) as entries:
                for entry in entries:
                    if maildir.FILE.fullmatch(entry.name):
                        os.unlink(entry.path)
    for name in (maildir.MAILBOX_FILE, maildir.KEYWORDS_FILE, maildir.ACCOUNT_FILE, "maildirfolder"):
        (folder / name).unlink(missing_ok=True)
    for path in (folder / "cur", folder / "new", folder / "tmp", folder):
        try:
            path.rmdir()
        except OSError:
            pass  # somebody else's file is in it: theirs to keep
