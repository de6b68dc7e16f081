"""Real SMTP servers of the three roles on free loopback ports, over a real store with the accounts alice and bob."""

import asyncio
import base64
import dataclasses
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gk.accounts.aliases import Directory
from gk.accounts.bans import Bans
from gk.accounts.limits import Failures, Gate
from gk.accounts.login import Logins
from gk.accounts.passwords import Passwords
from gk.bus import Bus
from gk.config import Config, Limits
from gk.inbound.accept import Accept
from gk.message.address import Address
from gk.net.listener import Listener
from gk.service import supervise
from gk.smtp.envelope import EnvelopeRecipient
from gk.smtp.server import SmtpServer
from gk.store.db import Store
from gk.store.spool import SpoolFile
from gk.store.values import Account
from gk.tls.certs import Certificates

PASSWORD = "demo-password"
DIGESTS: dict[str, str] = {}  # made once for all tests
ALICE, BOB = "alice@example.test", "bob@example.test"
ALIASES = {
    "sales@example.test": ("alice@example.test", "bob@example.test"),
    "ann@example.test": ("alice@example.test",),
}


@dataclasses.dataclass
class Submitted:
    account: Account
    sender: Address | None
    recipients: list[EnvelopeRecipient]
    content: bytes
    envid: str | None
    ret: str | None


class Outbox:
    """The end of the line for submitted mail: keeps what it gets."""

    def __init__(self) -> None:
        self.sent: list[Submitted] = []

    async def submit(
        self,
        account: Account,
        sender: Address | None,
        recipients: list[EnvelopeRecipient],
        content: bytes | SpoolFile,
        *,
        envid: str | None,
        ret: str | None,
        requiretls: bool,
    ) -> str:
        if isinstance(content, SpoolFile):
            await content.sync()
            raw = content.path.read_bytes()
            content.discard()
        else:
            raw = content
        self.sent.append(Submitted(account, sender, recipients, raw, envid, ret))
        return f"Q{len(self.sent)}"


@dataclasses.dataclass
class House:
    """What a test can reach: the ports of the roles and the rooms behind them."""

    ports: dict[str, int]
    servers: dict[str, SmtpServer]
    store: Store
    bus: Bus
    outbox: Outbox
    gate: Gate
    certificates: Certificates
    pauses: list[float]
    host: str = "127.0.0.1"
    clients: list["Client"] = dataclasses.field(default_factory=list)

    @property
    def mx(self) -> int:
        return self.ports["mx"]

    async def inbox(self, address: str = ALICE) -> list[bytes]:
        """The messages in somebody's INBOX."""
        account = self.store.accounts.by_address(address)
        assert account is not None
        mailbox = self.store.mailboxes.get(account.id, "INBOX")
        snapshot = self.store.mailboxes.open(mailbox)
        if asyncio.iscoroutine(snapshot):
            snapshot = await snapshot
        try:
            contents = await self.store.mailboxes.contents(mailbox, list(snapshot.uids))
        finally:
            snapshot.close()
        found = []
        for content in contents:
            assert content is not None
            found.append(content.read())
            content.close()
        return found

    def client_tls(self) -> ssl.SSLContext:
        """A client that trusts the server's own certificate."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    async def connect(self, role: str = "mx", *, banner: bool = True, source: str = "127.0.0.1") -> "Client":
        tls = self.client_tls() if role == "submissions" else None
        reader, writer = await asyncio.open_connection(
            self.host, self.ports[role], ssl=tls, local_addr=(source, 0), limit=1 << 24
        )
        client = Client(reader, writer)
        self.clients.append(client)
        if banner:
            assert (await client.reply()).startswith("220 ")
        return client


class Client:
    """A raw SMTP client: it says what it is told and reads whole replies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def reply(self) -> str:
        """The next reply, its lines joined; "" at the end of the connection."""
        lines = []
        while True:
            try:
                line = (await asyncio.wait_for(self.reader.readline(), 10)).decode()
            except ConnectionError:
                line = ""
            lines.append(line)
            if line[3:4] != "-":
                return "".join(lines).rstrip("\r\n")

    async def say(self, text: str | bytes) -> str:
        """Send one line and read its reply."""
        self.send((text.encode() if isinstance(text, str) else text) + b"\r\n")
        return await self.reply()

    def send(self, raw: bytes) -> None:
        self.writer.write(raw)

    async def hello(self) -> "Client":
        assert (await self.say("EHLO client.example.org")).startswith("250")
        return self

    async def envelope(self, *recipients: str, sender: str = "eve@example.org") -> "Client":
        """MAIL and RCPT."""
        assert await self.say(f"MAIL FROM:<{sender}>") == "250 2.1.0 OK"
        for recipient in recipients or (ALICE,):
            assert await self.say(f"RCPT TO:<{recipient}>") == "250 2.1.5 OK"
        return self

    async def data(self, content: bytes) -> str:
        """DATA, the content as it stands, and the reply to it."""
        assert (await self.say("DATA")).startswith("354")
        self.send(content)
        return await self.reply()

    async def closed(self) -> bool:
        """Whether the server ends the connection without another word."""
        return await self.reply() == ""

    async def start_tls(self, context: ssl.SSLContext) -> "Client":
        assert (await self.say("STARTTLS")).startswith("220 ")
        await self.writer.start_tls(context)
        return self

    async def login(self, name: str = ALICE, password: str = PASSWORD) -> str:
        token = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
        return await self.say(f"AUTH PLAIN {token}")

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass


