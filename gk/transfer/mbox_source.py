"""mbox files one by one, and in directories: Thunderbird's `.sbd` trees, Apple Mail's `X.mbox/mbox`, Google Takeout."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from gk.errors import Refused
from gk.transfer import files, gmail, mbox
from gk.transfer.lines import arrived
from gk.transfer.values import USES, Folder, Item, Known, Message, Missed

INDEX_FILE = "gk-mailboxes.json"  # what `gk export` says about the files beside it
DEPTH = 32
FILES = 50_000
_INBOXES = {"inbox", "mbox", "mailbox"}
_ENDS = re.compile(r"\.(mbox|mbx|mboxrd|sbd)$", re.IGNORECASE)


def is_mbox(path: Path) -> bool:
    """Whether a file begins as an mbox does."""
    try:
        start, _ = files.read_plain(path, mbox.LINE)
    except OSError:
        return False
    return mbox.separates(start.lstrip(b"\r\n"), after_empty_line=True)


class MboxSource:
    """One mbox, or all of a directory."""

    def __init__(self, path: Path, limit: int, inbox: str = "") -> None:
        """`limit`: bytes of a message that still is read; a file named `inbox` is one."""
        self._path, self._limit, self._inbox = path, limit, inbox.casefold()
        self.notes: list[str] = []
        self._missed: list[Missed] = []

    def folders(self) -> Sequence[Folder]:
        if not self._path.is_dir():
            name = _ENDS.sub("", self._path.name)
            inbox = name.casefold() in _INBOXES | {self._inbox}
            return [Folder(("INBOX",) if inbox else (name,), size=self._path.stat().st_size, place=str(self._path))]
        described = _described(self._path)
        found = []
        for path, levels in self._walk():
            size = path.stat().st_size
            if entry := described.get(str(path.relative_to(self._path))):
                use = entry.get("special_use")
                named = tuple(str(entry.get("name", "")).split("/"))
                found.append(
                    Folder(
                        named, use if use in USES else None, entry.get("subscribed") is not False, 0, size, str(path)
                    )
                )
            else:
                found.append(Folder(levels, size=size, place=str(path)))
        if not found:
            raise Refused(f"{self._path} holds neither a Maildir nor an mbox file")
        return sorted(found, key=lambda folder: (folder.levels != ("INBOX",), folder.levels))

    def _walk(self) -> Iterator[tuple[Path, tuple[str, ...]]]:
        waiting: list[tuple[Path, tuple[str, ...]]] = [(self._path, ())]
        count = 0
        while waiting:
            folder, levels = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    inner = [
                        (e.name, e.is_dir(follow_symlinks=False), e.is_file(follow_symlinks=False)) for e in entries
                    ]
            except OSError as error:
                self._missed.append(Missed(str(folder), files.reason(error)))
                continue
            names = {name for name, _, _ in inner}
            for name, is_folder, is_file in inner:
                if name.startswith("."):
                    continue  # also what a stopped «gk export» leaves
                path = folder / name
                below = (*levels, _ENDS.sub("", name))
                if is_folder and len(levels) < DEPTH:
                    if name.lower().endswith(".mbox") and files.is_file(path / "mbox"):
                        yield path / "mbox", _inbox(below)
                    else:
                        waiting.append((path, below))
                elif is_file and (is_mbox(path) or self._is_empty_folder(path, names)):
                    count += 1
                    if count > FILES:
                        raise Refused(f"{self._path} holds more than {FILES} mbox files")
                    yield path, _inbox(below)

    def _is_empty_folder(self, path: Path, beside: set[str]) -> bool:
        """Thunderbird's empty folders are empty files with an index beside them; ours are named .mbox."""
        known = f"{path.name}.msf" in beside or path.suffix == ".mbox"
        return known and path.stat().st_size == 0

    def messages(self, folder: Folder, known: Known) -> Iterator[Item]:
        missed, self._missed = self._missed, []
        yield from missed
        try:
            fd = files.open_plain(folder.place)
        except OSError as error:
            yield Missed(folder.place, files.reason(error))
            return
        try:
            yield from self._read(mbox.File(fd), folder.place)
        except OSError as error:
            yield Missed(folder.place, files.reason(error))
        finally:
            os.close(fd)

    def _read(self, file: mbox.File, place: str) -> Iterator[Item]:
        quoted = not any(
            span.counted and span.end - span.content <= self._limit and mbox.unquoted_inside(_raw(file, span))
            for span in file.spans()
        )
        found = False
        for number, span in enumerate(file.spans(), 1):
            found = True
            where = f"{place} message {number}"
            if span.end - span.content > self._limit + mbox.HEADER:
                yield Missed(where, f"larger than {self._limit} bytes")
                continue
            taken = mbox.take(file.read(span.start, mbox.LINE), _raw(file, span), quoted=quoted or not span.counted)
            if taken.passed:
                yield Missed(where, taken.passed, fault=False)
            elif not taken.content:
                yield Missed(where, "an empty message")
            elif len(taken.content) > self._limit:
                yield Missed(where, f"larger than {self._limit} bytes")
            else:
                yield _message(taken, where, span)
        if not found and file.size:
            yield Missed(place, "no mbox: it does not begin with a From_ line")

    def close(self) -> None:
        """Nothing is open between two calls."""


def _message(taken: mbox.Taken, where: str, span: mbox.Span) -> Message:
    date = taken.date if taken.date is not None else arrived(taken.content)
    flags, target = taken.flags, None
    if taken.labels:
        target, flags = gmail.placed(taken.labels, flags)
    return Message(taken.content, flags, date, where, target, span.end - span.start, taken.zone)


def _raw(file: mbox.File, span: mbox.Span) -> bytes:
    return file.read(span.content, span.end - span.content)


def _inbox(levels: tuple[str, ...]) -> tuple[str, ...]:
    return ("INBOX", *levels[1:]) if levels[0].casefold() == "inbox" else levels


def _described(root: Path) -> dict[str, dict[str, object]]:
    """What gk-mailboxes.json says of the files, by their path in the directory."""
    try:
        found = json.loads(files.text_of(root / INDEX_FILE, 64 << 20) or "{}")
        return {str(entry["file"]): entry for entry in found.get("mailboxes", [])}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
