"""The content of a queued message, read when the first server is ready to hear it: waiting mail costs no memory."""

import asyncio

from gk.store.mailboxes import Mailboxes

IN_LOOP = 64 << 10  # bytes that are copied in the event loop


class Removed(Exception):
    """The message left the queue while it was being sent."""


class Letter:
    """One queued message."""

    def __init__(self, mailboxes: Mailboxes, message: int, prefix: bytes = b"") -> None:
        self._mailboxes, self._message, self._prefix = mailboxes, message, prefix
        self._content: bytes | None = None

    async def read(self) -> bytes:
        """All of it. Raises Removed, and Unavailable where it cannot be read now."""
        if self._content is None:
            found = await self._mailboxes.content_of(self._message)
            if found is None:
                raise Removed
            try:
                large = found.size > IN_LOOP
                self._content = self._prefix + (await asyncio.to_thread(found.read) if large else found.read())
            finally:
                found.close()
        return self._content