@asynccontextmanager
async def house(
    data: Path, *, require_tls: bool = False, bans: Bans | None = None, **limits: Any
) -> AsyncIterator[House]:
    """Open everything for the length of a block; `limits` replace those of the configuration."""
    wide = {"connections_per_address": 300, "connections_per_network": 300, "free_space_bytes": 1}
    bounds = dataclasses.replace(Limits(), **(wide | limits))
    config = Config(hostname="mail.example.test", domains=("example.test",), data=data, limits=bounds, aliases=ALIASES)
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    bus = Bus()
    async with Store.open(config, bus) as store:
        passwords = Passwords()
        digest = DIGESTS.get(PASSWORD) or DIGESTS.setdefault(PASSWORD, await passwords.hash(PASSWORD))
        for address in (ALICE, BOB):
            if store.accounts.by_address(address) is None:
                await store.accounts.add(address, digest)
        certificates = Certificates(config)
        logins = Logins(store.accounts, passwords, Failures(bounds, bans=bans), config.domains)
        directory = Directory(store.accounts, store.mailboxes, config.domains, config.aliases)
        accept = Accept(store, directory, config.hostname, bounds)
        gate, outbox = Gate(bounds, bans=bans), Outbox()
        servers, listeners, ports = {}, [], {}
        for role in ("mx", "submission", "submissions"):
            server = SmtpServer(
                role,  # type: ignore[arg-type]
                accept,
                outbox,
                logins,
                gate,
                bounds,
                hostname=config.hostname,
                tls=lambda: certificates.context,
                require_tls=require_tls,
                check_space=store.check_space,
                pause=pause,
            )
            sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
            ports[role] = sock.getsockname()[1]
            listeners.append(
                Listener(
                    f"{role} test",
                    f"127.0.0.1:{ports[role]}",
                    server.session,
                    inherited=[sock],
                )
            )
            servers[role] = server
        async with supervise(*listeners):
            opened = House(ports, servers, store, bus, outbox, gate, certificates, pauses)
            try:
                yield opened
            finally:
                for client in opened.clients:
                    await client.close()


@pytest.fixture
async def smtp(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[House]:
    """The same where TLS is required."""
    async with house(tmp_path / "data", require_tls=True) as opened:
        yield opened
