"""Programs beside GK that look at a message, each in its own time; what becomes of mail they do not answer about.

A program that failed several times in a row is not asked for a while: mail does not wait for what is not there.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from gk import metrics
from gk.inbound.incoming import Incoming, Message
from gk.inbound.spam.rule import Hit
from gk.store.spool import SpoolFile

log = logging.getLogger(__name__)

PIECE = 64 << 10  # octets of a message handed over at once
AT_ONCE = 16  # messages one program looks at at a time; the others wait, within their time
FAILURES, REST = 5, 30.0  # in a row, after which it is not asked for so many seconds
LATER = "451 4.7.1 The message cannot be checked now, try again later"


class NoAnswer(Exception):
    """The program said nothing that can be used; `str()` is why."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What was said about a message; with an `action` it is not taken, and `reply` is what SMTP says."""

    hits: tuple[Hit, ...] = ()
    action: Literal["", "refuse", "defer"] = ""
    reply: str = ""


class Program(Protocol):
    """One of them."""

    name: str
    seconds: float
    closed: bool  # without an answer a message is deferred
    largest: int  # octets of a message that is shown to it

    async def ask(self, incoming: Incoming, message: Message) -> Opinion:
        """Its opinion. Raises NoAnswer, OSError, EOFError."""
        ...


class Outside:
    """Asks all programs at once."""

    def __init__(self, programs: Sequence[Program] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._each = [_Asked(program, clock) for program in programs]

    @property
    def asked(self) -> bool:
        """Whether there is any."""
        return bool(self._each)

    async def ask(self, incoming: Incoming, message: Message) -> Opinion:
        """All opinions as one; never raises but when cancelled."""
        if not self._each:
            return Opinion()
        found = await asyncio.gather(*(one.ask(incoming, message) for one in self._each))
        hits = tuple(hit for one in found for hit in one.hits)
        for action in ("refuse", "defer"):
            for one in found:
                if one.action == action:
                    return Opinion(hits, one.action, one.reply)
        return Opinion(hits)


class _Asked:
    """One program, and how it did lately."""

    def __init__(self, program: Program, clock: Callable[[], float]) -> None:
        self._program, self._clock = program, clock
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._failures, self._rests_until = 0, 0.0

    async def ask(self, incoming: Incoming, message: Message) -> Opinion:
        program = self._program
        if message.size - message.above > program.largest:
            return self._said("skipped", Opinion((Hit(program.name, 0.0, "not asked: the message is too large"),)))
        if self._clock() < self._rests_until:
            return self._silent("it did not answer lately")
        try:
            async with asyncio.timeout(program.seconds), self._turns:
                opinion = await program.ask(incoming, message)
        except TimeoutError:
            return self._failed(incoming.id, f"no answer in {program.seconds:g} s")
        except (NoAnswer, OSError, EOFError) as error:
            return self._failed(incoming.id, str(error) or type(error).__name__)
        self._failures = 0
        return self._said("refused" if opinion.action else "answered", opinion)

    def _failed(self, id: str, reason: str) -> Opinion:
        self._failures += 1
        if self._failures >= FAILURES:
            self._rests_until = self._clock() + REST
        log.warning("event=scanner_failed scanner=%s id=%s reason=%r", self._program.name, id, reason)
        return self._silent(reason)

    def _silent(self, reason: str) -> Opinion:
        hits = (Hit(self._program.name, 0.0, f"no answer: {reason}"),)
        return self._said("failed", Opinion(hits, "defer", LATER) if self._program.closed else Opinion(hits))

    def _said(self, outcome: str, opinion: Opinion) -> Opinion:
        metrics.scanners.labels(self._program.name, outcome).inc()
        return opinion


def pieces(message: Message) -> Iterator[bytes]:
    """The message as it came, in pieces."""
    if isinstance(message.content, SpoolFile):
        with message.content.map() as mapped:
            for at in range(message.above, message.content.size, PIECE):
                yield mapped[at : at + PIECE]
    else:
        for at in range(message.above, len(message.content), PIECE):
            yield message.content[at : at + PIECE]
