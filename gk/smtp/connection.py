"""One SMTP connection: bytes in, lines and replies out, and the clocks that end it (RFC 5321 §4.5.3.2).

Bytes arrive in one buffer that nothing replaces. The session's task is never cancelled by the client: a hang-up is an
end of input, found when the next input is needed, so that what was received whole is finished.
"""

import asyncio
import logging
import select
from typing import TYPE_CHECKING, cast

from aiosmtpd.smtp import SMTP

from gk import metrics
from gk.accounts.bans import Kind
from gk.accounts.limits import Pass
from gk.net.listener import Listener
from gk.smtp.reply import RELAY, UNKNOWN

if TYPE_CHECKING:
    from gk.smtp.server import SmtpServer

log = logging.getLogger(__name__)

LINE_CUT = 64 << 10  # bytes without a line end after which nobody is listened to
HIGH, LOW = 256 << 10, 64 << 10  # bytes that wait to be read: stop and go on receiving
REPLIES = 16 << 10  # bytes of replies that are sent without waiting for the end of the pipeline
TURNS = 50  # commands of one pipeline after which the other connections have theirs
RATE = 1024  # bytes a second below which a message is cut
CLOSING = 10.0  # seconds a closing connection has to take its last reply
TOO_MANY = b"421 4.7.0 Too many connections, try again later\r\n"
BANNED = "421 4.7.0 Your address is not served for a while, for what came from it"


class Closed(Exception):
    """The session is over; whatever was in hand is dropped."""


