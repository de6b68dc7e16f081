"""One client of a line protocol, as its task sees it: bytes that are waited for, bytes it has to read, TLS, the end.

What the client sends faster than it is served stays in the kernel; what it reads too slowly holds back its own
commands only. A connection ends at a safe point: where its task waits for bytes, and nowhere else.
"""

import asyncio
import ssl

HANDSHAKE = 30.0  # seconds of TLS, and never more than there are left for the login
LINGER = 10.0  # seconds a closed connection has to read its last bytes


class Ended(Exception):
    """The session is over; with a text, after a last goodbye."""


class Client(asyncio.Protocol):
    """A transport with its waiters. Whoever derives it sets `_transport`, `_loop` and `_deadline` when it is made."""

    _transport: asyncio.Transport
    _loop: asyncio.AbstractEventLoop
    _deadline: float  # by the loop's clock

    def __init__(self, *, encrypted: bool = False) -> None:
        self.encrypted = encrypted
        self._waiter: asyncio.Future[None] | None = None  # the task waits for bytes
        self._drain: asyncio.Future[None] | None = None  # the task waits for the client to read
        self._lost = self._eof = False
        self._full = self._held = False  # writing, reading paused
        self._shaking = False  # a TLS handshake is under way
        self._bye: str | None = None  # why the session is to end at the next safe point

    # -- asyncio.Protocol

    def eof_received(self) -> bool:
        self._eof = True  # what was sent before is still answered
        self._wake()
        return not self.encrypted

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        for waiter in (self._waiter, self._drain):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)

    # -- gk.net.listener.Session

    def finish(self) -> None:
        """Say goodbye at the next safe point: at once when no command runs."""
        self.end("the server stops")

    def end(self, reason: str) -> None:
        """Let what waits for bytes raise Ended with this reason."""
        self._bye = reason
        if self._shaking:
            self._transport.abort()  # no goodbye would reach it
        self._wake()

    # -- the task's side

    async def drained(self) -> None:
        """Wait while the client reads too slowly. Raises Ended once it is gone."""
        while self._full and not self._lost:
            self._drain = self._loop.create_future()
            try:
                await self._drain
            finally:
                self._drain = None
        if self._lost:
            raise Ended

    async def _bytes(self) -> None:
        """Wait for bytes. Raises Ended; this is where a session can end."""
        if self._held:
            self._held = False
            self._transport.resume_reading()
        if not self._lost and self._bye is None and not self._eof:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        elif self._eof:
            raise Ended  # and everything sent before was looked at
        if self._lost:
            raise Ended
        if self._bye is not None:
            raise Ended(self._bye)

    async def _secure(self, context: ssl.SSLContext) -> None:
        """TLS from here on; nothing that came in clear may be left to read. Raises Ended."""
        self._held = False
        self._shaking = True
        patience = max(0.1, min(HANDSHAKE, self._deadline - self._loop.time()))
        try:
            transport = await self._loop.start_tls(
                self._transport, self, context, server_side=True, ssl_handshake_timeout=patience
            )
        except OSError as error:
            self._lost = True
            raise Ended from error
        finally:
            self._shaking = False
        assert transport is not None
        self._transport, self.encrypted = transport, True

    def _hold(self) -> None:
        """Read no more for now."""
        self._held = True
        self._transport.pause_reading()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _close(self) -> None:
        unsent = not self._transport.is_closing() and self._transport.get_write_buffer_size()
        self._transport.close()
        if unsent:
            self._loop.call_later(LINGER, self._transport.abort)
