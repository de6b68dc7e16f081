"""A client for tests: sends bytes, gives lines back, counts tags."""

import asyncio
import re
import ssl
from typing import ClassVar

PATIENCE = 20.0
_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")


class Client:
    """One connection; `command` returns all responses of a command, literals in them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._count = 0
        self.opened.append(self)

    @classmethod
    async def connect(cls, port: int, tls: ssl.SSLContext | None = None, source: str = "127.0.0.1") -> "Client":
        address = (source, 0)
        client = cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, limit=1 << 24, local_addr=address))
        client.greeting = await client.response()
        return client

    @classmethod
    async def login(cls, port: int, user: str = "alice", box: str = "") -> "Client":
        client = await cls.connect(port)
        await client.ok(f"LOGIN {user}@example.test demo-password")
        if box:
            await client.ok(f"SELECT {box}")
        return client

    greeting = b""
    opened: ClassVar[list["Client"]] = []

    @classmethod
    async def close_all(cls) -> None:
        """Close whatever a test left open."""
        while cls.opened:
            await cls.opened.pop().close()

    async def line(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readline()

    async def response(self) -> bytes:
        """One response with its literals; b"" at the end of the connection."""
        out = await self.line()
        while literal := _LITERAL.search(out):
            async with asyncio.timeout(PATIENCE):
                out += await self.reader.readexactly(int(literal[1]))
            out += await self.line()
        return out

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def command(self, text: str | bytes) -> list[bytes]:
        """Send a command and return its responses, the tagged one last."""
        self._count += 1
        tag = b"t%d" % self._count
        self.send(tag + b" " + (text.encode() if isinstance(text, str) else text) + b"\r\n")
        return await self.until(tag)

    async def until(self, tag: bytes) -> list[bytes]:
        responses = []
        while True:
            response = await self.response()
            responses.append(response)
            if not response or response.startswith(tag + b" "):
                return responses

    async def ok(self, text: str | bytes) -> list[bytes]:
        responses = await self.command(text)
        assert b" OK" in responses[-1][:10], responses[-1]
        return responses[:-1]

    async def append(self, message: bytes, box: str = "INBOX", flags: str = "") -> None:
        await self.ok(f"APPEND {box} {flags + ' ' if flags else ''}{{{len(message)}+}}\r\n".encode() + message)

    async def rest(self) -> bytes:
        """Everything to the end of the connection."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        if self in self.opened:
            self.opened.remove(self)
        try:
            async with asyncio.timeout(PATIENCE):
                await self.writer.wait_closed()
        except (OSError, ssl.SSLError):
            pass  # the server was faster


def message(subject: str, size: int = 0) -> bytes:
    head = f"From: Ann <ann@example.org>\r\nSubject: {subject}\r\nMessage-ID: <{subject}@example.org>\r\n\r\n".encode()
    return head + b"x" * 76 * (size // 78) + b"\r\n" if size < 1000 else head + (b"x" * 76 + b"\r\n") * (size // 78)
