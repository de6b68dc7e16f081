"""What a SOURCE or DEST of the command line is."""

import os
from pathlib import Path

from gk.errors import Refused
from gk.transfer import files
from gk.transfer.maildir_source import MaildirSource, is_maildir
from gk.transfer.maildir_target import MaildirTarget
from gk.transfer.mbox_source import MboxSource, is_mbox
from gk.transfer.mbox_target import MboxTarget
from gk.transfer.values import Source, Target

LOOKED_AT = 10_000  # directories searched for the first Maildir


def source(path: Path, limit: int, address: str) -> Source:
    """A Maildir or mbox reader. Raises Refused for what is neither, OSError for what cannot be read."""
    found = path.stat()
    if not path.is_dir():
        if not is_mbox(path) and found.st_size:
            raise Refused(f"{path} is no mbox: it does not begin with a line «From »")
        return MboxSource(path, limit, address.partition("@")[0])
    os.listdir(path)
    if _holds_maildir(path):
        return MaildirSource(path, limit)
    return MboxSource(path, limit)


def _holds_maildir(path: Path) -> bool:
    """Whether a Maildir is in it, in a few levels."""
    waiting, looked = [(path, 0)], 0
    while waiting and looked < LOOKED_AT:
        folder, depth = waiting.pop()
        looked += 1
        if is_maildir(folder):
            return True
        try:
            with os.scandir(folder) as entries:
                inner = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue
        waiting += [(path, depth + 1) for path in inner if depth < 8]
    return False


def target(path: Path, format_: str) -> Target:
    """A writer into a directory."""
    if path.exists() and not path.is_dir():
        raise Refused(f"{path} is no directory")
    if files.is_file(path / "gk-mailboxes.json") != (format_ == "mbox") and files.is_file(path / "gk-account"):
        raise Refused(f"{path} holds an export of the other format")
    return MboxTarget(path) if format_ == "mbox" else MaildirTarget(path)
