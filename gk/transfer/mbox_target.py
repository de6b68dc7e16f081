"""Writing mbox files: one for each mailbox, `A/B` in `A/B.mbox`, and gk-mailboxes.json that says what they are.

A file is written under another name and renamed when it is complete; one whose mailbox has not changed is left alone.
"""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from gk import durable
from gk.errors import Refused
from gk.transfer import files, mbox
from gk.transfer.mbox_source import INDEX_FILE
from gk.transfer.values import Leaving, Row

NAME = 200  # bytes of a file name, before its ending
_ODD = re.compile(r'[%\\:*?"<>|\x00-\x1f]|^\.|[. ]$|\.(?=(?:mbox|mbx|mboxrd|sbd)$)', re.IGNORECASE)


class MboxTarget:
    """A directory that this program made, or makes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.notes: list[str] = []
        self._index: dict[str, Any] = {}
        self._mailbox: Leaving | None = None
        self._file: BinaryIO | None = None
        self._path = root

    def begin(self, address: str, mailboxes: Sequence[Leaving]) -> None:
        index = self._root / INDEX_FILE
        if self._root.exists():
            if not files.is_folder(self._root):
                raise Refused(f"{self._root} is no directory")
            if not files.is_file(index) and any(self._root.iterdir()):
                raise Refused(f"{self._root} is not empty; name a directory that is, or that is not there yet")
        files.make_folder(self._root)
        try:
            self._index = json.loads(files.text_of(index, 64 << 20) or "{}")
            known = {entry["name"]: entry for entry in self._index.get("mailboxes", [])}
            if any(".." in (path := Path(entry["file"])).parts or path.is_absolute() for entry in known.values()):
                raise ValueError("a file elsewhere")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise Refused(f"{index} is damaged; remove it with the files beside it") from None
        if self._index.get("address", address) != address:
            raise Refused(f"{self._root} holds the mail of another account")
        self._index = {"address": address, "mailboxes": list(known.values())}
        self._save()

    def open(self, mailbox: Leaving) -> bool:
        entry = self._entry(mailbox.name)
        if entry is not None:
            self._path = self._root / entry["file"]
            same = entry["uidvalidity"] == mailbox.uidvalidity and entry["modseq"] == mailbox.modseq
            if same and files.is_file(self._path):
                return False
        else:
            self._path = self._free(mailbox)
        files.make_folder(self._path.parent)
        fresh = self._fresh()
        fresh.unlink(missing_ok=True)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, files.FILE)
        self._file, self._mailbox = os.fdopen(fd, "wb"), mailbox
        return True

    def has(self, row: Row) -> bool:
        return False  # a file is written as a whole

    def put(self, messages: Sequence[tuple[Row, bytes]]) -> dict[int, str]:
        assert self._file is not None
        for row, content in messages:
            self._file.write(mbox.give(content, row.flags, row.date, row.zone))
        return {}

    def finish(self) -> None:
        mailbox = self._mailbox
        assert self._file is not None and mailbox is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        self._fresh().rename(self._path)
        durable.sync(self._path.parent)
        entry = self._entry(mailbox.name)
        if entry is None:
            self._index["mailboxes"].append(entry := {})
        entry |= {
            "file": str(self._path.relative_to(self._root)), "name": mailbox.name, "special_use": mailbox.special_use,
            "subscribed": mailbox.subscribed, "uidvalidity": mailbox.uidvalidity, "modseq": mailbox.modseq,
        }  # fmt: skip
        self._save()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._fresh().unlink(missing_ok=True)
            self._file = None

    def _fresh(self) -> Path:
        return self._path.with_name(f".{self._path.name}.new")

    def _entry(self, name: str) -> dict[str, Any] | None:
        return next((entry for entry in self._index["mailboxes"] if entry["name"] == name), None)

    def _free(self, mailbox: Leaving) -> Path:
        """A file name nobody has, also where capitals do not count."""
        taken = {str(entry["file"]).casefold() for entry in self._index["mailboxes"]}
        *above, last = (_safe(level) for level in mailbox.name.split("/"))
        path = Path(*above, f"{last}.mbox")
        if str(path).casefold() in taken or (self._root / path).exists():
            path = Path(*above, f"{last}~{mailbox.id}.mbox")
        if (self._root / path).exists():
            raise Refused(f"{self._root / path} is there already, and not of a «gk export»")
        return self._root / path

    def _save(self) -> None:
        durable.replace(self._root / INDEX_FILE, json.dumps(self._index, indent=1).encode() + b"\n")


def _safe(level: str) -> str:
    """A level of a name as a file name that every system takes; the index has the name itself."""
    name = _ODD.sub(lambda found: f"%{ord(found[0]):02X}", level)
    return name.encode()[:NAME].decode(errors="ignore")
