"""One ManageSieve connection: an asyncio.Protocol and a task, commands strictly in order."""

import asyncio
from typing import TYPE_CHECKING

from gk import metrics
from gk.accounts.limits import Pass
from gk.managesieve.session import BadCommand, Session
from gk.managesieve.wire import Command, Fault, Wire, response
from gk.net.listener import Listener
from gk.store.values import Account

if TYPE_CHECKING:
    from gk.managesieve.server import ManageSieveServer

UNREAD = 64 << 10  # bytes that wait while a command runs, before the connection is no longer read
HANDSHAKE = 30.0  # seconds of TLS, and never more than there are left for the login
LINGER = 10.0  # seconds a closed connection has to read its last bytes
BANNED = "your address is not served for a while, for what came from it"
NAMES = 4096  # octets of the literals of a name beside a script


class Ended(Exception):
    """The session is over; with a text, after a last BYE."""


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, server: "ManageSieveServer", listener: Listener) -> None:
        self._server, self._listener = server, listener
        limits = server.limits
        self.wire = Wire(limits.login_line, limits.login_literals)
        self.peer = ""
        self.encrypted = False
        self._session = Session(self, server)
        self._pass: Pass | None = None
        self._counted: tuple[int, str] | None = None  # among the sessions of a user
        self._waiter: asyncio.Future[None] | None = None
        self._drain: asyncio.Future[None] | None = None
        self._lost = self._eof = self._held = self._full = self._shaking = False
        self._bye: str | None = None
        self._deadline = self._hasty = 0.0  # the latter: that of the login while the connections are nearly all taken

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self.peer = (transport.get_extra_info("peername") or ("",))[0]
        server, limits = self._server, self._server.limits
        if server.gate.bans.banned(self.peer):
            metrics.refused.labels("managesieve", "banned").inc()
            transport.write(response("BYE", BANNED, "TRYLATER"))
            transport.close()
            return
        self._pass = server.gate.admit(self.peer)
        if self._pass is None:
            metrics.refused.labels("managesieve", "connections").inc()
            transport.write(response("BYE", "too many connections", "TRYLATER"))
            transport.close()
            return
        now = self._loop.time()
        self._deadline, self._hasty = now + limits.login_seconds, now + limits.stress_seconds
        self._timer = self._loop.call_at(min(self._deadline, self._hasty), self._tick)
        self._listener.began(self)

    def data_received(self, data: bytes) -> None:
        self.wire.feed(data)
        if self._session.account is not None:
            self._deadline = self._loop.time() + self._server.limits.idle_minutes * 60
        self._wake()
        if self._waiter is None and not self._held and self.wire.waiting > UNREAD:
            self._held = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._eof = True  # what was sent before is still answered
        self._wake()
        return not self.encrypted

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _tick(self) -> None:
        """The deadline of a connection without a login, or without a command."""
        now, stress = self._loop.time(), self._server.limits.stress_seconds
        fresh = self._session.account is None
        hurried = fresh and now >= self._hasty and self._server.gate.stressed
        if now < self._deadline and not hurried:
            self._timer = self._loop.call_at(min(self._deadline, now + stress) if fresh else self._deadline, self._tick)
        elif self._full or self._bye is not None:
            self._transport.abort()  # it does not read
        else:
            self.end("no login in time" if self._session.account is None else "nothing was heard from you")
            self._timer = self._loop.call_later(LINGER, self._tick)

    # -- gk.net.listener.Session

    async def serve(self) -> None:
        """Greet, answer one command after the other, say goodbye."""
        session, bad = self._session, 0
        limits, bans = self._server.limits, self._server.gate.bans
        try:
            if not await bans.slow(self.peer):
                raise Ended("too many connections")
            self.write(session.greeting())
            strangers = 0
            while not session.ended:
                item = await self._next()
                if session.account is None:
                    strangers += 1
                    if strangers > limits.login_commands:
                        bans.offence(self.peer, "errors")
                        raise Ended("too many commands without a login")
                try:
                    if isinstance(item, Fault):
                        if item.fatal:
                            raise Ended(item.text)
                        raise BadCommand(item.text)
                    self.write(await session.take(item))
                except BadCommand as error:
                    bad += 1
                    large = isinstance(item, Fault) and item.large
                    self.write(response("NO", str(error), "QUOTA/MAXSIZE" if large else ""))
                    if session.account is None:
                        bans.offence(self.peer, "errors")
                    if bad >= limits.bad_commands:
                        raise Ended("too many commands that make no sense") from None
                if session.account is None and bans.banned(self.peer):
                    raise Ended(BANNED)
                await self._drained()
        except Ended as end:
            if end.args and not self._lost:
                self.write(response("BYE", str(end)))
        except asyncio.CancelledError:
            self.write(response("BYE", "the server stops"))
            raise
        finally:
            self.logged_out()
            self._timer.cancel()
            if self._pass is not None:
                self._pass.release()
            unsent = not self._transport.is_closing() and self._transport.get_write_buffer_size()
            self._transport.close()
            if unsent:
                self._loop.call_later(LINGER, self._transport.abort)

    def finish(self) -> None:
        """Say goodbye at the next safe point: at once when no command runs."""
        self.end("the server stops")

    def end(self, reason: str) -> None:
        """Let what waits for bytes raise Ended with this reason."""
        self._bye = reason
        if self._shaking:
            self._transport.abort()  # no goodbye would reach it
        self._wake()

    # -- what the session needs

    def write(self, data: bytes) -> None:
        if not self._lost:
            self._transport.write(data)

    async def answer(self) -> Command:
        self.wire.answering = True
        item = await self._next()
        if isinstance(item, Fault):
            if item.fatal:
                raise Ended(item.text)
            raise BadCommand(item.text)
        return item

    async def start_tls(self) -> None:
        """Speak TLS from here; what the client sent in clear before is forgotten (RFC 5804 §2.2)."""
        assert self._server.tls is not None
        self.wire.drop()
        self._held = False
        self._shaking = True
        patience = max(0.1, min(HANDSHAKE, self._deadline - self._loop.time()))
        try:
            transport = await self._loop.start_tls(
                self._transport, self, self._server.tls(), server_side=True, ssl_handshake_timeout=patience
            )
        except OSError as error:
            self._lost = True
            raise Ended from error
        finally:
            self._shaking = False
        assert transport is not None
        self._transport, self.encrypted = transport, True

    def logged_in(self, account: Account) -> bool:
        """Wider bounds and a longer deadline; false where the user has too many sessions from there."""
        server, key = self._server, (account.id, self.peer)
        if server.sessions[key] >= server.limits.sessions_per_user:
            return False
        server.sessions[key] += 1
        self._counted = key
        self.wire.literal = max(server.limits.script_bytes, NAMES)
        self._deadline = self._loop.time() + server.limits.idle_minutes * 60
        return True

    def logged_out(self) -> None:
        """The bounds of a stranger again."""
        if self._counted is None:
            return
        self._server.sessions[self._counted] -= 1
        if not self._server.sessions[self._counted]:
            del self._server.sessions[self._counted]
        self._counted = None
        self.wire.literal = self._server.limits.login_literals
        now, limits = self._loop.time(), self._server.limits
        self._deadline, self._hasty = now + limits.login_seconds, now + limits.stress_seconds
        self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._tick)

    async def _next(self) -> Command | Fault:
        """The next command, or what is none. Raises Ended; this is where a session can end."""
        while True:
            if self._bye is not None:
                raise Ended(self._bye)
            if self._lost:
                raise Ended
            item = self.wire.next()
            if item is not None:
                return item
            if self._eof:
                raise Ended
            if self._held:
                self._held = False
                self._transport.resume_reading()
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    async def _drained(self) -> None:
        """Wait while the client reads too slowly."""
        while self._full and not self._lost:
            self._drain = self._loop.create_future()
            try:
                await self._drain
            finally:
                self._drain = None
