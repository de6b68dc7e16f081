"""A real store and a real IMAP server on a free loopback port, with the account alice@example.test."""

import asyncio
import dataclasses
import datetime
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gk.accounts.bans import Bans
from gk.accounts.limits import Failures, Gate
from gk.accounts.login import Logins
from gk.accounts.passwords import Passwords
from gk.bus import Bus
from gk.config import Config, Limits
from gk.imap.server import ImapServer
from gk.net.listener import Listener
from gk.service import supervise
from gk.store.db import Store
from tests.imap.client import Client

PASSWORD = "demo-password"
ALICE, BOB = "alice@example.test", "bob@example.test"


@dataclasses.dataclass
class House:
    """What a test can reach: the server's address and the rooms behind it."""

    port: int
    store: Store
    server: ImapServer
    listener: Listener
    host: str = "127.0.0.1"


@asynccontextmanager
async def house(
    data: Path,
    *,
    tls: ssl.SSLContext | None = None,
    require_tls: bool = False,
    implicit: bool = False,
    bans: Bans | None = None,
    **limits: Any,
) -> AsyncIterator[House]:
    """Open everything for the length of a block."""
    bounds = dataclasses.replace(
        Limits(), connections_per_address=300, connections_per_network=300, sessions_per_user=200, free_space_bytes=1
    )
    bounds = dataclasses.replace(bounds, **limits)
    config = Config(data=data, domains=("example.test",), limits=bounds)
    async with Store.open(config, Bus()) as store:
        passwords = Passwords()
        digest = await passwords.hash(PASSWORD)
        for address in (ALICE, BOB):
            if store.accounts.by_address(address) is None:
                await store.accounts.add(address, digest)
        logins = Logins(store.accounts, passwords, Failures(bounds, bans=bans), config.domains)
        server = ImapServer(
            store,
            logins,
            Gate(bounds, bans=bans),
            bounds,
            hostname="mail.example.test",
            tls=(lambda: tls) if tls else None,
            require_tls=require_tls,
        )
        sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
        port = sock.getsockname()[1]
        listener = Listener(
            "imap test",
            f"127.0.0.1:{port}",
            lambda made: server.session(made, implicit_tls=implicit),
            inherited=[sock],
        )
        try:
            async with supervise(listener):
                yield House(port, store, server, listener)
        finally:
            await Client.close_all()
            sock.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's context with a certificate for localhost, signed by nobody."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.fixture
def trusting() -> ssl.SSLContext:
    """A client's context that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.fixture
async def imap(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def threaded(tmp_path: Path) -> Iterator[House]:
    """The same in a thread of its own, for clients that block."""
    ready, box = threading.Event(), []

    async def main() -> None:
        stop = asyncio.Event()
        async with house(tmp_path / "data") as opened:
            box.append((opened, stop, asyncio.get_running_loop()))
            ready.set()
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(main())
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait(20)
    assert box, "the server did not start"
    opened, stop, loop = box[0]
    try:
        yield opened
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
