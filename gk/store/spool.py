"""A message too large for the journal on its way in: written to spool/ as it arrives, synced before its commit."""

import asyncio
import errno
import mmap
import os
import secrets
import zlib
from collections.abc import Callable
from pathlib import Path

from gk import durable
from gk.errors import DiskFull, ReadOnly, Unavailable
from gk.store import crash

COPIED = 1 << 20  # octets copied at once


class SpoolFile:
    """One file in spool/; unknown to everybody until a row names it."""

    def __init__(self, directory: Path, failed: Callable[[str], None]) -> None:
        """`failed` hears of an I/O error: the store writes nothing more then."""
        self._failed = failed
        self.name = secrets.token_hex(12)
        self.path = directory / self.name
        self.size = 0
        self.crc = 0
        self._fd: int | None = None
        self.kept = False  # a committed row names it

    async def write(self, data: bytes) -> None:
        """Append; off the loop. Raises DiskFull or Unavailable, and the file is gone then."""
        await asyncio.to_thread(self._write, data)

    async def sync(self) -> None:
        """Make content and name durable."""
        await asyncio.to_thread(self._sync)

    def _write(self, data: bytes) -> None:
        try:
            if self._fd is None:
                self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            self.discard()
            raise self._translate(error) from None
        self.size += len(data)
        self.crc = zlib.crc32(data, self.crc)

    def _sync(self) -> None:
        if self._fd is None:
            raise Unavailable("the message could not be spooled")
        try:
            crash.here("spool-written")
            os.fsync(self._fd)
            durable.sync(self.path.parent)
            crash.here("spool-synced")
        except OSError as error:
            self.discard()  # never a second sync of the same file: its dirty pages may be lost already
            raise self._translate(error) from None
        self._close()

    async def with_top(self, top: bytes, skip: int) -> "SpoolFile":
        """The same message in a new file, `top` in place of its first `skip` octets; this one is thrown away.

        Raises DiskFull or Unavailable, and both are gone then.
        """
        try:
            return await self.copied(top, skip)
        finally:
            self.discard()

    async def copied(self, top: bytes, skip: int) -> "SpoolFile":
        """The same message in another file, `top` in place of its first `skip` octets. Raises DiskFull, Unavailable."""
        other = SpoolFile(self.path.parent, self._failed)
        try:
            await asyncio.to_thread(self._copy, other, top, skip)
        except BaseException:
            other.discard()
            raise
        return other

    def _copy(self, other: "SpoolFile", top: bytes, skip: int) -> None:
        other._write(top)
        with self.map() as content:
            for at in range(skip, len(content), COPIED):
                other._write(content[at : at + COPIED])

    def map(self) -> mmap.mmap:
        """The content, mapped for the scanner."""
        with open(self.path, "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def discard(self) -> None:
        """Throw it away, unless a committed row names it."""
        self._close()
        if not self.kept:
            self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            try:
                os.close(fd)
            except OSError:
                pass  # a close that fails after a good fsync loses nothing

    def _translate(self, error: OSError) -> Unavailable:
        """An OSError as what the store says about it."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull("the disk is full")
        if error.errno in (errno.EIO, errno.EROFS):
            name = errno.errorcode[error.errno]
            self._failed(f"{name} while spooling")
            return ReadOnly(f"the disk reports an I/O error ({name})")
        return Unavailable("the message could not be written")
