"""A client that wants nothing but its own mail and keeps measuring how long it waits for it.

A process of its own, so that the attackers' work is not in its figures: `python -m tests.attacks.watch MX IMAP USER`.
For each line on standard input it writes the longest waits since the last one, in seconds, as a line of JSON.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.server import PASSWORD, Running

HOME = "127.99.0.1"  # where it connects from: no attacker shares its limits
EVERY = 0.01  # seconds between two questions
PATIENCE = 30.0
MESSAGE = b"From: watch@example.org\r\nSubject: small\r\n\r\nsmall\r\n.\r\n"


@dataclass(frozen=True, slots=True)
class Waits:
    """The longest waits of a while, in seconds, and how many there were."""

    noop: float
    delivery: float
    count: int


class Watch:
    """The observer's process as the tests see it."""

    def __init__(self, server: Running, user: str) -> None:
        ports = [str(server.ports[door]) for door in ("mx", "starttls")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.attacks.watch", *ports, user],
            cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.waits()  # once it is at work

    def waits(self) -> Waits:
        """The longest waits since the last call."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the observer was refused, or waited too long"
        return Waits(**json.loads(line))

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def watching(server: Running, user: str = "bob@example.test") -> Iterator[Watch]:
    """An observer for as long as the block."""
    watch = Watch(server, user)
    try:
        yield watch
    finally:
        watch.close()


# -- the process


async def main(mx: int, imap: int, user: str) -> None:
    """Watch until standard input ends."""
    noop, delivery = _Series(), _Series()
    async with asyncio.TaskGroup() as group:
        work = [group.create_task(_noops(imap, user, noop)), group.create_task(_deliveries(mx, user, delivery))]
        stdin = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
        while await stdin.readline():
            await noop.turn()
            await delivery.turn()
            print(json.dumps({"noop": noop.take(), "delivery": delivery.take(), "count": noop.count}), flush=True)
        for task in work:
            task.cancel()


class _Series:
    """Waits of one kind."""

    def __init__(self) -> None:
        self.count, self._worst = 0, 0.0
        self._turned = asyncio.Condition()

    async def measure(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            begun = time.perf_counter()
            async with asyncio.timeout(PATIENCE):
                await work()
            self._worst = max(self._worst, time.perf_counter() - begun)
            self.count += 1
            async with self._turned:
                self._turned.notify_all()
            await asyncio.sleep(EVERY)

    async def turn(self) -> None:
        """Once the work in hand is done."""
        async with self._turned:
            await self._turned.wait()

    def take(self) -> float:
        worst, self._worst = self._worst, 0.0
        return worst


async def _noops(port: int, user: str, series: _Series) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(HOME, 0))

    async def command(text: str) -> None:
        writer.write(f"w {text}\r\n".encode())
        while not (line := await reader.readline()).startswith(b"w "):
            assert line, "the connection ended"
        assert line.startswith(b"w OK"), line

    await command(f"LOGIN {user} {PASSWORD}")
    await series.measure(lambda: command("NOOP"))


async def _deliveries(port: int, user: str, series: _Series) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(HOME, 0))

    async def say(line: bytes, ok: bytes = b"2") -> None:
        writer.write(line)
        while (reply := await reader.readline())[3:4] == b"-":
            pass
        assert reply.startswith(ok), reply

    async def deliver() -> None:
        await say(b"MAIL FROM:<watch@example.org>\r\n")
        await say(f"RCPT TO:<{user}>\r\n".encode())
        await say(b"DATA\r\n", b"354")
        await say(MESSAGE)

    assert (await reader.readline()).startswith(b"220")
    await say(b"EHLO watch.example.org\r\n")
    await series.measure(deliver)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
