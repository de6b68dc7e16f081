"""aioimaplib's connection with a reader of ours, and errors that never hold what was said.

The library keeps tags, commands and IDLE. Its own reader calls itself for every line (about 1,000 end the connection),
drops octets that look like the mark of an answer, takes literals of any size, and logs all of it; so its log is
silenced and `data_received` replaced. One command is under way at a time.
"""

import asyncio
import logging
import re

import aioimaplib
from aioimaplib.aioimaplib import NONAUTH, Command, IdleCommand, Response

from gk.errors import Unavailable
from gk.inbound.remote.parsing import text
from gk.inbound.remote.reader import Answer, Reader
from gk.transfer.answers import BadAnswer

IDLING = 1 << 20  # octets that may come while nothing is asked: 25 minutes of news

for _name in ("aioimaplib", "aioimaplib.aioimaplib"):  # it would log passwords and mail
    logging.getLogger(_name).disabled = True


_NEWS = re.compile(rb"\* (?:\d+ (?:EXISTS|EXPUNGE)|VANISHED )", re.IGNORECASE)


class Lost(Unavailable):
    """The connection is gone; the text says why in words of ours."""


class Protocol(aioimaplib.IMAP4ClientProtocol):  # type: ignore[misc]
    """One connection: `run` does a command, `heard` wakes whoever idles."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.reader = Reader()
        self.greeting: asyncio.Future[bytes] = loop.create_future()
        self.heard = asyncio.Event()
        self.news = False
        """Whether messages came or went since this was last set to False, as the server told with any answer."""
        self.why = ""
        """Why the connection is no more."""
        self._untagged: list[Answer] = []

    # --- asyncio's side -----------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        try:
            for answer in self.reader.feed(data):
                self._take(answer)
        except BadAnswer as error:
            self.end(str(error))

    def connection_lost(self, error: Exception | None) -> None:
        self.end("the server closed the connection" if error is None else "the connection was lost")

    def end(self, why: str) -> None:
        """Break off; whoever waits for an answer hears of it."""
        self.why = self.why or why
        if self.transport is not None:
            self.transport.abort()
        if not self.greeting.done():
            self.greeting.set_exception(Lost(self.why))
            self.greeting.exception()  # seen, even where nobody waits yet
        command = self._pending()
        if command is not None and not command._event.is_set():
            command._exception = Lost(self.why)
            command._event.set()
        self.heard.set()

    # --- what is said -------------------------------------------------------------------------------------------------

    def _pending(self) -> Command | None:
        if self.pending_sync_command is not None:
            return self.pending_sync_command
        return next(iter(self.pending_async_commands.values()), None)

    def _take(self, answer: Answer) -> None:
        line = text(answer)
        if not self.greeting.done():
            self.greeting.set_result(line)
        elif line.startswith(b"* "):
            self._untagged.append(answer)
            self.news = self.news or _NEWS.match(line) is not None
            self.heard.set()
            if line[2:5].upper() == b"BYE":
                self.why = self.why or "the server said goodbye"
        elif line.startswith(b"+"):
            self._continuation(line)
        else:
            self._done(line)

    def _continuation(self, line: bytes) -> None:
        if isinstance(self.pending_sync_command, IdleCommand):
            self._idle_event.set()
        else:
            raise BadAnswer("the server asks for something that was not offered")

    def _done(self, line: bytes) -> None:
        command = self._pending()
        tag, _, rest = line.partition(b" ")
        status, _, said = rest.partition(b" ")
        if command is None or tag != command.tag.encode() or status.upper() not in (b"OK", b"NO", b"BAD"):
            raise BadAnswer("the server answers a command that was not given")
        self.pending_sync_command = None
        self.pending_async_commands.clear()
        command.close(said, status.upper().decode())

    # --- our side -----------------------------------------------------------------------------------------------------

    async def run(self, command: Command) -> tuple[str, bytes, list[Answer]]:
        """Give one command; its status, the line that ended it, and what was told before. Raises Lost."""
        if self.why:
            raise Lost(self.why)
        self._untagged = []
        response: Response = await self.execute(command)
        answers, self._untagged = self._untagged, []
        status = response.result
        return status, status.encode() + b" " + bytes(response.lines[-1]), answers

    def begin(self) -> None:
        """The greeting was read: commands may be given."""
        self.state = NONAUTH

    def quiet(self) -> None:
        """Forget what came unasked while idling: that something did is all that counts."""
        self._untagged = []
        self.heard.clear()
