"""One open session with a server: greeted, encrypted where that was to be, ready for transactions (RFC 5321 §3.3)."""

import asyncio
import ssl

import aiosmtplib

from gk.outbound.replies import Disconnected, Replies, Reply

LINGER = 10.0  # seconds a closing connection has to take what was written
TRANSACTIONS = 100  # of one session: many servers end it themselves somewhere behind that
IDLE = 5.0  # seconds without a transaction after which nobody is kept waiting for more


class Link:
    """What a session can do, and how it is asked. `host` names the server in answers and logs."""

    def __init__(self, server: aiosmtplib.SMTP, host: str) -> None:
        transport = server.transport
        if not isinstance(transport, asyncio.Transport):
            raise Disconnected("the connection was lost")
        self.host = host
        self.extensions = {name.lower(): value for name, value in server.esmtp_extensions.items()}
        self.session: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        self.tls = self.session.version() if self.session else None
        self.transactions = 0
        self._server = server  # kept: it owns the transport
        self._transport = transport
        self._replies = Replies(transport)
        transport.set_protocol(self._replies)
        self.open_transaction = False  # MAIL was taken and its content not

    @property
    def usable(self) -> bool:
        """Whether another transaction can be begun."""
        return self._replies.open and self.transactions < TRANSACTIONS

    def offers(self, extension: str) -> bool:
        return extension in self.extensions

    def ask(self, *commands: bytes) -> "list[asyncio.Future[Reply]]":
        """Write commands at once; a reply will come for each. Raises Disconnected, OutOfStep."""
        for command in commands:
            if any(byte < 0x20 or byte == 0x7F for byte in command):
                raise ValueError("a command holds a control character")
        futures = [self._replies.expect() for _ in commands]
        self._transport.write(b"".join([command + b"\r\n" for command in commands]))
        return futures

    def expect(self) -> "asyncio.Future[Reply]":
        """The reply that follows a message's last line."""
        return self._replies.expect()

    async def write(self, data: bytes) -> None:
        """Content, as fast as the server reads it."""
        self._transport.write(data)
        await self._replies.room()

    def abort(self) -> None:
        """In the middle of a message nothing more can be said."""
        self._transport.abort()

    def leave(self) -> None:
        """Say QUIT and do not wait for the answer."""
        if self._replies.open:
            self._transport.write(b"QUIT\r\n")
        self._transport.close()
        asyncio.get_running_loop().call_later(LINGER, self._transport.abort)


class Links:
    """Sessions at rest, to be used again: a few seconds each, so many in all, the oldest go first."""

    def __init__(self, most: int = 200) -> None:
        self._most = most
        self._idle: dict[tuple[object, ...], list[tuple[Link, asyncio.TimerHandle]]] = {}
        self._count = 0

    def take(self, key: tuple[object, ...]) -> Link | None:
        """One that waits for this key, the last used first: it is the least likely to have been closed."""
        waiting = self._idle.get(key)
        while waiting:
            link, timer = waiting.pop()
            self._count -= 1
            timer.cancel()
            if not waiting:
                del self._idle[key]
            if link.usable:
                return link
            link.leave()
        return None

    def keep(self, key: tuple[object, ...], link: Link) -> None:
        """Let it wait for the next message, or say goodbye where there is no use or no room for it."""
        if not link.usable or self._count >= self._most:
            link.leave()
            return
        timer = asyncio.get_running_loop().call_later(IDLE, self._expire, key, link)
        self._idle.setdefault(key, []).append((link, timer))
        self._count += 1

    def _expire(self, key: tuple[object, ...], link: Link) -> None:
        waiting = self._idle.get(key, [])
        for entry in waiting:
            if entry[0] is link:
                waiting.remove(entry)
                self._count -= 1
                if not waiting:
                    del self._idle[key]
                link.leave()
                return

    def close(self) -> None:
        """Say goodbye to all."""
        for waiting in self._idle.values():
            for link, timer in waiting:
                timer.cancel()
                link.leave()
        self._idle.clear()
        self._count = 0


def reply_of(future: "asyncio.Future[Reply]") -> Reply | None:
    """A reply that came already, None where it did not."""
    return future.result() if future.done() and not future.cancelled() and future.exception() is None else None
