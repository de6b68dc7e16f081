"""Where messages are looked at: in a thread while there are few, in a process of its own while many come at once.

Looking takes up to a millisecond of CPU, more than all the rest of a small message: a process takes it to another core.
It is started when messages wait for each other and ended when none came for a while. One that dies costs nothing but
time: what it had in hand is looked at in a thread.
"""

import asyncio
import contextlib
import json
import logging
import struct
import sys
from array import array
from collections import deque
from collections.abc import Iterator, Mapping

from gk.inbound.spam.rule import Around, Hit
from gk.inbound.spam.scan import Scan, scan
from gk.service import child_environment

log = logging.getLogger(__name__)

CROWD = 2  # messages in threads beyond which a process is started
WAITING = 256  # messages in the process; further ones go to threads
QUIET = 30.0  # seconds without a message after which it ends
PATIENCE = 20.0  # seconds for an answer
LARGEST = 4 << 20  # octets of one
CHILD = "gk.inbound.spam.child"
ASKED = struct.Struct(">cI")  # what it is, LOOK or KNOW, and its octets
ANSWERED = struct.Struct(">III")  # octets of the JSON, of the signs, of what they stand for
LOOK, KNOW = b"L", b"K"


class _Process:
    """One process and what it has in hand, in the order of the answers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.pending: deque[asyncio.Future[Scan]] = deque()
        self.known: tuple[Around, Mapping[str, float]] | None = None
        self.reading: asyncio.Task[None] | None = None


class Scanner:
    """Looks at messages; `run` ends its process."""

    name = "junk-scanner"

    def __init__(self) -> None:
        self._child: _Process | None = None
        self._starting = asyncio.Lock()
        self._in_threads = 0
        self._used = asyncio.Event()
        self._last = 0.0  # when, by the loop's clock

    @property
    def pid(self) -> int | None:
        """The process id of the child, while there is one."""
        return self._child.process.pid if self._child else None

    async def run(self, ready: asyncio.Event) -> None:
        ready.set()
        now = asyncio.get_running_loop().time
        try:
            while True:
                await self._used.wait()
                self._used.clear()
                while (left := self._last + QUIET - now()) > 0:  # noqa: ASYNC110 - no event: each message would wake it
                    await asyncio.sleep(left)
                await self._end(self._child)
        finally:
            await self._end(self._child)

    async def scan(self, raw: bytes, around: Around, weights: Mapping[str, float]) -> Scan:
        """What `gk.inbound.spam.scan` finds."""
        if self._child is not None or self._in_threads >= CROWD:
            found = await self._elsewhere(raw, around, weights)
            if found is not None:
                return found
        self._in_threads += 1
        try:
            return await asyncio.to_thread(scan, raw, around, weights)
        finally:
            self._in_threads -= 1

    async def _elsewhere(self, raw: bytes, around: Around, weights: Mapping[str, float]) -> Scan | None:
        """The same by the process; None where it cannot."""
        child = self._child or await self._begin()
        if child is None or len(child.pending) >= WAITING:
            return None
        assert child.process.stdin is not None
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Scan] = loop.create_future()
        child.pending.append(answer)
        self._last = loop.time()
        self._used.set()
        if child.known is None or child.known[0] is not around or child.known[1] is not weights:
            child.known = around, weights
            self._say(child, KNOW, _plain(around, weights))
        self._say(child, LOOK, raw)
        timer = loop.call_later(PATIENCE, _fail, answer, TimeoutError())
        try:
            return await answer
        except (TimeoutError, _Lost) as error:
            log.warning("event=scanner_lost error=%s", type(error).__name__)
            await self._end(child)
            return None
        finally:
            timer.cancel()

    def _say(self, child: _Process, kind: bytes, content: bytes) -> None:
        assert child.process.stdin is not None
        child.process.stdin.write(ASKED.pack(kind, len(content)) + content)  # at once: each write wakes the process

    async def _begin(self) -> _Process | None:
        async with self._starting:
            if self._child is None:
                try:
                    process = await asyncio.create_subprocess_exec(
                        sys.executable, "-m", CHILD,
                        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=child_environment(),
                    )  # fmt: skip
                except OSError as error:
                    log.warning("event=scanner_not_started error=%s", type(error).__name__)
                    return None
                child = self._child = _Process(process)
                child.reading = asyncio.create_task(self._read(child), name="junk-scanner answers")
            return self._child

    async def _read(self, child: _Process) -> None:
        """Hand out the answers until there are no more."""
        assert child.process.stdout is not None
        read = child.process.stdout.readexactly
        try:
            while True:
                text, signs, words = ANSWERED.unpack(await read(ANSWERED.size))
                if text + signs + words > LARGEST:
                    raise _Lost
                plain = await read(text + signs + words)
                found = read_answer(plain[:text], plain[text : text + signs], plain[text + signs :])
                answer = child.pending.popleft()
                if not answer.done():
                    answer.set_result(found)
        except (asyncio.IncompleteReadError, OSError, ValueError, KeyError, TypeError, IndexError, _Lost):
            pass  # it ended, or does not answer as it should
        finally:
            if self._child is child:
                self._child = None
            for answer in child.pending:
                _fail(answer, _Lost())
            child.pending.clear()

    async def _end(self, child: _Process | None) -> None:
        if child is None:
            return
        if self._child is child:
            self._child = None
        assert child.process.stdin is not None and child.reading is not None
        child.process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            child.process.kill()  # it holds nothing that could be lost
        child.reading.cancel()
        await asyncio.gather(child.reading, return_exceptions=True)
        await child.process.wait()


class _Lost(Exception):
    """The process ended, or does not answer as it should."""


def _fail(answer: asyncio.Future[Scan], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()  # whoever waits hears it; if nobody does, nobody is to


def _plain(around: Around, weights: Mapping[str, float]) -> bytes:
    known = {
        "domains": sorted(around.domains), "users": sorted(around.users), "dangerous": sorted(around.dangerous),
        "weights": dict(weights),
    }  # fmt: skip
    return json.dumps(known).encode()


def read_known(content: bytes) -> tuple[Around, Mapping[str, float]]:
    """What KNOW says."""
    known = json.loads(content)
    around = Around(frozenset(known["domains"]), frozenset(known["users"]), frozenset(known["dangerous"]))
    return around, known["weights"]


class _Told(Mapping[int, str]):
    """Signs as they came: what they stand for is taken apart when somebody asks, which few messages make anybody do."""

    def __init__(self, numbers: "array[int]", words: str) -> None:
        self._numbers, self._words = numbers, words
        self._told: dict[int, str] | None = None

    def __getitem__(self, sign: int) -> str:
        if self._told is None:
            self._told = dict(zip(self._numbers, self._words.split("\n"), strict=True))
        return self._told[sign]

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def answer(found: Scan) -> bytes:
    """A scan as an answer."""
    hits = [[hit.rule, hit.points, hit.text, hit.where] for hit in found.hits]
    text = json.dumps([hits, found.author]).encode()
    signs, words = array("I", found.signs).tobytes(), "\n".join(found.signs.values()).encode("utf-8", "replace")
    return ANSWERED.pack(len(text), len(signs), len(words)) + text + signs + words


def read_answer(text: bytes, signs: bytes, words: bytes) -> Scan:
    """And back. Raises ValueError for what is none."""
    hits, author = json.loads(text)
    numbers = array("I")
    numbers.frombytes(signs)
    told = words.decode()
    if len(numbers) != (told.count("\n") + 1 if numbers else 0):
        raise ValueError("signs without words")
    return Scan(
        tuple(Hit(rule, points, said, tuple(where) if where else None) for rule, points, said, where in hits),
        _Told(numbers, told),
        author,
    )
