"""A listener owns a socket and the sessions that came through it.

A session's coroutine is a task in its listener's group. When the listener stops it closes the socket, asks the
sessions to finish, and cancels those still there after the grace period.
"""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Protocol

from gk import metrics
from gk.config import endpoint
from gk.errors import ConfigError

log = logging.getLogger(__name__)
BACKLOG = 1024
GRACE = 5.0  # seconds sessions have to finish what they are doing


class Session(Protocol):
    """One connection. `factory(listener)` makes an asyncio.Protocol that also has these."""

    async def serve(self) -> None:
        """Run until the connection ends; cleans up in `finally`."""
        ...

    def finish(self) -> None:
        """The server stops: end after the command in hand, with the protocol's goodbye."""
        ...


class Listener:
    """Serves one address until cancelled.

    `factory(listener)` returns an asyncio.Protocol that is a `Session` and calls `listener.began(self)` in
    `connection_made`.
    """

    def __init__(
        self,
        name: str,
        bind: str,
        factory: Callable[["Listener"], asyncio.Protocol],
        *,
        tls: ssl.SSLContext | None = None,
        inherited: Sequence[socket.socket] = (),
    ) -> None:
        self.name = name
        self.bind = bind
        self._factory, self._tls, self._inherited = factory, tls, inherited
        self._group: asyncio.TaskGroup | None = None
        self._sessions: dict[Session, asyncio.Task[None]] = {}
        self._stopping = False
        self._gauge = metrics.connections.labels(name.partition(" ")[0])

    async def run(self, ready: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        self._stopping = False
        async with asyncio.TaskGroup() as self._group:
            server = await loop.create_server(
                lambda: self._factory(self),
                sock=self._socket(),
                ssl=self._tls,
                backlog=BACKLOG,
                ssl_handshake_timeout=30 if self._tls else None,
                ssl_shutdown_timeout=5 if self._tls else None,
            )
            try:
                ready.set()
                await asyncio.Event().wait()
            finally:
                self._stopping = True
                server.close()
                await self._drain()

    def began(self, session: Session) -> asyncio.Task[None]:
        """A connection is made: run its session in this listener's group."""
        assert self._group is not None
        if self._stopping:  # a TLS handshake that ended after the door was closed
            session.finish()
        task = self._group.create_task(self._serve(session), name=self.name)
        self._sessions[session] = task
        self._gauge.inc()
        return task

    async def _serve(self, session: Session) -> None:
        try:
            await session.serve()
        except Exception:  # the one net under a connection: the others go on
            log.exception("event=session_failed listener=%s", self.name)
        finally:
            del self._sessions[session]
            self._gauge.dec()

    async def _drain(self) -> None:
        for session in list(self._sessions):
            session.finish()
        tasks = list(self._sessions.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GRACE)
            for task in late:
                task.cancel()

    def _socket(self) -> socket.socket:
        host, port = endpoint(self.bind)
        for sock in self._inherited:
            if sock.fileno() < 0:
                continue  # closed with an earlier run of this service
            if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.getsockname()[:2] == (host, port):
                sock.setblocking(False)
                return sock
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((host, port))
            sock.listen(BACKLOG)  # here, so that a busy port is seen before anything is served
            sock.setblocking(False)
        except OSError as error:
            sock.close()
            raise ConfigError(f"{self.name}: cannot listen on {self.bind}: {_remedy(error, port)}") from None
        return sock


def _remedy(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"the port is in use; find its owner with «ss -ltnp 'sport = :{port}'» or choose another"
    if error.errno == errno.EACCES:
        return "ports below 1024 need root or CAP_NET_BIND_SERVICE; choose higher ones or use systemd/gk.service"
    return str(error.strerror)
