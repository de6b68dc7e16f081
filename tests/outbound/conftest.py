"""The sending half without a server around it: a real store and queue, strangers, and little patience."""

import asyncio
import dataclasses
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from gk.bus import Bus
from gk.config import Config, Limits, Outbound
from gk.mailauth.sts import Sts
from gk.net.dns import SystemResolver
from gk.net.guard import FetchFailed, Page
from gk.outbound.answer import Answer, Patience
from gk.outbound.courier import Courier
from gk.outbound.letter import Letter
from gk.outbound.policy import Policies, authorities
from gk.outbound.route import Route
from gk.outbound.transport import Transport
from gk.store.db import Store
from gk.store.queued import Claim, QueuedRecipient
from tests.strangers import Mx, Zone, free_port, zone

SHORT = Patience(
    connect=1, banner=0.4, tls=0.4, command=0.4, envelope=1.0, data=0.4, block=0.4, final=0.4
)  # seconds a test waits for a server that says nothing
CONTENT = b"From: alice@example.test\r\nSubject: hello\r\n\r\nHello.\r\n"


@dataclasses.dataclass
class Post:
    """A courier and what it carries."""

    store: Store
    zone: Zone
    port: int
    config: Outbound
    stack: AsyncExitStack
    transport: Transport
    courier: Courier
    pipelining: bool = True  # what strangers offer

    async def mx(self, host: str, *args: Any, **kwargs: Any) -> Mx:
        if not self.pipelining:
            kwargs.setdefault("extensions", ("8BITMIME", "SIZE 100000000", "ENHANCEDSTATUSCODES"))
        return await self.stack.enter_async_context(Mx(*args, **kwargs).serve(host, self.port))

    async def stranger(self, *args: Any, **kwargs: Any) -> Mx:
        """far.test with one exchanger."""
        self.zone.domain("far.test", "127.0.0.2")
        return await self.mx("127.0.0.2", *args, **kwargs)

    async def claim(self, *recipients: str, content: bytes = CONTENT, sender: str = "alice@example.test") -> Claim:
        """Queue a message and claim it for the domain of its recipients."""
        queued = [QueuedRecipient(r, r.rpartition("@")[2]) for r in recipients or ("zoe@far.test",)]
        arrival = await self.store.prepare(content)
        await self.store.outgoing.add(arrival, sender, queued, account=1, origin="user")
        ((claim,), _) = await self.store.outgoing.claim(1e12, 1, {}, 20)
        return claim

    def letter(self, claim: Claim) -> Letter:
        return Letter(self.store.mailboxes, claim.message)

    async def deliver(self, *recipients: str, content: bytes = CONTENT, **more: Any) -> list[Answer]:
        """One attempt."""
        claim = await self.claim(*recipients, content=content, **more)
        async with asyncio.timeout(20):
            return await self.courier.deliver(claim, self.letter(claim))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    limits = Limits(free_space_bytes=0, messages_per_day=0, new_recipients_per_day=0)
    config = Config(data=tmp_path / "data", domains=("example.test",), limits=limits)
    async with Store.open(config, Bus()) as opened:
        yield opened


async def _nothing(url: str, **bounds: Any) -> Page:
    """There is no web here."""
    raise FetchFailed("nobody serves that")


@pytest.fixture
async def post(store: Store) -> AsyncIterator[Post]:
    async with AsyncExitStack() as stack:
        dns = await stack.enter_async_context(zone())
        port = free_port("127.0.0.2", "127.0.0.3", "127.0.0.4")
        config = Outbound(port=port)
        resolver = SystemResolver([f"127.0.0.1:{dns.port}"])
        policies = Policies(resolver, Sts(resolver, _nothing, store.tls), store.tls, config, authorities(Config()))
        route = Route(resolver, config, "mail.example.test", lambda address, port: False, random.Random(1))
        transport = Transport("mail.example.test", SHORT)
        courier = Courier(route, transport, policies, config)
        stack.callback(courier.close)
        yield Post(store, dns, port, config, stack, transport, courier)
