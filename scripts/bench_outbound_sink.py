"""The other side of scripts/bench_outbound.py: a fast mail exchanger for many domains, and their DNS."""

import asyncio
import multiprocessing
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP)]

from tests.strangers import zone  # noqa: E402

DEAD = "dead.test"  # a domain whose server does not answer


def address(number: int) -> str:
    """Where the exchanger of domain d<number>.test listens."""
    return f"127.0.1.{number % 250 + 1}"


@dataclass(frozen=True)
class Seen:
    """What the sink took so far, the most sessions at once since it was asked last, and the CPU seconds of it all."""

    messages: int
    octets: int
    sessions: int
    most: int
    cpu: float


class Session(asyncio.Protocol):
    """A session of an exchanger that takes everything."""

    messages = octets = sessions = open = most = 0
    latency = 0.0
    pipelining = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        Session.sessions += 1
        Session.open += 1
        Session.most = max(Session.most, Session.open)
        self._transport, self._buffer, self._content = transport, b"", False
        self._say(b"220 sink ESMTP\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        Session.open -= 1

    def _say(self, reply: bytes) -> None:
        if self.latency:
            asyncio.get_running_loop().call_later(self.latency, self._transport.write, reply)
        else:
            self._transport.write(reply)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        out = []
        while self._buffer:
            if self._content:
                end = self._buffer.find(b"\r\n.\r\n")
                if end < 0:
                    break
                Session.octets += end
                self._buffer, self._content = self._buffer[end + 5 :], False
                Session.messages += 1
                out.append(b"250 2.0.0 kept\r\n")
                continue
            line, found, rest = self._buffer.partition(b"\r\n")
            if not found:
                break
            self._buffer = rest
            match line[:4].upper():
                case b"EHLO":
                    extensions = b"250-PIPELINING\r\n" if self.pipelining else b""
                    out.append(b"250-sink\r\n" + extensions + b"250-8BITMIME\r\n250 SIZE 100000000\r\n")
                case b"DATA":
                    self._content = True
                    out.append(b"354 go\r\n")
                case b"QUIT":
                    out.append(b"221 bye\r\n")
                case _:
                    out.append(b"250 ok\r\n")
        if out:
            self._say(b"".join(out))


class Sink:
    """The process, asked over a pipe; `dns` is the port of its DNS on 127.0.0.1."""

    def __init__(self, port: int, domains: int, latency: float, *, pipelining: bool) -> None:
        self._door, there = multiprocessing.Pipe()
        arguments = (there, port, domains, latency, pipelining)
        self._process = multiprocessing.Process(target=_run, args=arguments, daemon=True)
        self._process.start()
        self.dns: int = self._door.recv()

    def seen(self) -> Seen:
        self._door.send(None)
        found = self._door.recv()
        assert isinstance(found, Seen)
        return found

    def close(self) -> None:
        self._process.terminate()


def _run(door: Connection, *arguments: object) -> None:
    asyncio.run(_serve(door, *arguments))  # type: ignore[arg-type]


async def _serve(door: Connection, port: int, domains: int, latency: float, pipelining: bool) -> None:
    Session.latency, Session.pipelining = latency, pipelining
    loop = asyncio.get_running_loop()
    async with zone() as dns:
        for number in range(domains):
            dns.domain(f"d{number}.test", address(number))
        dns.domain(DEAD, "127.0.2.1")
        await loop.create_server(Session, [address(n) for n in range(min(domains, 250))], port)
        door.send(dns.port)
        while True:
            await asyncio.to_thread(door.recv)
            seen = Session.messages, Session.octets, Session.sessions, Session.most
            Session.most = Session.open
            door.send(Seen(*seen, time.process_time()))
