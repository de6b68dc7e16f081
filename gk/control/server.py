"""JSON lines over a Unix socket: `{"action", "arguments"}` in, `{"progress"}` and `{"result"}` or `{"error"}` out.

`"attached": n` in a request says that n bytes follow its line; a line `{"content": n}` of an answer, too.
"""

import asyncio
import json
import logging
import os
import socket
import struct
from pathlib import Path
from typing import Any

from gk.actions import registry
from gk.actions.context import Attached, Context, Rooms
from gk.errors import ConfigError, GkError, Unavailable

log = logging.getLogger(__name__)

LINE = 1 << 20  # bytes of a request
AT_ONCE = 16  # connections
WAIT = 60.0  # seconds for a request to arrive, or an answer to be taken
SCOPES = frozenset({"admin"})
PIECE = 64 << 10  # bytes of an attachment read at once


class _Gone(Exception):
    """Whoever asked is not there any more."""


class _Attachment:
    """What follows a request, read as far as its length."""

    def __init__(self, reader: asyncio.StreamReader, length: int) -> None:
        self._reader, self._left = reader, length

    async def take(self, length: int) -> bytes:
        try:
            async with asyncio.timeout(WAIT):
                piece = await self._reader.read(min(length, self._left))
        except OSError:
            raise _Gone from None
        if not piece and length and self._left:
            raise _Gone
        self._left -= len(piece)
        return piece

    async def rest(self) -> None:
        """Read what the action did not: what is left unread would take the answer with it."""
        while self._left:
            await self.take(PIECE)


class ControlServer:
    """A service on `gk.sock` in the data directory."""

    name = "control"

    def __init__(self, path: Path, rooms: Rooms) -> None:
        self._path, self._rooms = path, rooms
        self._open = 0

    async def run(self, ready: asyncio.Event) -> None:
        self._path.unlink(missing_ok=True)  # the lock says that nobody else serves it
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            os.fchmod(door.fileno(), 0o600)  # before it has a name
            door.bind(str(self._path))
            self._path.chmod(0o600)
        except OSError as error:
            door.close()
            raise ConfigError(f"{self._path}: {error.strerror or error}; choose a shorter data path") from None
        async with asyncio.TaskGroup() as calls:
            server = await asyncio.start_unix_server(
                lambda reader, writer: calls.create_task(self._serve(reader, writer), name=self.name),
                sock=door,
                limit=LINE,
            )
            try:
                ready.set()
                await asyncio.Event().wait()
            finally:
                server.close()
                self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            answer = await self._answer(reader, writer)
            if answer is not None:
                writer.write(json.dumps(answer).encode() + b"\n")
                async with asyncio.timeout(WAIT):
                    await writer.drain()
        except OSError:
            pass  # whoever asked is gone
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> dict[str, Any] | None:
        """The last line to say; nothing to somebody who said nothing."""
        if not _allowed(writer):
            return _error("refused", "only the user gk runs as, or root, may do that")
        if self._open > AT_ONCE:
            return _error("unavailable", "too many commands at once, try again")
        async with asyncio.timeout(WAIT):
            try:
                line = await reader.readline()
            except ValueError:
                await _discard(reader)
                return _error("refused", f"a request is longer than {LINE} bytes")
        if not line:
            return None

        def progress(done: int, total: int) -> None:
            writer.write(json.dumps({"progress": [done, total]}).encode() + b"\n")

        try:
            request = json.loads(line)
            name, arguments = str(request["action"]), dict(request.get("arguments", {}))
            length = request.get("attached", 0)
            if type(length) is not int or length < 0:
                raise ValueError("a length")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return _error("refused", "not a request")
        attachment = _Attachment(reader, length)

        async def give(content: bytes) -> None:
            try:
                writer.write(json.dumps({"content": len(content)}).encode() + b"\n" + content)
                async with asyncio.timeout(WAIT):
                    await writer.drain()
            except OSError:
                raise _Gone from None

        context = self._rooms.context(SCOPES, progress, Attached(attachment.take, give))
        try:
            answer = await self._run(name, arguments, context)
            await attachment.rest()
        except _Gone:
            return None
        return answer

    async def _run(self, name: str, arguments: dict[str, Any], context: Context) -> dict[str, Any]:
        try:
            return {"result": await registry.run(name, arguments, context)}
        except _Gone:
            raise
        except ConfigError as error:
            return _error("config", str(error))
        except Unavailable as error:
            return _error("unavailable", str(error))
        except GkError as error:
            return _error("refused", str(error))
        except Exception as error:  # the one net under a call
            log.exception("event=action_failed action=%s", name)
            return _error("failed", f"{name} failed: {type(error).__name__}; the server's log says more")


async def _discard(reader: asyncio.StreamReader) -> None:
    """Read the rest of a line, within reason: what is left unread would take the answer with it."""
    for _ in range(64):
        piece = await reader.read(LINE)
        if not piece or piece.endswith(b"\n"):
            return


def _error(kind: str, text: str) -> dict[str, Any]:
    return {"error": {"kind": kind, "text": text}}


def _allowed(writer: asyncio.StreamWriter) -> bool:
    """The same user, or root, by the kernel's word (unix(7), SO_PEERCRED)."""
    peer = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", peer)
    return uid in (0, os.getuid())
