"""Maildirs: Maildir++ (`.A.B` beside the INBOX), trees of plain Maildirs (`A/B`), and the mixture mbsync makes.

Names are modified UTF-7 or plain text; `gk-mailbox` in a folder says them exactly. Keywords come from
`dovecot-keywords`, those beyond its 26 from `gk-keywords`; internal dates from file names and times.
"""

import errno
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from gk.errors import Refused
from gk.store import maildir
from gk.transfer import files, words
from gk.transfer.lines import crlf
from gk.transfer.naming import decoded
from gk.transfer.values import USES, Folder, Item, Known, Message, Missed

KEYWORDS_FILE = "gk-keywords"  # `name word word` a line, for files whose keywords have no letter
DEPTH = 32  # of directories in each other
FOLDERS = 50_000
FILE = re.compile(r"(\d+)\.G(\d+)U(\d+),S=(\d+)(?:,Z=(-?\d{1,4}))?:2,([A-Za-z]*)")  # what GK writes
_EPOCH = re.compile(r"\d{9,10}(?=\D)")
_FLAGS = re.compile(r"[:;!]2,([A-Za-z]*)$")  # `;` and `!` where a file system has no colons
_EARLIEST = 315_532_800  # 1980: what comes before is no time but a number


def is_maildir(path: Path) -> bool:
    """Whether it has the two directories a Maildir has its messages in."""
    return files.is_folder(path / "cur") and files.is_folder(path / "new")


class MaildirSource:
    """A tree of Maildirs, read where it is."""

    def __init__(self, root: Path, limit: int) -> None:
        """`limit`: bytes of a message that still is read."""
        self._root, self._limit = root, limit
        self.notes: list[str] = []
        self._missed: list[Missed] = []

    def folders(self) -> Sequence[Folder]:
        found = list(self._walk())
        if not found:
            raise Refused(f"{self._root} holds no Maildir: no directory in it has cur and new")
        subscribed = self._subscriptions()
        folders = []
        for levels, path in found:
            levels, use = self._described(levels, path)
            known = None if subscribed is None else "/".join(levels) in subscribed
            count, size = _weighed(path)
            folders.append(Folder(levels, use, known, count, size, str(path)))
        return sorted(folders, key=lambda folder: (folder.levels != ("INBOX",), folder.levels))

    def _walk(self) -> Iterator[tuple[tuple[str, ...], Path]]:
        waiting: list[tuple[tuple[str, ...], Path]] = [((), self._root)]
        count = 0
        while waiting:
            levels, path = waiting.pop()
            if is_maildir(path):
                count += 1
                if count > FOLDERS:
                    raise Refused(f"{self._root} holds more than {FOLDERS} folders")
                yield (_inbox(levels), path)
            try:
                with os.scandir(path) as entries:
                    inner = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
            except OSError as error:
                self._missed.append(Missed(str(path), files.reason(error)))
                continue
            here = is_maildir(path)
            for name in inner:
                if (here and name in ("cur", "new", "tmp")) or name in (".", ".."):
                    continue
                below = _levels(name, plusplus=here and path == self._root)
                if below and len(levels) < DEPTH:
                    waiting.append((levels + below, path / name))

    def _described(self, levels: tuple[str, ...], path: Path) -> tuple[tuple[str, ...], str | None]:
        """What gk-mailbox says, where there is one."""
        use = None
        for line in files.text_of(path / maildir.MAILBOX_FILE, 1 << 16).split("\n"):
            word, _, value = line.partition(" ")
            if word == "name" and value:
                levels = tuple(value.split("/"))
            elif word == "special-use" and value in USES:
                use = value
        return levels, use

    def _subscriptions(self) -> set[str] | None:
        """Dovecot's list: names with their levels apart by tabs (version 2) or dots; None where there is none."""
        path = self._root / "subscriptions"
        if not files.is_file(path):
            return None
        text = files.text_of(path)
        version, _, rest = text.partition("\n")
        if version.startswith("V\t2"):
            names = [line.split("\t") for line in rest.split("\n") if line]
        else:
            names = [line.split(".") for line in text.split("\n") if line]
        return {"/".join(decoded(level) for level in name) for name in names}

    def messages(self, folder: Folder, known: Known) -> Iterator[Item]:
        missed, self._missed = self._missed, []
        yield from missed
        path = Path(folder.place)
        keywords = maildir.read_keywords(path) if files.is_file(path / maildir.KEYWORDS_FILE) else {}
        more = _more_keywords(path)
        now = int(time.time()) + 86_400
        for name, sub, fd in _ordered(path, self._missed):
            where = f"{folder.place}/{sub}/{name}"
            try:
                content, found = files.read_plain(name, self._limit + 1, fd)
            except FileNotFoundError:
                continue  # another program took it away
            except OSError as error:
                yield Missed(where, files.reason(error))
                continue
            if not content:
                yield Missed(where, "an empty file")
                continue
            content = crlf(content)
            if len(content) > self._limit:
                yield Missed(where, f"larger than {self._limit} bytes")
                continue
            match = _FLAGS.search(name)
            flags = words.of_maildir(
                match[1] if match else "", keywords
            )  # in `new`, too: mbsync leaves the unseen there
            if more and (extra := more.get(name[: match.start()] if match else name)):
                flags |= extra
            own = FILE.fullmatch(name)
            zone = int(own[5]) if own and own[5] else 0
            date = _date(name, int(found.st_mtime), now)
            yield Message(content, flags, date, where, weight=found.st_size, zone=zone)
        missed, self._missed = self._missed, []
        yield from missed

    def close(self) -> None:
        """Nothing is open between two calls."""


