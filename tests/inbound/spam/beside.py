"""Small servers that speak as clamd and rspamd do."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gk.inbound.incoming import Incoming, Message
from gk.inbound.trace import Client
from gk.message.address import parse_address

VIRUS = b"X5O!P%@AP-this-is-not-a-virus-but-stands-for-one"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LETTER = Message(b"Return-Path: <>\r\nSubject: hello\r\n\r\nWords.\r\n", above=17)
CAME = LETTER.content[17:] if isinstance(LETTER.content, bytes) else b""


def incoming(sender: str = "eve@example.org") -> Incoming:
    client = Client("mx.example.org", "192.0.2.1", True, None, False)
    to = [(parse_address(f"{name}@example.test"), []) for name in ("alice", "bob")]
    return Incoming("id1", client, parse_address(sender) if sender else None, False, to)


@asynccontextmanager
async def serving(talk: Talk, path: str = "") -> AsyncIterator[str]:
    """The address of a server whose connections are `talk`; at a Unix socket where a path is given."""
    async with asyncio.TaskGroup() as group:

        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await talk(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        def began(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.append(group.create_task(one(reader, writer)))

        tasks: list[asyncio.Task[None]] = []
        if path:
            server = await asyncio.start_unix_server(began, path)
        else:
            server = await asyncio.start_server(began, "127.0.0.1", 0)
        try:
            yield path or f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in tasks:
                task.cancel()


@dataclass
class FakeClamd:
    """Answers INSTREAM: VIRUS is found, everything else is OK; more than `limit` octets are too many."""

    limit: int = 1 << 30
    seen: list[bytes] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(10) == b"zINSTREAM\0"
        content = b""
        while length := int.from_bytes(await reader.readexactly(4), "big"):
            if len(content) + length > self.limit:
                writer.write(b"INSTREAM size limit exceeded. ERROR\0")
                await writer.drain()
                return  # and what else comes is not read
            content += await reader.readexactly(length)
        self.seen.append(content)
        writer.write(b"stream: Eicar-Signature FOUND\0" if VIRUS in content else b"stream: OK\0")
        await writer.drain()


@dataclass
class FakeRspamd:
    """Answers /checkv2 with a score, and keeps what it was asked."""

    score: float = 6.4
    status: str = "200 OK"
    seen: list[tuple[list[str], bytes]] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        (length,) = [int(line[16:]) for line in head if line.startswith("Content-Length: ")]
        self.seen.append((head, await reader.readexactly(length)))
        body = json.dumps(answer(self.score)).encode()
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()


def answer(score: float) -> dict[str, Any]:
    """As rspamd 3 words it."""
    return {
        "is_skipped": False, "score": score, "required_score": 15.0, "action": "add header",
        "symbols": {
            "BAYES_SPAM": {"name": "BAYES_SPAM", "score": 5.1, "metric_score": 5.1, "options": ["100%"]},
            "R_SPF_FAIL": {"name": "R_SPF_FAIL", "score": 1.0},
            "ARC_NA": {"name": "ARC_NA", "score": 0.0},
        },
        "messages": {}, "message-id": "x@y",
    }  # fmt: skip
