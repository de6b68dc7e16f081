"""The attackers' clients: they say whatever they are told, from any loopback address, and read whole answers."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.server import PASSWORD, Running
from tests.smtp.conftest import Client as Smtp

PATIENCE = 30.0
LIMIT = 1 << 27
_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")

__all__ = ["Imap", "Smtp", "imap", "smtp", "trusting"]


def trusting() -> ssl.SSLContext:
    """TLS that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Imap:
    """A raw IMAP client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._count = 0

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def response(self) -> bytes:
        """One response with its literals; b"" at the end of the connection."""
        pieces: list[bytes] = []
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    line = await self.reader.readline()
                    pieces.append(line)
                    literal = _LITERAL.search(line, max(0, len(line) - 24))
                    if literal is None:
                        return b"".join(pieces)
                    pieces.append(await self.reader.readexactly(int(literal[1])))
            except (OSError, asyncio.IncompleteReadError):
                return b""

    async def until(self, tag: bytes) -> list[bytes]:
        """All responses up to the tagged one, or up to the end of the connection."""
        responses = []
        while True:
            responses.append(await self.response())
            if not responses[-1] or responses[-1].startswith(tag + b" "):
                return responses

    async def command(self, text: str | bytes) -> list[bytes]:
        """Send a command; its responses, the tagged one last."""
        self._count += 1
        tag = b"t%d" % self._count
        self.send(tag + b" " + (text.encode() if isinstance(text, str) else text) + b"\r\n")
        return await self.until(tag)

    async def say(self, text: str | bytes) -> str:
        """Send a command; its tagged answer without the tag, "" at the end of the connection."""
        return (await self.command(text))[-1].partition(b" ")[2].decode("utf-8", "replace").strip()

    async def ok(self, text: str | bytes) -> list[bytes]:
        """Send a command that must succeed; its untagged responses."""
        responses = await self.command(text)
        assert b" OK" in responses[-1][:10], responses[-1]
        return responses[:-1]

    async def append(self, message: bytes, box: str = "INBOX") -> str:
        """Its answer."""
        return await self.say(b"APPEND %b {%d+}\r\n%b" % (box.encode(), len(message), message))

    async def rest(self) -> bytes:
        """Everything to the end of the connection."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except OSError:
                return b""


@asynccontextmanager
async def smtp(
    server: Running, role: str = "mx", *, source: str = "127.0.0.1", hello: bool = True
) -> AsyncIterator[Smtp]:
    """A connection to one of the SMTP doors, greeted unless told otherwise."""
    tls = trusting() if role == "submissions" else None
    client = Smtp(
        *await asyncio.open_connection("127.0.0.1", server.ports[role], ssl=tls, local_addr=(source, 0), limit=LIMIT)
    )
    try:
        if hello:
            assert (await client.reply()).startswith("220 ")
            await client.hello()
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def imap(
    server: Running, user: str = "", box: str = "", *, door: str = "starttls", source: str = "127.0.0.1"
) -> AsyncIterator[Imap]:
    """An IMAP connection, logged in as `user@example.test` if there is one, with `box` selected if there is one."""
    tls = trusting() if door == "tls" else None
    client = Imap(
        *await asyncio.open_connection("127.0.0.1", server.ports[door], ssl=tls, local_addr=(source, 0), limit=LIMIT)
    )
    try:
        assert (await client.response()).startswith(b"* OK")
        if user:
            await client.ok(f"LOGIN {user}@example.test {PASSWORD}")
        if box:
            await client.ok(f"SELECT {box}")
        yield client
    finally:
        client.writer.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await client.writer.wait_closed()
        except (OSError, ssl.SSLError):
            pass  # the server was faster
