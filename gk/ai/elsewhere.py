"""Where messages are judged while many wait: in a process of its own, on another core.

It is started with the first batch and ended by `end`. One that dies or does not answer costs nothing but time: its
batch is judged in a thread.
"""

import asyncio
import contextlib
import logging
import struct
import sys
from collections.abc import Sequence

from gk.ai.judged import Judged
from gk.service import child_environment

log = logging.getLogger(__name__)

CHILD = "gk.ai.child"
PATIENCE = 30.0  # seconds for a batch, a start included
LARGEST = 1 << 20  # octets of one answer
LARGE = 16 << 10  # octets of a message behind which the pipe is waited for
ASKED = struct.Struct(">I")  # octets of the message, or END
END = 0xFFFF_FFFF  # of a batch: all answers are wanted now
ANSWERED = struct.Struct(">HId")  # octets of category, urgency and keywords, of what is kept; seconds


class Elsewhere:
    """One process, while there is one; asked by one caller at a time."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id, while there is one."""
        return self._process.pid if self._process else None

    async def judge(self, raws: Sequence[bytes]) -> list[Judged | None] | None:
        """What `judge` gives for each message, None for one it stumbled over; None for all where it cannot be asked."""
        try:
            async with asyncio.timeout(PATIENCE):
                process = self._process = self._process or await asyncio.create_subprocess_exec(
                    sys.executable, "-m", CHILD,
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=child_environment(),
                )  # fmt: skip
                assert process.stdin is not None and process.stdout is not None
                # Both at once: neither end may wait for the other with its pipe full.
                _, found = await asyncio.gather(_ask(process.stdin, raws), _answers(process.stdout, len(raws)))
                return found
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            log.warning("event=triage_process_lost error=%s", type(error).__name__)
            await self.end()
            return None

    async def end(self) -> None:
        """End the process, if there is one; it holds nothing that could be lost."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _ask(pipe: asyncio.StreamWriter, raws: Sequence[bytes]) -> None:
    for raw in raws:
        pipe.write(ASKED.pack(len(raw)) + raw)
        if len(raw) > LARGE:
            await pipe.drain()
    pipe.write(ASKED.pack(END))
    await pipe.drain()


async def _answers(pipe: asyncio.StreamReader, count: int) -> list[Judged | None]:
    found = []
    for _ in range(count):
        words, length, seconds = ANSWERED.unpack(await pipe.readexactly(ANSWERED.size))
        if length > LARGEST:
            raise ValueError("that is no answer")
        told, content = await pipe.readexactly(words), await pipe.readexactly(length)
        category, urgency, *keywords = told.decode("ascii").split(" ") if content else ("", "")
        found.append(Judged(category, urgency, frozenset(keywords), content, seconds) if content else None)
    return found


def answer(found: Judged | None) -> bytes:
    """The answer to one message."""
    if found is None:
        return ANSWERED.pack(0, 0, 0.0)
    words = " ".join([found.category, found.urgency, *sorted(found.keywords)]).encode("ascii")
    return ANSWERED.pack(len(words), len(found.content), found.seconds) + words + found.content
