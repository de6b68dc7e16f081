"""A server that speaks as OpenAI's does, or does not: a script of what it says to each call."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

Write = Callable[[bytes], Awaitable[None]]
Play = Callable[["Endpoint", dict[str, Any], Write], Awaitable[None]]


def said(content: Any, **more: Any) -> bytes:
    """The body of an answer with this content."""
    text = content if isinstance(content, str) else json.dumps(content)
    message = {"role": "assistant", "content": text} | more
    return json.dumps({"choices": [{"message": message}], "usage": {"total_tokens": 42}}).encode()


def http(status: int, body: bytes, **fields: str) -> bytes:
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body


def answers(status: int, body: bytes, **fields: str) -> Play:
    async def play(endpoint: "Endpoint", asked: dict[str, Any], write: Write) -> None:
        await write(http(status, body, **fields))

    return play


def streamed(*deltas: dict[str, Any] | bytes, over: bool = True, status: int = 200) -> Play:
    """A stream of chunks with these deltas, its end, and a count of tokens; bytes are sent as they are."""
    events = [d if isinstance(d, bytes) else _event({"choices": [{"index": 0, "delta": d}]}) for d in deltas]
    if over:
        events.append(_event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        events.append(_event({"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 12}}))
        events.append(b"data: [DONE]\n\n")

    async def play(endpoint: "Endpoint", asked: dict[str, Any], write: Write) -> None:
        await write(f"HTTP/1.1 {status} x\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n".encode())
        for event in events:
            await write(event)

    return play


def _event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


class Endpoint:
    """What was asked of it; `play` answers."""

    def __init__(self, play: Play) -> None:
        self.play, self.asked, self.headers = play, [], []  # type: ignore[var-annotated]
        self.url = ""
        self.over = asyncio.Event()

    async def session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lengths = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            self.headers.append(head.decode())
            body = await reader.readexactly(lengths[0]) if lengths else b"{}"
            asked = json.loads(body)
            self.asked.append(asked)

            async def write(data: bytes) -> None:
                writer.write(data)
                await writer.drain()

            await self.play(self, asked, write)
        except (OSError, asyncio.IncompleteReadError):
            pass  # it was left
        finally:
            writer.close()


@asynccontextmanager
async def endpoint(play: Play) -> AsyncIterator[Endpoint]:
    opened = Endpoint(play)
    server = await asyncio.start_server(opened.session, "127.0.0.1", 0)
    opened.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield opened
    finally:
        opened.over.set()
        server.close()
        await server.wait_closed()


async def silent(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
    """Takes the question and says nothing."""
    await opened.over.wait()


async def dribbles(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
    """Answers an octet at a time, and far too slowly."""
    await write(b"HTTP/1.1 200 x\r\nContent-Length: 100000\r\n\r\n")
    while not opened.over.is_set():
        await write(b" ")
        await asyncio.sleep(0.05)


async def endless(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
    """Never comes to an end."""
    await write(b"HTTP/1.1 200 x\r\nContent-Type: text/event-stream\r\n\r\n")
    while True:
        await write(b"data: " + b"x" * 65536 + b"\n\n")


async def closes(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
    """Goes away in the middle of its answer."""
    await write(b"HTTP/1.1 200 x\r\nContent-Length: 100\r\n\r\n{")
