"""The strangers a server meets: mail exchangers that play a part, and a DNS that says what a test wants."""

import asyncio
import contextlib
import dataclasses
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

PATIENCE = 10.0  # seconds a test waits for what it expects


class Drop(Exception):
    """The exchanger closes the connection."""


async def drop(session: "MxSession") -> None:
    """Close without a word."""
    raise Drop


async def hang(session: "MxSession") -> None:
    """Say nothing until the client gives up."""
    await session.reader.read()
    raise Drop


def slowly(reply: bytes, pause: float) -> Callable[["MxSession"], Awaitable[None]]:
    """Say it byte by byte."""

    async def say(session: "MxSession") -> None:
        for byte in reply:
            session.writer.write(bytes([byte]))
            await asyncio.sleep(pause)
        await session.writer.drain()

    return say


Reply = bytes | Callable[["MxSession"], Awaitable[object]]

GREETING = {
    "banner": b"220 mx.stranger.test ESMTP\r\n",
    "HELO": b"250 mx.stranger.test\r\n",
    "STARTTLS": b"220 2.0.0 go ahead\r\n",
    "AUTH": b"235 2.7.0 welcome\r\n",
    "MAIL": b"250 2.1.0 ok\r\n",
    "RCPT": b"250 2.1.5 ok\r\n",
    "DATA": b"354 go ahead\r\n",
    "end": b"250 2.0.0 kept\r\n",
    "RSET": b"250 2.0.0 ok\r\n",
    "QUIT": b"221 2.0.0 bye\r\n",
}


@dataclasses.dataclass
class Received:
    """One message as the exchanger got it."""

    mail: str
    rcpt: list[str]
    content: bytes
    tls: str | None
    helo: str


