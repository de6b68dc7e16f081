"""An IMAP server of the tests' own that is honest until it is told what to say instead."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

Said = bytes | Callable[["Peer", str, str], bytes]


@dataclass
class Peer:
    """Messages by uid, and what is said in place of the honest answer, by command: FETCH, UID SEARCH, SELECT, ...

    An answer is the octets before the tagged OK, which `tagged` replaces.
    """

    messages: dict[int, bytes] = field(default_factory=dict)
    flags: dict[int, str] = field(default_factory=dict)
    uidvalidity: int = 7
    capabilities: str = "IMAP4rev1 UIDPLUS MOVE IDLE"
    greeting: bytes = b"* OK ready\r\n"
    say: dict[str, Said] = field(default_factory=dict)
    tagged: dict[str, bytes] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    sessions: int = 0
    open: int = 0
    most: int = 0  # sessions open at once
    drop_after: str = ""  # the command in the middle of whose answer the connection ends
    port: int = 0
    uidnext: int = 1

    @asynccontextmanager
    async def serve(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Self]:
        tasks: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self._session(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            writer.write(self.greeting)
            while line := (await reader.readline()).decode().rstrip("\r\n"):
                self.heard.append(line)
                tag, _, rest = line.partition(" ")
                if rest == "IDLE":
                    writer.write(b"+ idling\r\n")
                    writer.write(self._said("IDLE", rest))
                    await reader.readline()
                    writer.write(f"{tag} OK done\r\n".encode())
                    continue
                words = rest.split(" ")
                name = " ".join(words[:2]).upper() if words[0].upper() == "UID" else words[0].upper()
                answer = self._said(name, rest)
                if self.drop_after == name:
                    writer.write(answer[: len(answer) // 2])
                    await writer.drain()
                    break
                writer.write(answer + tag.encode() + b" " + self.tagged.get(name, b"OK done") + b"\r\n")
                await writer.drain()
                if name == "LOGOUT":
                    break
        except (OSError, ValueError):
            pass  # whoever asked has gone
        finally:
            self.open -= 1
            writer.close()

    def _said(self, name: str, rest: str) -> bytes:
        said = self.say.get(name)
        if callable(said):
            return said(self, name, rest)
        return self.honest(name, rest) if said is None else said

    def honest(self, name: str, rest: str) -> bytes:
        match name:
            case "CAPABILITY":
                return f"* CAPABILITY {self.capabilities}\r\n".encode()
            case "LIST":
                return b'* LIST (\\HasNoChildren) "/" INBOX\r\n* LIST (\\Trash) "/" Trash\r\n'
            case "SELECT":
                self.uidnext = max(self.uidnext, max(self.messages, default=0) + 1)
                lines = [f"* {len(self.messages)} EXISTS", f"* OK [UIDVALIDITY {self.uidvalidity}] x"]
                return "".join(f"{line}\r\n" for line in [*lines, f"* OK [UIDNEXT {self.uidnext}] x"]).encode()
            case "UID SEARCH":
                first = int(found[1]) if (found := re.search(r"UID (\d+):", rest)) else 0
                return b"* SEARCH " + b" ".join(b"%d" % uid for uid in self.messages if uid >= first) + b"\r\n"
            case "UID FETCH":
                return b"".join(self.fetched(uid, rest) for uid in self.uids(rest.split(" ")[2]))
            case _:
                return b""

    def uids(self, text: str) -> list[int]:
        wanted = set()
        for part in text.split(","):
            first, _, last = part.partition(":")
            wanted |= set(range(int(first), int(last or first) + 1))
        return sorted(wanted & self.messages.keys())

    def fetched(self, uid: int, rest: str, content: bytes | None = None, size: int | None = None) -> bytes:
        """The honest answer about one message, or one with another content or size."""
        content = self.messages[uid] if content is None else content
        out = b"* %d FETCH (UID %d FLAGS (%s)" % (uid, uid, self.flags.get(uid, "").encode())
        if "RFC822.SIZE" in rest:
            head = content[: content.find(b"\r\n\r\n") + 4]
            out += b' INTERNALDATE "01-Feb-2026 12:00:00 +0000" RFC822.SIZE %d' % (
                len(content) if size is None else size
            )
            out += b" BODY[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)] {%d}\r\n" % len(head) + head
        elif part := re.search(r"BODY\.PEEK\[\]<(\d+)\.(\d+)>", rest):
            start, length = int(part[1]), int(part[2])
            piece = content[start : start + length]
            out += b" BODY[]<%d> {%d}\r\n" % (start, len(piece)) + piece
        elif "BODY" in rest:
            out += b" BODY[] {%d}\r\n" % len(content) + content
        return out + b")\r\n"
