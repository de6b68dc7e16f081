"""The whole server in this process, on free loopback ports, among strangers: their DNS and their mail exchangers."""

import asyncio
import dataclasses
import email
import email.message
import imaplib
import re
import smtplib
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gk import app
from gk.actions import registry
from gk.actions.context import Rooms
from gk.bus import Subscription
from gk.config import load
from gk.control.client import call
from gk.events import DeliveryAttempted
from gk.tls.certs import make
from tests.site import Site
from tests.strangers import PATIENCE, Mx, Zone, free_port, zone

PASSWORD = "demo-password"
ALICE, BOB = "alice@example.test", "bob@example.test"
HOSTS = tuple(f"127.0.0.{n}" for n in range(1, 10))  # the first is ours, the others the strangers'

TEXT = """\
hostname = "mail.{domain}"
domains = ["{domain}"]
data = "data"
[smtp]
mx = ["{host}:{mx}"]
submission = ["127.0.0.1:{submission}"]
submissions = []
[imap]
starttls = ["127.0.0.1:{imap}"]
tls = []
[managesieve]
listen = ["127.0.0.1:{managesieve}"]
[dns]
resolver = ["127.0.0.1:{dns}"]
[outbound]
port = {mx}
{outbound}
{judge}
[triage]
{triage}
[security]
require_tls = false
[limits]
free_space_bytes = 0
connections_per_address = 300
{limits}
[aliases]
"team@{domain}" = ["alice@{domain}", "bob@{domain}"]
"away@{domain}" = ["Zoe@far.test"]
"both@{domain}" = ["bob@{domain}", "x@far.test", "y@far.test"]
"round@{domain}" = ["alice@far.test"]
"""


def mail(subject: str = "hello", body: str = "Hello.\r\n", sender: str = ALICE, **fields: str) -> bytes:
    """A message; its To names nobody in particular."""
    head = {"From": sender, "To": "friends", "Subject": subject, "Message-ID": f"<{subject}@here.test>"} | fields
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in head.items())
    return f"{lines}Date: Fri, 30 Jan 2026 12:00:00 +0000\r\n\r\n{body}".encode()


def unsigned(content: bytes) -> bytes:
    """A message without the signatures before it."""
    while content.startswith(b"DKIM-Signature:"):
        content = re.sub(rb"\A[^\n]*\n(?:[ \t][^\n]*\n)*", b"", content)
    return content


@dataclasses.dataclass
class House:
    """The running server, and what a test does to it from outside."""

    path: Path
    ports: dict[str, int]
    zone: Zone
    stack: AsyncExitStack
    rooms: Rooms = dataclasses.field(init=False)
    attempts: Subscription[DeliveryAttempted] = dataclasses.field(init=False)

    @property
    def data(self) -> Path:
        return self.path.parent / "data"

    async def mx(self, host: str, *args: Any, **kwargs: Any) -> Mx:
        """An exchanger at this address for the rest of the test."""
        return await self.stack.enter_async_context(Mx(*args, **kwargs).serve(host, self.ports["mx"]))

    async def stranger(self, domain: str, *args: Any, host: str = "127.0.0.2", **kwargs: Any) -> Mx:
        """A domain with one exchanger."""
        self.zone.domain(domain, host)
        return await self.mx(host, *args, **kwargs)

    async def submit(
        self,
        content: bytes,
        *recipients: str,
        sender: str = ALICE,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
        login: str | None = None,
    ) -> None:
        """Send as a user's program does; raise smtplib's errors."""

        def work() -> None:
            with smtplib.SMTP("127.0.0.1", self.ports["submission"], "client.test", 20) as client:
                client.login(login or sender, PASSWORD)
                refused = client.sendmail(sender, recipients, content, mail_options, rcpt_options)
                assert not refused

        await asyncio.to_thread(work)

    async def bring(self, content: bytes, *recipients: str, sender: str = "zoe@far.test") -> None:
        """Hand mail over as another server does; raise smtplib's errors."""

        def work() -> None:
            with smtplib.SMTP(HOSTS[0], self.ports["mx"], "mx.far.test", 20) as client:
                client.sendmail(sender, recipients, content)

        await asyncio.to_thread(work)

    async def outcomes(self, count: int = 1) -> list[str]:
        """What came of the next attempts, one word for each recipient."""
        found = []
        async with asyncio.timeout(PATIENCE):
            while len(found) < count:
                found.append((await anext(self.attempts)).outcome)
        return found

    async def inbox(self, address: str = ALICE, mailbox: str = "INBOX") -> list[bytes]:
        """The messages in a mailbox, by IMAP."""

        def work() -> list[bytes]:
            with imaplib.IMAP4("127.0.0.1", self.ports["imap"], 20) as client:
                client.login(address, PASSWORD)
                client.select(mailbox, readonly=True)
                numbers = client.search(None, "ALL")[1][0].split()
                answers = [client.fetch(number, "(BODY.PEEK[])")[1] for number in numbers]  # and news of flags, perhaps
                return [next(part[1] for part in answer if isinstance(part, tuple)) for answer in answers]

        return await asyncio.to_thread(work)

    async def reports(self, address: str = ALICE) -> list["Report"]:
        """The delivery status notifications somebody got."""
        return [Report.read(raw) for raw in await self.inbox(address) if b"report-type=delivery-status" in raw]

    async def act(self, action: str, **arguments: Any) -> Any:
        """An action through the control socket."""
        return await asyncio.to_thread(call, self.data, action, arguments)

    async def queue(self) -> list[dict[str, Any]]:
        return (await self.act("queue_list"))["messages"]

    async def retry(self) -> None:
        """Make everything in the queue due."""
        for item in await self.queue():
            await self.act("queue_retry", id=item["id"])


