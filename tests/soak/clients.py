"""Clients at full speed: SMTP in, submission, APPEND, and one that flags, moves and expunges; each keeps the ledger."""

import asyncio
import base64
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.server import PASSWORD, Running
from tests.soak.ledger import Ledger

USER = "alice@example.test"
LARGE = 300 << 10
_KEY = re.compile(rb"Message-ID: <([^>]+)@soak>")


class Refused(Exception):
    """The server said no, or try again."""


@dataclass
class Wire:
    """Lines to and from a server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    tag: "itertools.count[int]" = field(default_factory=itertools.count)

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int) -> "AsyncIterator[Wire]":
        wire = cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 24))
        try:
            await wire.reader.readline()
            yield wire
        finally:
            wire.writer.close()

    async def smtp(self, line: bytes, *, ok: bytes = b"2") -> bytes:
        self.writer.write(line + b"\r\n")
        while True:
            reply = await self.reader.readline()
            if not reply:
                raise ConnectionResetError
            if reply[3:4] != b"-":
                break
        if not reply.startswith(ok):
            raise Refused(reply.decode())
        return reply

    async def imap(self, command: bytes) -> bytes:
        tag = b"t%d" % next(self.tag)
        self.writer.write(tag + b" " + command + b"\r\n")
        seen = b""
        while True:
            line = await self.reader.readline()
            if not line:
                raise ConnectionResetError
            seen += line
            if literal := re.search(rb"\{(\d+)\}\r\n$", line):
                seen += await self.reader.readexactly(int(literal[1]))
            if line.startswith(tag):
                if not line.startswith(tag + b" OK"):
                    raise Refused(line.decode())
                return seen

    async def login(self) -> None:
        await self.imap(f"LOGIN {USER} {PASSWORD}".encode())

    async def append(self, box: bytes, content: bytes) -> bytes:
        return await self.imap(b"APPEND %b {%d+}\r\n%b" % (box, len(content), content))


def message(key: str, number: int) -> bytes:
    body = b"0123456789abcdef\r\n" * (LARGE // 18 if number % 17 == 0 else 20)
    head = f"From: {USER}\r\nTo: {USER}\r\nSubject: {key}\r\nMessage-ID: <{key}@soak>\r\n\r\n"
    return head.encode() + body


async def deliver(server: Running, ledger: Ledger, name: str, *, submission: bool) -> None:
    """Messages by SMTP, one after another."""
    async with Wire.open(server.ports["submission" if submission else "mx"]) as wire:
        await wire.smtp(b"EHLO soak.example.org")
        if submission:
            await wire.smtp(b"AUTH PLAIN " + base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()))
        for number in itertools.count():
            key = f"{name}-{number}"
            await wire.smtp(f"MAIL FROM:<{USER}>".encode())
            await wire.smtp(f"RCPT TO:<{USER}>".encode())
            await wire.smtp(b"DATA", ok=b"354")
            ledger.trying(key, "kept")
            await wire.smtp(message(key, number) + b".")
            ledger.told(key, "kept")


async def append(server: Running, ledger: Ledger, name: str) -> None:
    """Messages by APPEND, one after another."""
    async with Wire.open(server.ports["starttls"]) as wire:
        await wire.login()
        for number in itertools.count():
            key = f"{name}-{number}"
            ledger.trying(key, "kept")
            await wire.append(b"INBOX", message(key, number))
            ledger.told(key, "kept")


async def handle(server: Running, ledger: Ledger, name: str) -> None:
    """Each message is appended to Work, flagged, moved to Done, and every other one expunged."""
    async with Wire.open(server.ports["starttls"]) as wire:
        await wire.login()
        for number in itertools.count():
            key = f"{name}-{number}"
            ledger.trying(key, "kept")
            uid = re.search(rb"APPENDUID \d+ (\d+)", await wire.append(b"Work", message(key, number)))[1]  # type: ignore[index]
            ledger.told(key, "kept")
            await wire.imap(b"SELECT Work")
            ledger.trying(key, "flagged")
            await wire.imap(rb"UID STORE %b +FLAGS.SILENT (\Flagged $soak)" % uid)
            ledger.told(key, "flagged")
            ledger.trying(key, "moved")
            moved = await wire.imap(b"UID MOVE %b Done" % uid)
            ledger.told(key, "moved")
            if number % 2:
                uid = re.search(rb"COPYUID \d+ \d+ (\d+)", moved)[1]  # type: ignore[index]
                await wire.imap(b"SELECT Done")
                ledger.trying(key, "gone")
                await wire.imap(rb"UID STORE %b +FLAGS.SILENT (\Deleted)" % uid)
                await wire.imap(b"UID EXPUNGE %b" % uid)
                ledger.told(key, "gone")


async def run_until_cut(server: Running, ledger: Ledger, name: str) -> None:
    """All clients until their connections end."""
    work = [deliver(server, ledger, f"{name}-smtp{i}", submission=False) for i in range(3)]
    work += [deliver(server, ledger, f"{name}-sub", submission=True)]
    work += [append(server, ledger, f"{name}-append{i}") for i in range(2)]
    work += [handle(server, ledger, f"{name}-handle")]
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if not isinstance(result, OSError | asyncio.IncompleteReadError | Refused):
            raise AssertionError(f"a client failed: {result!r}")


@dataclass
class Seen:
    """What is on the server: keys with their steps, and of each mailbox its validity and the key of every uid."""

    steps: dict[str, list[str]] = field(default_factory=dict)
    validity: dict[str, int] = field(default_factory=dict)
    uids: dict[tuple[str, int], str] = field(default_factory=dict)


async def look(server: Running) -> Seen:
    """Read everything by IMAP."""
    seen = Seen()
    async with Wire.open(server.ports["starttls"]) as wire:
        await wire.login()
        for box in ("INBOX", "Work", "Done"):
            selected = await wire.imap(f"EXAMINE {box}".encode())
            seen.validity[box] = int(re.search(rb"UIDVALIDITY (\d+)", selected)[1])  # type: ignore[index]
            if b"* 0 EXISTS" in selected:
                continue
            answer = await wire.imap(b"UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
            for part in answer.split(b" FETCH (")[1:]:
                if not (found := _KEY.search(part)):
                    continue
                key = found[1].decode()
                uid = int(re.search(rb"UID (\d+)", part)[1])  # type: ignore[index]
                step = "moved" if box == "Done" else "flagged" if b"$soak" in part else "kept"
                seen.steps.setdefault(key, []).append(step)
                seen.uids[box, uid] = key
    return seen
