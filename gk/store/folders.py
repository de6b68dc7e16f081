"""The folders of mailboxes: made, moved, dropped and described on disk, as the rows say. In the filer's thread."""

import os
import sqlite3
from pathlib import Path

from gk import durable
from gk.store import crash, disk, maildir

UIDNEXT_AHEAD = 1000  # gk-mailbox names a UIDNEXT that far ahead, so that it is rarely rewritten


class Folders:
    """What is known to be on disk already, so that it is not done again for each message."""

    def __init__(self, db: sqlite3.Connection, data: Path) -> None:
        self._db, self._data = db, data
        self._known: set[Path] = set()
        self._chosen: dict[int, tuple[Path, str]] = {}
        self._keywords: dict[int, int] = {}
        self._uidnext: dict[int, int] = {}

    def made(self, mailbox: int, account: int, directory: str | None, name: str) -> tuple[Path, str]:
        """The mailbox's folder, made with its parents synced when it is new, and its name in the account's."""
        root = maildir.account_path(self._data, account)
        if directory is None:
            directory = self._choose(root, mailbox, name)
        folder = root / directory
        if folder not in self._known:
            for path in (folder / "tmp", folder / "cur", folder / "new"):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if directory:
                (folder / "maildirfolder").touch(0o600)
            if not (root / maildir.ACCOUNT_FILE).exists():
                row = self._db.execute("SELECT address FROM account WHERE id = ?", (account,)).fetchone()
                disk.replace(root / maildir.ACCOUNT_FILE, f"{row[0]}\n" if row else "")
            for path in (folder, root, root.parent, root.parent.parent):
                durable.sync(path)
            self._known.add(folder)
        return folder, directory

    def _choose(self, root: Path, mailbox: int, name: str) -> str:
        """A directory for a mailbox that has none yet; remembered until its row says so."""
        if mailbox not in self._chosen:
            directory = maildir.directory(name, mailbox)
            if self._taken(root, directory, mailbox) or (root, directory) in self._chosen.values():
                directory = maildir.parking(mailbox)
            self._chosen[mailbox] = (root, directory)
        return self._chosen[mailbox][1]

    def touched(self, mailbox: int, target: str | None) -> set[Path]:
        """The directories that a step for the mailbox is about; none for one that never had a file."""
        root, directory = self._where(mailbox)
        if root is None or directory is None:
            return set()
        return {root / name for name in (directory, target, maildir.parking(mailbox)) if name is not None}

    def dropped(self, mailbox: int) -> None:
        """The folder of a deleted mailbox goes, with what is ours in it."""
        root, directory = self._where(mailbox)
        if root is not None and directory is not None:
            _empty(root / directory)
            crash.here("folder-dropped")
            self._known.discard(root / directory)

    def moved(self, mailbox: int, target: str) -> str | None:
        """The folder gets its new name; the name it has now, None where it has none yet."""
        root, directory = self._where(mailbox)
        if root is None or directory is None or directory == target:
            return None
        if self._taken(root, target, mailbox):
            target = maildir.parking(mailbox)
        if (root / directory).exists():
            os.rename(root / directory, root / target)
            crash.here("folder-moved")
            durable.sync(root)
        self._known.discard(root / directory)
        self._uidnext.pop(mailbox, None)
        self._chosen.pop(mailbox, None)
        if (root / target).exists():
            self.describe(root / target, mailbox, 0)
        return target

    def _where(self, mailbox: int) -> tuple[Path | None, str | None]:
        """The account's root and the mailbox's directory in it; nothing for a mailbox that is gone."""
        row = self._db.execute("SELECT account, directory FROM mailbox WHERE id = ?", (mailbox,)).fetchone()
        return (None, None) if row is None else (maildir.account_path(self._data, abs(row[0])), row[1])

    def _taken(self, root: Path, directory: str, mailbox: int) -> bool:
        """Whether another mailbox of the account is, or is still, in that directory."""
        query = "SELECT 1 FROM mailbox WHERE abs(account) = ? AND directory = ? AND id <> ?"
        return self._db.execute(query, (int(root.name), directory, mailbox)).fetchone() is not None

    def describe(self, folder: Path, mailbox: int, uidnext: int) -> None:
        """Keep gk-mailbox true: what `gk reindex` needs to rebuild the mailbox from its folder alone."""
        if self._uidnext.get(mailbox, -1) >= uidnext:
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
        disk.replace(folder / maildir.MAILBOX_FILE, "\n".join(lines) + "\n")
        self._uidnext[mailbox] = ahead
        self.write_keywords(folder, mailbox)

    def write_keywords(self, folder: Path, mailbox: int) -> None:
        rows = self._db.execute(
            "SELECT position, word FROM keyword WHERE mailbox = ? AND position < 26 ORDER BY position", (mailbox,)
        ).fetchall()
        if len(rows) > self._keywords.get(mailbox, 0):
            disk.replace(folder / maildir.KEYWORDS_FILE, "".join(f"{position} {word}\n" for position, word in rows))
            self._keywords[mailbox] = len(rows)


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
