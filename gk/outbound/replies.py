"""What a server answers, reply by reply, several commands ahead (RFC 5321 §4.2, RFC 2920).

aiosmtplib opens a session; from then on these replies are read here, because it drops what comes before it asks, and
pipelined replies do. A reply is matched to the oldest command without one. What nobody asked for puts the session out
of step: its later replies would belong to other commands.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

REPLY_LINE = 8192  # bytes; RFC 5321 §4.5.3.1.5 has 512, real servers more
REPLY = 32 << 10  # bytes of all lines of a reply


class OutOfStep(Exception):
    """The server said more than it was asked, or what is no reply."""


class Disconnected(Exception):
    """The connection is gone."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, its lines joined by line feeds."""

    code: int
    text: str


class Replies(asyncio.Protocol):
    """The reading half of an open session; put in place by `transport.set_protocol`."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = bytearray()
        self._lines: list[bytes] = []  # of the reply that is not complete
        self._size = 0
        self._waiting: deque[asyncio.Future[Reply]] = deque()
        self._fault: Exception | None = None
        self._room = asyncio.Event()  # the client's side may write
        self._room.set()

    @property
    def open(self) -> bool:
        """Nothing went wrong so far."""
        return self._fault is None and not self._transport.is_closing()

    def expect(self) -> "asyncio.Future[Reply]":
        """The reply to a command about to be written. Raises Disconnected, OutOfStep."""
        if self._fault is not None:
            raise self._fault
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        return future

    async def room(self) -> None:
        """Wait while the server reads too slowly. Raises Disconnected, OutOfStep."""
        await self._room.wait()
        if self._fault is not None:
            raise self._fault

    # -- asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._fault is None:
            end = self._buffer.find(b"\n")
            if max(end, len(self._buffer) if end < 0 else 0) > REPLY_LINE:
                self._fail(OutOfStep("a reply line is too long"))
            elif end < 0:
                break
            else:
                line = bytes(self._buffer[: end + 1]).rstrip(b"\r\n")
                del self._buffer[: end + 1]
                self._line(line)
        if self._fault is not None:
            self._buffer.clear()

    def _line(self, line: bytes) -> None:
        self._size += len(line)
        code, more = line[:3], line[3:4]
        if len(code) != 3 or not code.isdigit() or more not in (b"", b" ", b"-"):
            self._fail(OutOfStep("what the server says is no reply"))
        elif self._size > REPLY:
            self._fail(OutOfStep("a reply is too long"))
        elif not self._waiting:
            self._fail(OutOfStep("the server answered what it was not asked"))
        else:
            self._lines.append(line[4:].strip(b" \t"))
            if more != b"-":
                text = b"\n".join(self._lines).decode("utf-8", "surrogateescape")
                self._lines, self._size = [], 0
                waiter = self._waiting.popleft()
                if not waiter.done():
                    waiter.set_result(Reply(int(code), text))

    def eof_received(self) -> bool:
        self._fail(Disconnected("the connection was lost"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(Disconnected("the connection was lost"))

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def _fail(self, fault: Exception) -> None:
        if self._fault is None:
            self._fault = fault
            self._transport.close()
        self._room.set()
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(self._fault)
                waiter.exception()  # seen: nobody may be waiting any more
