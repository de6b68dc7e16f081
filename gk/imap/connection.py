"""One IMAP connection: an asyncio.Protocol and a task, commands strictly in order."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from gk import __version__, metrics
from gk.accounts.limits import Pass
from gk.imap import registry
from gk.imap.conversation import BANNED, Conversation
from gk.imap.deflate import BadStream, Deflate
from gk.imap.dispatch import Dispatch
from gk.imap.session import Session
from gk.imap.wire import Event, Fault, Wire
from gk.net.client import LINGER, Client, Ended
from gk.net.listener import Listener

if TYPE_CHECKING:
    from gk.imap.server import ImapServer

UNREAD = 64 << 10  # bytes that wait while a command runs, before the connection is no longer read
UNSENT = 256 << 10  # bytes the client has not read, before its command waits


class Connection(Client):
    """One client."""

    def __init__(self, server: "ImapServer", listener: Listener, encrypted: bool) -> None:
        super().__init__(encrypted=encrypted)
        self._server, self._listener = server, listener
        session = Session(
            may_log_in=encrypted or not server.require_tls,
            can_start_tls=not encrypted and server.tls is not None,
            append_limit=server.limits.message_bytes,
        )
        self.wire = Wire(server.stranger)
        self.peer = ""
        self._conversation = Conversation(self, server, session)
        self._session = session
        self._implicit = encrypted  # TLS from the first byte, before the greeting
        self._pass: Pass | None = None
        self._fresh = True  # without a login
        self._hasty = 0.0  # the deadline of its login while the connections are nearly all taken
        self._deflate: Deflate | None = None
        self._woken = False  # NOTIFY has something to tell
        self._on_writable: Callable[[], None] | None = None

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        server, limits = self._server, self._server.limits
        self._transport = transport
        self._implicit &= transport.get_extra_info("ssl_object") is None
        if self._implicit:  # admitted before anything is spent on TLS
            transport.pause_reading()
        self._loop = asyncio.get_running_loop()
        self.peer = (transport.get_extra_info("peername") or ("",))[0]
        # asyncio does so only for sockets whose protocol number it can see; Nagle would hold answers back for 40 ms.
        with contextlib.suppress(OSError):  # gone already
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if server.gate.bans.banned(self.peer):
            metrics.refused.labels("imap", "banned").inc()
            if not self._implicit:  # there it would be no TLS
                transport.write(f"* BYE [UNAVAILABLE] {BANNED}\r\n".encode())
            self._close()
            return
        self._pass = server.gate.admit(self.peer)
        if self._pass is None:
            metrics.refused.labels("imap", "connections").inc()
            transport.write(b"* BYE [UNAVAILABLE] too many connections\r\n")
            self._close()
            return
        server.enter(self)
        transport.set_write_buffer_limits(high=UNSENT)
        now = self._loop.time()
        self._deadline, self._hasty = now + limits.login_seconds, now + limits.stress_seconds
        self._timer = self._loop.call_at(min(self._deadline, self._hasty), self._tick)
        self._listener.began(self)

    def data_received(self, data: bytes) -> None:
        wire = self.wire
        if self._deflate is None:
            wire.feed(data)
        else:
            self._deflate.feed(data)
        self._woken = True
        if not self._fresh:
            self._deadline = self._loop.time() + self._server.limits.idle_minutes * 60
        if self._waiter is not None:
            self._wake()
        elif not self._held and self._much_waits():
            self._hold()

    def _much_waits(self) -> bool:
        """More than a command in progress should have waiting behind it."""
        wire = self.wire
        if self._deflate is not None and self._deflate.waiting > UNREAD:
            return True
        return wire.waiting > UNREAD or wire.lines_waiting > self._server.limits.pipelined

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self._fresh:
            self._deadline = max(self._deadline, self._loop.time() + self._server.limits.idle_minutes * 60)
        if self._on_writable is not None:
            self._on_writable()

    def _tick(self) -> None:
        """The deadline of a connection without a login, or without a command."""
        now, stress = self._loop.time(), self._server.limits.stress_seconds
        hurried = self._fresh and now >= self._hasty and self._server.gate.stressed
        if now < self._deadline and not hurried:
            again = min(self._deadline, now + stress) if self._fresh else self._deadline
            self._timer = self._loop.call_at(again, self._tick)
        elif self._drain is not None:
            self._transport.abort()  # it does not read: no goodbye would reach it
        else:
            self.end("no login in time" if self._fresh else "autologout: nothing was heard from you")
            self._timer = self._loop.call_later(LINGER, self._tick)

    # -- gk.net.listener.Session

    async def serve(self) -> None:
        """Greet, answer one command after the other, say goodbye."""
        conversation, dispatch = self._conversation, Dispatch(self._conversation)
        try:
            if not await self._server.gate.bans.slow(self.peer):
                raise Ended(*(() if self._implicit else ("too many connections",)))
            if self._implicit:
                await self.start_tls()
            capabilities = registry.capabilities(self._session)
            self.write(f"* OK [CAPABILITY {capabilities}] {self._server.hostname} GK {__version__}\r\n".encode())
            while not self._session.ending:
                await dispatch.take(await self.event(), self.wire)
        except Ended as end:
            if end.args and not self._lost:
                self.write(f"* BYE {end}\r\n".encode())
            await conversation.leave()
        except asyncio.CancelledError:
            if not self._lost:
                self.write(b"* BYE the server stops\r\n")
            raise
        finally:
            self._timer.cancel()
            conversation.close()
            self._server.fresh.pop(self, None)
            if self._pass is not None:
                self._pass.release()
            self._close()

    def wake(self) -> None:
        """Let `event` look again what is to be told, if it waits."""
        self._woken = True
        self._wake()

    # -- what the conversation needs

    def write(self, data: bytes) -> None:
        if not self._lost:
            self._transport.write(data if self._deflate is None else self._deflate.compress(data))

    @property
    def writable(self) -> bool:
        return not self._full

    def on_writable(self, call: Callable[[], None] | None) -> None:
        self._on_writable = call

    async def event(self) -> Event:
        while (event := self.wire.command()) is None:
            await self._rest()
            self._conversation.rested()
        return event

    async def line(self) -> bytes:
        while (line := self.wire.line()) is None:
            await self._rest()
        if isinstance(line, Fault):
            raise Ended(line.text)
        return line

    async def content(self) -> bytes:
        while (piece := self.wire.content()) is None:
            await self._more()
        return piece

    async def _rest(self) -> None:
        """Between commands, or idling: with NOTIFY what happens is told now."""
        if self._conversation.notifying is not None:
            self._woken = False
            await self._conversation.tell_notifications()
            if self._woken:  # something happened, or came in, while that was written
                return
        await self._more()

    async def _more(self) -> None:
        """Wait for bytes. This is where a session can end."""
        if self._expand():
            await asyncio.sleep(0)  # a little can stand for very much: others have their turn between its pieces
            return
        await self._bytes()
        self._expand()

    def _expand(self) -> bool:
        """Hand over some of what came compressed; whether there was any."""
        if self._deflate is None or self._lost:
            return False
        try:
            data = self._deflate.take(UNREAD)
        except BadStream as error:
            raise Ended(str(error)) from None
        self.wire.feed(data)
        return bool(data)

    def compress(self) -> None:
        """Compress both directions from here; nothing may have been sent ahead of it (RFC 4978 §3)."""
        self.wire.drop()
        self._deflate = Deflate()

    async def start_tls(self) -> None:
        """Speak TLS from here; what the client sent in clear before is forgotten (RFC 3501 §6.2.1)."""
        assert self._server.tls is not None
        self.wire.drop()  # from here to the new transport nothing is awaited: no clear byte comes after this
        await self._secure(self._server.tls())
        self._transport.set_write_buffer_limits(high=UNSENT)

    def logged_in(self) -> None:
        """Wider bounds and a longer deadline."""
        self._fresh = False
        self._server.fresh.pop(self, None)
        self.wire.bounds, self.wire.per_session = self._server.logged_in, False
        self._deadline = self._loop.time() + self._server.limits.idle_minutes * 60
        self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._tick)
