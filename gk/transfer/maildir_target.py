"""Writing a Maildir++ tree with nearly the file names of GK's own: Dovecot reads it, and GK takes it back.

A file is complete before it is in `cur`. Its name holds EMAILID and uid, so a second run sees what is there.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from gk import durable
from gk.errors import Refused
from gk.message import utf7
from gk.store import disk, maildir
from gk.transfer import files, words
from gk.transfer.maildir_source import FILE, KEYWORDS_FILE
from gk.transfer.seen import Keys
from gk.transfer.values import Leaving, Row

LETTERS = 26  # keywords a file name can carry
UID = 32  # bits


class MaildirTarget:
    """A directory that this program made, or makes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.notes: list[str] = []
        self._folder = root
        self._there = Keys()
        self._keywords: dict[str, int] = {}

    def begin(self, address: str, mailboxes: Sequence[Leaving]) -> None:
        account = self._root / maildir.ACCOUNT_FILE
        if self._root.exists():
            if not files.is_folder(self._root):
                raise Refused(f"{self._root} is no directory")
            if not files.is_file(account) and any(self._root.iterdir()):
                raise Refused(f"{self._root} is not empty; name a directory that is, or that is not there yet")
        files.make_folder(self._root)
        if not files.is_file(account):
            durable.replace(account, f"{address}\n".encode())
        elif files.text_of(account).strip() != address:
            raise Refused(f"{self._root} holds the mail of another account")
        subscribed = [mailbox.name for mailbox in mailboxes if mailbox.subscribed]
        lines = ["V\t2", "", *("\t".join(_on_disk(level) for level in name.split("/")) for name in subscribed)]
        durable.replace(self._root / "subscriptions", "".join(f"{line}\n" for line in lines).encode())

    def open(self, mailbox: Leaving) -> bool:
        self._folder = folder = self._root / maildir.directory(mailbox.name, mailbox.id)
        for path in (folder, folder / "tmp", folder / "new", folder / "cur"):
            files.make_folder(path)
        if folder != self._root and not (folder / "maildirfolder").exists():
            files.write_new(folder / "maildirfolder", b"")
        lines = [f"id {mailbox.id}", f"name {mailbox.name}", f"uidvalidity {mailbox.uidvalidity}"]
        lines.append(f"uidnext {mailbox.uidnext}")
        if mailbox.special_use:
            lines.append(f"special-use {mailbox.special_use}")
        durable.replace(folder / maildir.MAILBOX_FILE, "".join(f"{line}\n" for line in lines).encode())
        self._keywords = {word: number for number, word in maildir.read_keywords(folder).items()}
        with os.scandir(folder / "cur") as entries:
            names = (FILE.fullmatch(entry.name) for entry in entries)
            self._there = Keys(int(name[2]) << UID | int(name[3]) for name in names if name)
        return True

    def has(self, row: Row) -> bool:
        return (row.id << UID | row.uid) in self._there

    def put(self, messages: Sequence[tuple[Row, bytes]]) -> dict[int, str]:
        written = []
        for row, content in messages:
            stem = _stem(row)
            name = f"{stem}:2,{self._letters(row, stem)}"
            path = self._folder / "tmp" / name
            path.unlink(missing_ok=True)  # of a run that was stopped
            files.write_new(path, content)
            os.utime(path, (row.date, row.date))  # which Dovecot takes for the internal date
            written.append((path, self._folder / "cur" / name))
        disk.sync_all(self._root, [str(path) for path, _ in written])
        for path, target in written:
            path.rename(target)
        return {}

    def _letters(self, row: Row, stem: str) -> str:
        own = sorted(word for word in row.flags if not word.startswith("\\"))
        fresh = [word for word in own if word not in self._keywords][: LETTERS - len(self._keywords)]
        if fresh:
            self._keywords |= {word: number for number, word in enumerate(fresh, len(self._keywords))}
            lines = (f"{number} {word}\n" for word, number in self._keywords.items())
            durable.replace(self._folder / maildir.KEYWORDS_FILE, "".join(lines).encode())
        more = [word for word in own if word not in self._keywords]
        if more:
            files.add(self._folder / KEYWORDS_FILE, " ".join([stem, *more]).encode() + b"\n")
        return words.to_maildir(row.flags, self._keywords)

    def finish(self) -> None:
        durable.sync(self._folder / "cur")
        durable.sync(self._folder)
        durable.sync(self._root)

    def close(self) -> None:
        """Nothing is open between two calls."""


def _stem(row: Row) -> str:
    """GK's own name, and the zone of the date where it has one."""
    return maildir.stem(row.date, row.id, row.uid, row.size).removesuffix(":2,") + (
        f",Z={row.zone}" if row.zone else ""
    )


def _on_disk(level: str) -> str:
    """A level of a name as Dovecot writes it: modified UTF-7."""
    return utf7.encode(level).decode()