class Mx:
    """A mail exchanger. `replies` by step: banner, EHLO, …, DATA, end (of the message); a list is used up in order."""

    def __init__(
        self,
        replies: dict[str, Reply | list[Reply]] | None = None,
        *,
        extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SIZE 100000000", "ENHANCEDSTATUSCODES"),
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
    ) -> None:
        self.replies: dict[str, Reply | list[Reply]] = {**GREETING, **(replies or {})}
        self.extensions, self.tls, self.implicit = extensions, tls, implicit
        self.inbox: asyncio.Queue[Received] = asyncio.Queue()
        self.kept: list[Received] = []
        self.lines: list[str] = []
        self.sessions = self.open = self.most = 0
        self._idle = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def message(self) -> Received:
        """The next message that arrives."""
        return await asyncio.wait_for(self.inbox.get(), PATIENCE)

    async def idle(self) -> None:
        """Once every client that came has gone."""
        await asyncio.wait_for(self._idle.wait(), PATIENCE)

    @asynccontextmanager
    async def serve(self, host: str, port: int, sock: socket.socket | None = None) -> AsyncIterator["Mx"]:
        """At host:port, or on a socket that listens already."""

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self._session(reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        tls, limit = self.tls if self.implicit else None, 1 << 26
        if sock is None:
            server = await asyncio.start_server(connected, host, port, limit=limit, ssl=tls)
        else:
            server = await asyncio.start_server(connected, sock=sock, limit=limit, ssl=tls)
        try:
            yield self
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        self.open += 1
        self._idle.clear()
        self.most = max(self.most, self.open)
        try:
            await MxSession(self, reader, writer).run()
        except (Drop, OSError, EOFError):
            pass
        finally:
            self.open -= 1
            if not self.open:
                self._idle.set()
            writer.close()
            with contextlib.suppress(OSError):
                await asyncio.wait_for(writer.wait_closed(), 1)


class MxSession:
    """One connection to an exchanger."""

    def __init__(self, mx: Mx, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.mx, self.reader, self.writer = mx, reader, writer
        self.secure = mx.implicit
        self.mail, self.helo = "", ""
        self.rcpt: list[str] = []

    async def run(self) -> None:
        await self.play("banner")
        while line := (await self.reader.readline()).decode():
            self.mx.lines.append(line.rstrip("\r\n"))
            verb = line.split(" ")[0].strip().upper()
            if verb == "EHLO" and "EHLO" not in self.mx.replies:
                self.helo = line[5:].strip()
                await self.ehlo()
                continue
            reply = await self.play(verb)
            match verb:
                case "STARTTLS" if reply.startswith(b"220") and self.mx.tls:
                    await self.writer.start_tls(self.mx.tls)
                    self.secure = True
                case "MAIL" if not reply.startswith((b"4", b"5")):
                    self.mail, self.rcpt = line.strip()[len("MAIL FROM:") :], []
                case "RCPT" if reply.startswith(b"2"):
                    self.rcpt.append(line.strip()[len("RCPT TO:") :])
                case "RSET":
                    self.mail, self.rcpt = "", []
                case "DATA" if reply.startswith(b"354"):
                    await self.content()
                case "QUIT":
                    raise Drop

    async def ehlo(self) -> None:
        words = ["mx.stranger.test", *self.mx.extensions]
        if self.mx.tls and not self.secure:
            words.append("STARTTLS")
        lines = [b"250-" + word.encode() + b"\r\n" for word in words]
        self.writer.write(b"".join(lines[:-1]) + lines[-1].replace(b"250-", b"250 "))
        await self.writer.drain()

    async def content(self) -> None:
        raw = await self.reader.readexactly(3)
        raw = raw if raw == b".\r\n" else raw + await self.reader.readuntil(b"\r\n.\r\n")
        if not self.mail:
            self.writer.write(b"554 5.5.1 no message was begun\r\n")
            return
        lines = raw[: -len(b".\r\n")].split(b"\r\n")
        content = b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)
        object_ = self.writer.get_extra_info("ssl_object")
        received = Received(self.mail, self.rcpt, content, object_.version() if object_ else None, self.helo)
        reply = await self.play("end")
        self.rcpt = []
        if reply.startswith(b"2"):
            self.mx.kept.append(received)
            self.mx.inbox.put_nowait(received)

    async def play(self, step: str) -> bytes:
        """Say the reply of a step; what was said, as far as it is known."""
        reply = self.mx.replies.get(step, b"500 5.5.1 what?\r\n")
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        if isinstance(reply, bytes):
            self.writer.write(reply)
            await self.writer.drain()
            return reply
        said = await reply(self)
        return said if isinstance(said, bytes) else b""


class Zone(asyncio.DatagramProtocol):
    """An authoritative server for everything: names it does not know do not exist. It knows what another one knows."""

    def __init__(self, like: "Zone | None" = None) -> None:
        self._records: dict[str, dict[str, list[str]]] = like._records if like else {}
        self.faults: dict[str, str] = {}  # name → servfail, silent, truncated
        self.signed: set[str] = set()  # domains whose answers are marked as validated (DNSSEC)
        self.asked: list[tuple[str, str]] = []
        self.authority = False  # whether what is not there is said with an SOA record, and so may be remembered
        self.port = 0

    def add(self, name: str, kind: str, *values: str) -> None:
        self._records.setdefault(name, {}).setdefault(kind, []).extend(values)

    def domain(self, name: str, *hosts: str) -> None:
        """A domain whose mail servers have these addresses, best first."""
        for preference, address in enumerate(hosts):
            self.add(name, "MX", f"{10 * (preference + 1)} mx{preference}.{name}.")
            self.add(f"mx{preference}.{name}", "AAAA" if ":" in address else "A", address)

    def _chase(self, name: str, kind: str) -> list[tuple[str, str]]:
        """The (name, type) of the records that answer, aliases first."""
        found = []
        while "CNAME" in self._records.get(name, {}) and len(found) < 30:
            found.append((name, "CNAME"))
            name = self._records[name]["CNAME"][0].rstrip(".")
        return found + ([(name, kind)] if kind in self._records.get(name, {}) else [])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        if any(name == domain or name.endswith(f".{domain}") for domain in self.signed):
            response.flags |= dns.flags.AD
        match self.faults.get(name):
            case "silent":
                return
            case "servfail":
                response.set_rcode(dns.rcode.SERVFAIL)
            case _ if name not in self._records:
                response.set_rcode(dns.rcode.NXDOMAIN)
            case _:
                for found, value in self._chase(name, kind):
                    values = self._records[found][value]
                    response.answer.append(dns.rrset.from_text(found + ".", 60, "IN", value, *values))
        if self.authority and not response.answer:
            response.authority.append(dns.rrset.from_text("test.", 60, "IN", "SOA", "ns.test. x.test. 1 60 60 60 60"))
        self._transport.sendto(response.to_wire(max_size=65535), source)


@asynccontextmanager
async def zone() -> AsyncIterator[Zone]:
    """A DNS on a free loopback port."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(Zone, local_addr=("127.0.0.1", 0))
    protocol.port = transport.get_extra_info("sockname")[1]
    try:
        yield protocol
    finally:
        transport.close()


def free_port(*hosts: str) -> int:
    """A port free on all of these addresses, below those the kernel gives to clients."""
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(10_000, 32_000)
        sockets: list[socket.socket] = []
        try:
            for host in hosts or ("127.0.0.1",):
                sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
                sockets.append(sock)
                sock.bind((host, port))
            return port
        except OSError:
            continue
        finally:
            for sock in sockets:
                sock.close()
