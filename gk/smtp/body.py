"""A message on its way in: in memory up to the size of the store's journal, then in a spool file.

Its header is rewritten once, when it is complete. What is wrong with a message is remembered while the rest of it is
thrown away, so that the client hears of it at the end.
"""

from collections.abc import Callable

from gk.config import Limits
from gk.errors import GkError
from gk.inbound.trace import split
from gk.smtp.content import Lines
from gk.smtp.reply import Refusal, reply_to
from gk.store.db import JOURNAL
from gk.store.spool import SpoolFile

TOO_BIG = "552 5.3.4 The message is larger than this server takes"


class Body:
    """Collects one message. `head` makes the header to keep of the header that came; it may raise Refusal."""

    def __init__(self, head: Callable[[bytes], bytes], spool: Callable[[], SpoolFile], limits: Limits) -> None:
        self._head, self._spool, self._limits = head, spool, limits
        self._lines = Lines(limits.text_line)
        self._held = bytearray()
        self._room = JOURNAL  # bytes held before they go to the file
        self._file: SpoolFile | None = None
        self.size = 0  # as it came
        self.refusal: str | None = None

    async def add(self, data: bytes) -> None:
        """Take the next piece of the content."""
        self.size += len(data)
        if self.refusal:
            return
        self._lines.feed(data)
        if self.size > self._limits.message_bytes:
            self.refuse(TOO_BIG)
        elif self._lines.fault:
            self.refuse(self._lines.fault)
        else:
            self._held += data
            if len(self._held) > self._room:
                await self._spill()

    async def end(self) -> bytes | SpoolFile:
        """The whole message with its new header; raise Refusal with what is wrong with it."""
        self._lines.end()
        if self._lines.fault:
            self.refuse(self._lines.fault)
        if not self.refusal and not self._lines.complete:
            self._held += b"\r\n"  # the last BDAT may end anywhere; a message ends with its line
        if not self.refusal and self._file is not None:
            await self._spill()
        if self.refusal:
            raise Refusal(self.refusal)
        if self._file is not None:
            file, self._file = self._file, None  # from here on it is the store's
            return file
        header, rest = self._split(bytes(self._held))
        self._held.clear()
        return self._head(header) + rest

    def refuse(self, reply: str) -> None:
        """The message will not be taken: keep only the reason, the first one."""
        self.refusal = self.refusal or reply
        self.discard()

    def discard(self) -> None:
        """Throw away what was kept."""
        self._held.clear()
        if self._file is not None:
            file, self._file = self._file, None
            file.discard()

    async def _spill(self) -> None:
        """Write what is held to the spool file, once the header is known whole."""
        content = bytes(self._held)
        try:
            if self._file is None:
                header, rest = self._split(content)
                if not rest:  # the header has not ended
                    self._room += JOURNAL
                    return
                content = self._head(header) + rest
                self._file = self._spool()
            self._held.clear()
            self._room = JOURNAL
            await self._file.write(content)
        except Refusal as refusal:
            self.refuse(str(refusal))
        except GkError as error:
            self.refuse(reply_to(error))

    def _split(self, content: bytes) -> tuple[bytes, bytes]:
        header, rest = split(content)
        if len(header) > self._limits.header_bytes:
            raise Refusal("552 5.3.4 The header of the message is too large")
        return header, rest
