"""A real store and a real ManageSieve server on a free loopback port, and a client that speaks in lines."""

import asyncio
import base64
import dataclasses
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gk.accounts.bans import Bans
from gk.accounts.limits import Failures, Gate
from gk.accounts.login import Logins
from gk.accounts.passwords import Passwords
from gk.bus import Bus
from gk.config import Config, Limits
from gk.managesieve.server import ManageSieveServer
from gk.net.listener import Listener
from gk.service import supervise
from gk.store.db import Store
from tests.imap.conftest import certificate

__all__ = ["ALICE", "PASSWORD", "Client", "House", "certificate", "house"]

PASSWORD = "demo-password"
ALICE, BOB = "alice@example.test", "bob@example.test"
PATIENCE = 30.0
_DONE = re.compile(rb"(OK|NO|BYE)\b")
_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")


class Client:
    """A client: `ask` sends a command and returns the lines of its answer, literals in them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def read(self) -> list[bytes]:
        """The lines up to OK, NO or BYE."""
        lines: list[bytes] = []
        async with asyncio.timeout(PATIENCE):
            while True:
                line = await self.reader.readline()
                if not line:
                    return lines
                while found := _LITERAL.search(line):
                    line += await self.reader.readexactly(int(found[1])) + await self.reader.readline()
                lines.append(line)
                if _DONE.match(line):
                    return lines

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def ask(self, command: bytes) -> list[bytes]:
        self.send(command + b"\r\n")
        return await self.read()

    async def last(self, command: bytes) -> bytes:
        """The last line of the answer."""
        return (await self.ask(command))[-1]

    async def log_in(self, user: str = ALICE) -> None:
        raw = base64.b64encode(f"\0{user}\0{PASSWORD}".encode())
        assert (await self.last(b'AUTHENTICATE "PLAIN" "' + raw + b'"')).startswith(b"OK")


@dataclasses.dataclass
class House:
    """What a test can reach."""

    port: int
    store: Store
    server: ManageSieveServer

    async def connect(self, user: str | None = ALICE, source: str | None = None) -> Client:
        """A client that was greeted, and logged in as `user`."""
        local = (source, 0) if source else None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=local)
        self.open.append(writer)
        client = Client(reader, writer)
        await client.read()
        if user is not None:
            await client.log_in(user)
        return client

    open: list[asyncio.StreamWriter] = dataclasses.field(default_factory=list)


@asynccontextmanager
async def house(
    data: Path,
    *,
    tls: ssl.SSLContext | None = None,
    require_tls: bool = False,
    bans: Bans | None = None,
    **limits: Any,
) -> AsyncIterator[House]:
    """Open everything for the length of a block."""
    bounds = dataclasses.replace(Limits(), free_space_bytes=1, **limits)
    config = Config(data=data, domains=("example.test",), limits=bounds)
    async with Store.open(config, Bus()) as store:
        passwords = Passwords()
        digest = await passwords.hash(PASSWORD)
        for address in (ALICE, BOB):
            await store.accounts.add(address, digest)
        server = ManageSieveServer(
            store, Logins(store.accounts, passwords, Failures(bounds, bans=bans), config.domains),
            Gate(bounds, bans=bans), bounds,
            hostname="mail.example.test", tls=(lambda: tls) if tls else None, require_tls=require_tls,
        )  # fmt: skip
        sock = socket.create_server(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        listener = Listener("managesieve test", f"127.0.0.1:{port}", server.session, inherited=[sock])
        made = House(port, store, server)
        try:
            async with supervise(listener):
                yield made
        finally:
            for writer in made.open:
                writer.close()
                try:
                    await writer.wait_closed()
                except OSError:
                    pass
            sock.close()
