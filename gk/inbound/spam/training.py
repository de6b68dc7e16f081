"""Mail somebody sorted before, as lessons for the base: files, directories of files, Maildirs and mboxes."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gk.inbound.spam.learner import signs_of
from gk.inbound.spam.scan import READ
from gk.transfer.files import is_file, open_plain, reason
from gk.transfer.lines import crlf
from gk.transfer.mbox_source import MboxSource, is_mbox
from gk.transfer.values import Message

FILES = 1_000_000  # looked at below one directory
LARGEST = 50 << 20  # octets of a message of an mbox


@dataclass
class Lot:
    """The signs of some messages: in how many of them each one is."""

    counts: Counter[int] = field(default_factory=Counter)
    messages: int = 0


def lots(paths: Sequence[Path], size: int, missed: list[str]) -> Iterator[Lot]:
    """The messages of these files and directories, `size` at a time; `missed` hears of what could not be read."""
    lot = Lot()
    for path in paths:
        for raw in messages(path, missed):
            lot.counts.update(signs_of(raw))
            lot.messages += 1
            if lot.messages == size:
                yield lot
                lot = Lot()
    if lot.messages:
        yield lot


def messages(path: Path, missed: list[str]) -> Iterator[bytes]:
    """The beginnings of all messages in a file or below a directory, with CRLF line ends."""
    for file in _files(path):
        try:
            if is_mbox(file):
                source = MboxSource(file, LARGEST)
                for folder in source.folders():
                    for item in source.messages(folder, lambda identity, size: False):
                        if isinstance(item, Message):
                            yield crlf(item.content[:READ])
                continue
            fd = open_plain(file)
            try:
                raw = os.read(fd, READ)
            finally:
                os.close(fd)
        except OSError as error:
            missed.append(f"{file}: {reason(error)}")
            continue
        if raw:
            yield crlf(raw)


def _files(path: Path) -> Iterator[Path]:
    """The path itself, or the files below it in the order of their names; none that begins with a dot."""
    if not path.is_dir():
        yield path
        return
    waiting, count = [path], 0
    while waiting:
        for inner in sorted(waiting.pop().iterdir()):
            if inner.name.startswith(".") and not (inner / "cur").is_dir():  # .Junk of a Maildir++ is one
                continue
            if inner.is_dir() and not inner.is_symlink():
                waiting.append(inner)
            elif is_file(inner):
                count += 1
                if count > FILES:
                    return
                yield inner
