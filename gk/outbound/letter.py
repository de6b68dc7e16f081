"""The content of a queued message, read when the first server is ready to hear it: waiting mail costs no memory."""

import asyncio

from gk.mailauth.signing import Signer
from gk.message.sevenbit import seven_bit
from gk.outbound.author import author_domain
from gk.store.mailboxes import Mailboxes

HEAD = 64 << 10  # bytes in which the From field is looked for
IN_LOOP = 64 << 10  # bytes that are copied in the event loop


class Removed(Exception):
    """The message left the queue while it was being sent."""


class Letter:
    """One queued message."""

    def __init__(self, mailboxes: Mailboxes, message: int, prefix: bytes = b"", signer: Signer | None = None) -> None:
        self._mailboxes, self._message, self._prefix, self._signer = mailboxes, message, prefix, signer
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

    async def in_seven_bits(self) -> bytes:
        """The same for a server without 8BITMIME: encoded anew, and signed after that. Raises Unalterable, too."""
        content = (await self.read())[len(self._prefix) :]
        made = await asyncio.to_thread(seven_bit, content)
        if not self._prefix or self._signer is None:
            return made
        return await self._signer.fields(author_domain(made[:HEAD]), made, len(made)) + made