@dataclasses.dataclass
class Report:
    """A delivery status notification, taken apart by Python's own parser."""

    raw: bytes
    message: email.message.Message
    text: str
    fields: dict[str, str]
    recipients: list[dict[str, str]]
    returned: email.message.Message

    @classmethod
    def read(cls, raw: bytes) -> "Report":
        message = email.message_from_bytes(raw)
        assert message.get_content_type() == "multipart/report"
        human, machine, returned = message.get_payload()
        first, *others = [{k.lower(): v for k, v in part.items()} for part in machine.get_payload()]
        return cls(raw, message, human.get_payload(decode=True).decode(), first, others, returned)


@asynccontextmanager
async def house(
    directory: Path,
    *,
    outbound: str = "",
    limits: str = "",
    judge: str = "",
    triage: str = "keywords = false",
    domain: str = "example.test",
    host: str = HOSTS[0],
    beside: House | None = None,
) -> AsyncIterator[House]:
    """Everything for the length of a block; the data directory may be there from before.

    `beside` is another house that shares its DNS and the port of all exchangers.
    """
    async with AsyncExitStack() as stack:
        dns = beside.zone if beside else await stack.enter_async_context(zone())
        mx = beside.ports["mx"] if beside else free_port(*HOSTS)
        ports = {
            "mx": mx, "submission": free_port(), "imap": free_port(), "managesieve": free_port(), "dns": dns.port,
        }  # fmt: skip
        path = directory / "gk.toml"
        tables = {"outbound": outbound, "limits": limits, "judge": judge, "triage": triage}
        path.write_text(TEXT.format(**ports, **tables, domain=domain, host=host))
        opened = House(path, ports, dns, stack)
        stop, ready = asyncio.Event(), asyncio.Event()

        def is_ready(rooms: Rooms) -> None:
            opened.rooms = rooms
            opened.attempts = stack.enter_context(rooms.store.bus.subscribe(DeliveryAttempted))
            ready.set()

        async with asyncio.TaskGroup() as group:
            server = group.create_task(app.serve(load(path, {}), stop, is_ready))
            waiting = asyncio.ensure_future(ready.wait())
            await asyncio.wait([server, waiting], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not server.done():
                await add_users(opened.rooms, domain)
                try:
                    yield opened
                finally:
                    stop.set()


async def add_users(rooms: Rooms, domain: str) -> None:
    context = rooms.context(frozenset({"admin"}))
    for name in ("alice", "bob"):
        if rooms.store.accounts.by_address(f"{name}@{domain}") is None:
            await registry.run("user_add", {"address": f"{name}@{domain}", "password": PASSWORD}, context)


@pytest.fixture
async def gk(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as opened:
        yield opened


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def stranger_tls(tmp_path: Path) -> Callable[[str], ssl.SSLContext]:
    """A server's context with a certificate for a name, signed by itself; its PEM file is `<name>.pem`."""

    def context(name: str) -> ssl.SSLContext:
        chain, key = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
        make(chain, key, [name])
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(chain, key)
        return made

    return context
