"""What the store does with files: written whole, linked where possible, synced by name."""

import ctypes
import errno
import os
from pathlib import Path

from gk.durable import sync

_LIBC = ctypes.CDLL(None, use_errno=True)  # for syncfs(2), which Python does not have


def sync_all(data: Path, paths: list[str]) -> None:
    """fsync each file; a syncfs first has them all written in one journal commit, so that each costs a quarter."""
    if len(paths) > 1:
        fd = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _LIBC.syncfs(fd)  # an error it might report is reported by fsync below, for the file it is about
        finally:
            os.close(fd)
    for path in paths:
        sync(path)


def find(folder: Path, stem: str) -> str | None:
    """The file of that name with whatever flags, for when a crash came between a rename and its commit."""
    try:
        with os.scandir(folder / "cur") as entries:
            return next((entry.path for entry in entries if entry.name.startswith(stem)), None)
    except FileNotFoundError:
        return None


def write_file(path: str, content: bytes) -> None:
    """Write a file; syncing it is the caller's."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
    finally:
        os.close(fd)


def replace(path: Path, text: str) -> None:
    """Write a small file whole or not at all; its directory is synced with the files of the same round."""
    fresh = path.with_name(f"{path.name}.new")
    write_file(str(fresh), text.encode())
    sync(fresh)
    os.rename(fresh, path)


def link(source: str, target: str) -> bool:
    """Hard-link, or copy where the file system cannot (EMLINK, EXDEV); false when there is no source."""
    try:
        os.link(source, target)
    except FileExistsError:
        os.unlink(target)  # a leftover of a round that did not end
        return link(source, target)
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