class Connection(SMTP):
    """The wire under the commands. Replaces aiosmtpd's reader, writer, time-outs and command loop."""

    def __init__(self, server: "SmtpServer", listener: Listener) -> None:
        vars(self).update(server.template)  # SMTP.__init__ would look through the whole class: 0.3 ms a connection
        self.server, self.listener = server, listener
        self.secure = False
        self.peer = ""
        self.greeted = False
        self._buffer = bytearray()
        self._replies = bytearray()
        self._socket: asyncio.Transport | None = None  # None once the connection is lost
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._choked = False  # the client does not read its replies
        self._held = False  # receiving is paused
        self._eof = False
        self._finishing = False
        self._turns = 0  # commands since the last wait
        self._pass: Pass | None = None
        self._errors = Tally(server.limits.errors_before_delay, server.limits.errors_per_session)
        now = self.loop.time()
        self._began = self._fresh = now  # the latter moves with each finished transaction
        self._since: float | None = None  # when the wait for the client began; None when it is GK's turn
        self._patience = server.pace.banner
        self._receiving = False
        self._waited = 0.0  # seconds waited for the content in hand, in the current window
        self._arrived = 0  # bytes of it in that window
        self._timer: asyncio.TimerHandle | None = None

    # --- called by the transport --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        socket = cast(asyncio.Transport, transport)
        self.transport = self._socket = socket
        peername = socket.get_extra_info("peername")
        if not peername:
            socket.abort()  # gone before it was accepted
            return
        self.peer = peername[0]
        if self.server.gate.bans.banned(self.peer):
            metrics.refused.labels("smtp", "banned").inc()
            if not self.server.implicit_tls:  # there it would be no TLS
                socket.write(f"{BANNED}\r\n".encode())
            socket.close()
            return
        self._pass = self.server.gate.admit(self.peer)
        if self._pass is None:
            metrics.refused.labels("smtp", "connections").inc()
            socket.write(TOO_MANY)
            socket.close()
            return
        self.secure = socket.get_extra_info("ssl_object") is not None
        if self.server.implicit_tls and not self.secure:  # admitted before anything is spent on TLS
            socket.pause_reading()
        self._handler_coroutine = self.listener.began(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._arrived += len(data)
        if len(self._buffer) > HIGH and not self._held and self._socket:
            self._held = True
            self._socket.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._eof = True
        self._wake()
        return not self.secure  # a client may close its half after the last line and still wait for the reply

    def connection_lost(self, error: Exception | None) -> None:
        self._eof = True
        self.transport = self._socket = None
        if self._timer:
            self._timer.cancel()
        if self._pass:
            self._pass.release()
        self.resume_writing()
        self._wake()

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False
        if self._writable and not self._writable.done():
            self._writable.set_result(None)

    # --- called by the listener ---------------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Speak until either side ends the session."""
        self._tick()
        try:
            if not await self.server.gate.bans.slow(self.peer):
                self._say(TOO_MANY[:-2])
            elif not self.server.implicit_tls or self.secure or await self.start_tls():
                await self._handle_client()
        except Closed:
            pass
        except asyncio.CancelledError:
            self._say("421 4.3.2 Shutting down")
            raise
        finally:
            self._close()

    def finish(self) -> None:
        """The server stops: say goodbye before the next command."""
        self._finishing = True
        self._wake()

    # --- input --------------------------------------------------------------------------------------------------------

    async def more(self, patience: float) -> None:
        """Send what is to be said and wait for the client; raise Closed when nothing more will come."""
        self.flush()
        if self._choked and self._socket:
            self._writable = self.loop.create_future()
            await self._wait(self._writable, patience)
            self._writable = None
        if self._eof:
            raise Closed
        if self._held and self._socket:
            self._held = False
            self._socket.resume_reading()
        self._waiter = self.loop.create_future()
        await self._wait(self._waiter, patience)
        self._waiter = None

    async def line(self) -> bytes:
        """The next line with its line end, one command; goodbye instead when the server stops."""
        buffer, seen = self._buffer, 0
        pace = self.server.pace
        while (end := buffer.find(b"\n", seen)) < 0:
            seen = len(buffer)
            if seen > LINE_CUT:
                await self.close("500 5.5.2 Line too long, goodbye")
            if self._finishing:
                await self.close("421 4.3.2 Shutting down")
            await self.more(pace.command)
        line = bytes(buffer[: end + 1])
        del buffer[: end + 1]
        return line

    async def breathe(self) -> None:
        """After some commands of one pipeline, let the other connections have their turn."""
        self._turns += 1
        if self._turns >= TURNS:
            self._turns = 0
            await asyncio.sleep(0)

    def clear(self) -> None:
        """Forget what the client has sent so far (RFC 3207 §4.2)."""
        self._buffer.clear()

    def talking(self) -> bool:
        """Whether the client speaks although it is not its turn."""
        if self._buffer:
            return True
        if self.secure or self._socket is None:
            return False
        poll = select.poll()
        poll.register(self._socket.get_extra_info("socket").fileno(), select.POLLIN)
        return any(event & select.POLLIN and not event & select.POLLHUP for _, event in poll.poll(0))

    def receiving(self, on: bool) -> None:
        """Content begins or ends: it has the clock of its own rate instead of the session's."""
        self._receiving, self._waited, self._arrived = on, 0.0, len(self._buffer)

    # --- output -------------------------------------------------------------------------------------------------------

    async def push(self, status: str | bytes) -> None:
        """Queue a reply; it leaves when the client's pipeline is worked off."""
        self._say(status)

    async def fail(self, status: str, tally: "Tally | None" = None) -> None:
        """A reply that refuses: the first are free, then each waits, then the session ends."""
        tally = tally or self._errors
        tally.count += 1
        metrics.refused.labels("smtp", status[4:9]).inc()
        if (kind := _offence(status)) and self._blamed(kind):
            await self.close(BANNED)
        if tally.count >= tally.last:
            await self.close("421 4.7.0 Too many errors, goodbye")
        if tally.count > tally.free:
            self.flush()
            await self.server.pause(1.0)
        self._say(status)

    def _blamed(self, kind: Kind) -> bool:
        """Count an offence of the client's, unless a user is logged in; whether its address is banned now."""
        known = self.session is not None and self.session.authenticated
        return not known and self.server.gate.bans.offence(self.peer, kind)

    async def close(self, status: str) -> None:
        """The last reply: raise Closed."""
        if status[:3] in ("500", "554"):  # no mail server speaks early, or without an end of line
            self._blamed("errors")
        self._say(status)
        raise Closed

    def flush(self) -> None:
        """Send the replies that wait."""
        if self._replies:
            if self._socket:
                self._socket.write(bytes(self._replies))
            self._replies.clear()

    def _say(self, status: str | bytes) -> None:
        self._replies += status.encode() if isinstance(status, str) else status
        self._replies += b"\r\n"
        if len(self._replies) > REPLIES:
            self.flush()

    async def start_tls(self) -> bool:
        """Put TLS under the session; what came before it is dropped. False when the handshake failed."""
        assert self._socket is not None and self.server.tls is not None
        self.flush()
        self.clear()
        try:
            upgrade = self.loop.start_tls(
                self._socket, self, self.server.tls(), server_side=True,
                ssl_handshake_timeout=self.server.pace.command, ssl_shutdown_timeout=5.0,
            )  # fmt: skip
            upgraded = await upgrade
        except OSError:  # TLS alerts, time-outs and resets
            self.connection_lost(None)  # which asyncio does not call when the handshake fails
            return False
        if upgraded is None:  # lost between the handshake's end and here
            return False
        self.transport = self._socket = upgraded
        self._held = False
        self.secure = True
        return True

    # --- clocks -------------------------------------------------------------------------------------------------------

    async def _wait(self, future: "asyncio.Future[None]", patience: float) -> None:
        self._turns = 0
        begun = self._since = self.loop.time()
        self._patience = patience
        try:
            await future
        finally:
            self._since = None
            self._waited += self.loop.time() - begun

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _tick(self) -> None:
        """Look at the clocks a few times in the shortest of them: cheaper than a timer for each wait."""
        if self._since is not None and (reason := self._overdue(self.loop.time())):
            metrics.refused.labels("smtp", "slow").inc()
            log.info("event=cut reason=%s listener=%s", reason, self.listener.name)
            self._say(f"421 4.4.2 Too slow: {reason}")
            self.flush()
            self._eof = True
            if self._choked and self._socket:
                self._socket.abort()  # it reads no last words either
            self.resume_writing()
            self._wake()
            return
        self._timer = self.loop.call_later(self.server.pace.tick, self._tick)

    def _overdue(self, now: float) -> str | None:
        assert self._since is not None
        pace, waited = self.server.pace, now - self._since
        patience = self._patience
        if not self.greeted:
            patience, waited = pace.banner, now - self._began
        if self.server.gate.stressed:
            patience = min(patience, pace.stress)
        if waited >= patience:
            return "no input" if self.greeted else "no greeting"
        if self._receiving:
            total = self._waited + now - self._since
            if total >= pace.window:
                if self._arrived < RATE * pace.window:
                    return "the message does not come"
                self._waited, self._arrived = self._since - now, 0  # a new window from now
        elif now - self._fresh >= pace.session:
            return "no finished transaction"
        return None

    def finished(self) -> None:
        """A transaction came to its end: the session's clock starts again."""
        self._fresh = self.loop.time()

    def _close(self) -> None:
        self.flush()
        if self._timer:
            self._timer.cancel()
        if self._socket:
            self._socket.close()
            self._timer = self.loop.call_later(CLOSING, self._socket.abort)  # a client that does not even read


def _offence(status: str) -> Kind | None:
    """What a refusal says about the client: it asked for what a mail server never would, or guesses addresses."""
    if status.startswith(RELAY):
        return "relays"
    if status.startswith(UNKNOWN):
        return "recipients"
    return (
        "errors" if status.startswith(("500 ", "501 ", "502 ")) else None
    )  # 503: what a pipeline goes on with, RFC 2920


class Tally:
    """How often something went wrong in a session: `free` times without delay, at `last` the session ends."""

    __slots__ = ("count", "free", "last")

    def __init__(self, free: int, last: int) -> None:
        self.count, self.free, self.last = 0, free, last
