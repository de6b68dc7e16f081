"""One ManageSieve connection: an asyncio.Protocol and a task, commands strictly in order."""

import asyncio
from typing import TYPE_CHECKING

from gk import metrics
from gk.accounts.limits import Pass
from gk.managesieve.session import BadCommand, Session
from gk.managesieve.wire import Command, Fault, Wire, response
from gk.net.client import LINGER, Client, Ended
from gk.net.listener import Listener
from gk.store.values import Account

if TYPE_CHECKING:
    from gk.managesieve.server import ManageSieveServer

UNREAD = 64 << 10  # bytes that wait while a command runs, before the connection is no longer read
BANNED = "your address is not served for a while, for what came from it"
NAMES = 4096  # octets of the literals of a name beside a script


class Connection(Client):
    """One client."""

    def __init__(self, server: "ManageSieveServer", listener: Listener) -> None:
        super().__init__()
        self._server, self._listener = server, listener
        limits = server.limits
        self.wire = Wire(limits.login_line, limits.login_literals)
        self.peer = ""
        self._session = Session(self, server)
        self._pass: Pass | None = None
        self._counted: tuple[int, str] | None = None  # among the sessions of a user
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
            self._hold()

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
                await self.drained()
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
            self._close()

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
        await self._secure(self._server.tls())

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
            await self._bytes()
