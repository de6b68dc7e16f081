"""Where signatures are verified: small messages in the event loop, large ones in a process of their own.

Verifying 64 KiB takes 0.3 ms, less than a loop may stand still; a megabyte takes 2.3. One process serves all, in
the order they come; it gets the bytes of a message, or where the file is. Whatever becomes of it, the one who asked
hears: a message is tried a second time in a new process, and then its signatures are a temporary error.
"""

import asyncio
import contextlib
import json
import logging
import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from gk.mailauth import arc, dkim
from gk.mailauth.arc import Arc
from gk.mailauth.dkim import Dkim
from gk.mailauth.letter import Letter
from gk.mailauth.signature import Keys
from gk.service import child_environment

log = logging.getLogger(__name__)

IN_LOOP = 64 << 10  # octets of a message verified in the event loop
SETS = 2  # of a chain, likewise
PATIENCE, IN_ALL = 20.0, 45.0  # seconds for one message in the process (50 MB take 0.1), and with the wait for its turn
WAITING = 256  # messages that may wait for it: each holds its bytes or its file
LARGEST = 1 << 20  # octets of an answer
CHILD = "gk.mailauth.child"
FRAME = struct.Struct(">II")  # octets of the JSON, and of the message behind it

Verified = tuple[list[Dkim], Arc]


class _Broken(Exception):
    """The process ended, or does not answer as it should."""


class Verifying:
    """Verifies signatures; `run` ends its process."""

    name = "verifying"

    def __init__(self) -> None:
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    @property
    def pid(self) -> int | None:
        """The process id of the child, while there is one."""
        return self._child.pid if self._child and self._child.returncode is None else None

    async def run(self, ready: asyncio.Event) -> None:
        ready.set()  # a process is started when there is something for it
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self._end()

    async def verify(self, letter: Letter, content: bytes | Path, start: int, size: int, keys: Keys) -> Verified:
        """(signatures, chain) of a message whose header is `letter`; never raises but when cancelled."""
        if size <= IN_LOOP and len(letter.named(arc.SEAL)) <= SETS:
            return dkim.verify(letter, keys), arc.verify(letter, keys)
        if not dkim.wanted(letter) and not arc.wanted(letter):
            return dkim.verify(letter, {}), arc.verify(letter, {})  # nothing that needs the body
        if self._waiting >= WAITING:
            return unanswered(letter)
        self._waiting += 1
        try:
            async with asyncio.timeout(IN_ALL), self._turn:
                for _ in range(2):
                    try:
                        return await self._ask(content, start, size, keys)
                    except (_Broken, OSError, ValueError, KeyError, TypeError, asyncio.IncompleteReadError) as error:
                        log.warning("event=verifier_lost error=%s", type(error).__name__)
                        await self._end()
            return unanswered(letter)
        except TimeoutError:
            return unanswered(letter)
        finally:
            self._waiting -= 1

    async def _ask(self, content: bytes | Path, start: int, size: int, keys: Keys) -> Verified:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", CHILD,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=child_environment(),
            )  # fmt: skip
        assert self._child.stdin is not None and self._child.stdout is not None
        body = content if isinstance(content, bytes) else b""
        path = None if isinstance(content, bytes) else str(content.absolute())
        known = {name: None if record is None else record.decode("latin-1") for name, record in keys.items()}
        asked = json.dumps({"path": path, "start": start, "size": size, "keys": known}).encode()
        try:
            async with asyncio.timeout(PATIENCE):
                self._child.stdin.write(FRAME.pack(len(asked), len(body)) + asked)
                self._child.stdin.write(body)
                await self._child.stdin.drain()
                (length,) = struct.unpack(">I", await self._child.stdout.readexactly(4))
                if length > LARGEST:
                    raise _Broken
                return read_answer(json.loads(await self._child.stdout.readexactly(length)))
        except TimeoutError:
            raise _Broken from None
        except asyncio.CancelledError:  # its answer must not be taken for the next one's
            self._child.kill()
            raise

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        with contextlib.suppress(OSError):
            child.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            child.kill()  # it holds nothing that could be lost
        await child.wait()
        with contextlib.suppress(OSError):
            await child.stdin.wait_closed()


def unanswered(letter: Letter) -> Verified:
    """What is said of signatures nobody could verify."""
    why = "could not be verified now"
    signatures = [replace(one, result="temperror", reason=why) for one in dkim.verify(letter, {})]
    chain = arc.verify(letter, {})
    return signatures, chain if chain.result == "none" else Arc("temperror", reason=why)


def answer(found: Verified) -> dict[str, Any]:
    """Results as plain values."""
    signatures, chain = found
    return {
        "dkim": [[s.result, s.domain, s.selector, s.algorithm, s.beginning, s.reason, *s.where] for s in signatures],
        "arc": [
            chain.result, list(chain.sealers), [r.decode("latin-1") for r in chain.reported], chain.reason, chain.where
        ],
    }  # fmt: skip


def read_answer(plain: dict[str, Any]) -> Verified:
    """And back."""
    signatures = [Dkim(r, d, s, a, b, why, (at, length)) for r, d, s, a, b, why, at, length in plain["dkim"]]
    result, sealers, reported, reason, where = plain["arc"]
    octets = tuple(text.encode("latin-1") for text in reported)
    return signatures, Arc(result, tuple(sealers), octets, reason, (where[0], where[1]) if where else None)