def _levels(name: str, *, plusplus: bool) -> tuple[str, ...]:
    """What a directory adds to the name: `.A.B` two levels beside an INBOX, else one."""
    if name.startswith(".") and plusplus:
        return tuple(decoded(level) for level in name[1:].split(".") if level)
    return (decoded(name.removeprefix(".")),) if name.strip(".") else ()


def _inbox(levels: tuple[str, ...]) -> tuple[str, ...]:
    """The root is the INBOX, and so is a folder of that name in any case."""
    if not levels:
        return ("INBOX",)
    return ("INBOX", *levels[1:]) if levels[0].upper() == "INBOX" else levels


def _weighed(path: Path) -> tuple[int, int]:
    """How many files, and a guess of their bytes from their names: for the progress bar only."""
    count = size = 0
    for sub in ("cur", "new"):
        try:
            with os.scandir(path / sub) as entries:
                for entry in entries:
                    count += 1
                    _, comma, rest = entry.name.partition(",S=")
                    digits = re.match(r"\d{1,12}", rest) if comma else None
                    size += int(digits[0]) if digits else entry.stat(follow_symlinks=False).st_size
        except OSError:
            pass  # told when it is read
    return count, size


def _ordered(path: Path, missed: list[Missed]) -> Iterator[tuple[str, str, int]]:
    """(name, cur or new, its descriptor) of every message, in the order they came in."""
    descriptors: dict[str, int] = {}
    try:
        entries: list[tuple[tuple[int, int, str], str]] = []
        for sub in ("cur", "new"):
            try:
                descriptors[sub] = files.open_folder(path / sub)
                names = os.listdir(descriptors[sub])
            except OSError as error:
                if error.errno != errno.ENOENT:
                    missed.append(Missed(str(path / sub), files.reason(error)))
                continue
            entries += [(_place(name), sub) for name in names if not name.startswith(".")]
        entries.sort()
        for (_, _, name), sub in entries:
            yield name, sub, descriptors[sub]
    finally:
        for fd in descriptors.values():
            os.close(fd)


def _place(name: str) -> tuple[int, int, str]:
    if own := FILE.fullmatch(name):
        return (int(own[3]), 0, name)  # our own files tell the uid
    epoch = _EPOCH.match(name)
    return (0, int(epoch[0]) if epoch else 0, name)


def _date(name: str, modified: int, latest: int) -> int:
    """The internal date: our own names hold it; elsewhere the name says when the file was made, its time the rest.

    Dovecot and mbsync set the time of the file to the internal date, and a copy loses it: the earlier one is right.
    """
    if own := FILE.fullmatch(name):
        return int(own[1])
    epoch = _EPOCH.match(name)
    found = [moment for moment in (int(epoch[0]) if epoch else 0, modified) if _EARLIEST <= moment <= latest]
    return min(found, default=max(0, modified))


def _more_keywords(path: Path) -> dict[str, frozenset[str]]:
    found = {}
    for line in files.text_of(path / KEYWORDS_FILE, 64 << 20).split("\n"):
        name, *rest = line.split(" ")
        if rest:
            found[name] = words.accepted(rest)
    return found
