"""Reading and writing files of users: regular ones only, links never followed, nothing overwritten."""

import os
import stat
from pathlib import Path

DIRECTORY, FILE = 0o700, 0o600


class NotPlain(OSError):
    """A link, a pipe, a device: nothing a mailbox is made of."""


def open_plain(path: str | Path, folder: int | None = None) -> int:
    """A descriptor that reads a regular file, which is no link; a pipe does not block. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise NotPlain("not a regular file")
    return fd


def read_plain(path: str | Path, limit: int, folder: int | None = None) -> tuple[bytes, os.stat_result]:
    """The content of a regular file, its first `limit` bytes at most, and what stat says."""
    fd = open_plain(path, folder)
    try:
        found = os.fstat(fd)
        pieces = []
        while limit > 0 and (piece := os.read(fd, min(limit, 1 << 20, max(1, found.st_size)))):
            pieces.append(piece)
            limit -= len(piece)
        return b"".join(pieces), found
    finally:
        os.close(fd)


def open_folder(path: str | Path) -> int:
    """A descriptor of a directory that is no link."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def is_folder(path: Path) -> bool:
    """Whether it is a directory and no link."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether it is a regular file and no link."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def text_of(path: Path, limit: int = 1 << 20) -> str:
    """A small text file, "" where there is none that can be read."""
    try:
        return read_plain(path, limit)[0].decode()
    except (OSError, UnicodeDecodeError):
        return ""


def make_folder(path: Path) -> None:
    path.mkdir(mode=DIRECTORY, parents=True, exist_ok=True)


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE)
    with os.fdopen(fd, "wb") as file:
        file.write(content)


def add(path: Path, line: bytes) -> None:
    """Write a line at the end of a file of ours, made where it is missing."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, FILE), "wb") as file:
        file.write(line)


def reason(error: OSError) -> str:
    """Why, in a few words."""
    if error.strerror and "symbolic links" in error.strerror:
        return "a symbolic link"
    return error.strerror or str(error) or type(error).__name__
