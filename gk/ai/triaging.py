"""Judges delivered messages soon after their delivery and keeps what it finds: a few in a thread, many in a process.

While messages are delivered it rests between batches for as long as it worked, so deliveries have most of the writer.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from gk import metrics
from gk.ai.elsewhere import Elsewhere
from gk.ai.judged import READ, Judged, judge
from gk.ai.signals.linear import model
from gk.ai.signals.routing import Known, fitting
from gk.config import TriageRoute
from gk.errors import GkError
from gk.store.content import Content
from gk.store.db import Store
from gk.store.packed import unpacked
from gk.store.triages import Result, Route
from gk.store.values import FLAGGED, SEEN, Flags

log = logging.getLogger(__name__)

FEW, MANY = 8, 64  # messages of a batch in a thread, and how many must wait for the process to be asked
MOST, OCTETS = 256, 16 << 20  # messages of one batch of the process, and octets that are read for it
AT_ONCE = 16  # messages that are read side by side
REST = 1.0  # seconds of rest for each of work while messages are delivered
QUIET = 30.0  # seconds without a message after which the process ends
COUNTED = 1.0  # seconds between two looks at how many wait
IMPORTANT = 2  # the last priority of mail that is important
PAUSE = 1.0  # seconds after a fault of the store


@dataclass(frozen=True, slots=True)
class _Batch:
    """Messages, and the contents of those that could be read."""

    messages: Sequence[int]
    contents: dict[int, Content]

    def close(self) -> None:
        for content in self.contents.values():
            content.close()


class Triaging:
    """The one who judges; `marking`: results become keywords; `routes` say where mail goes."""

    name = "triage"

    def __init__(self, store: Store, *, marking: bool, routes: Sequence[TriageRoute] = ()) -> None:
        self._store, self._marking, self._routes = store, marking, routes
        self._elsewhere = Elsewhere()
        self._counted = 0.0

    async def run(self, ready: asyncio.Event) -> None:
        await asyncio.to_thread(model)  # the weights are read before anybody waits for the event loop
        ready.set()
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(QUIET if self._elsewhere.pid else None):
                        await self._store.triages.some()
                    await self._work()
                    continue
                await self._elsewhere.end()
        finally:
            await self._elsewhere.end()

    async def _work(self) -> None:
        try:
            while messages := self._store.triages.open(MOST):
                if len(messages) >= MANY:
                    await self._many(messages)
                else:
                    await self._few(messages[:FEW])
        except GkError as error:  # the disk is full or the store read-only: the messages stay where they are
            log.warning("event=triage_put_off reason=%s", error)
            await asyncio.sleep(PAUSE)
            self._store.triages.delivered()
        self._count(last=True)

    def _count(self, *, last: bool = False) -> None:
        now = time.monotonic()
        if last or now - self._counted >= COUNTED:
            self._counted = now
            metrics.triage_waiting.set(self._store.triages.waiting())

    async def _few(self, messages: Sequence[int]) -> None:
        began = self._begun()
        batch = await self._read(messages)
        try:
            found = await self._judged(batch, many=False)
        finally:
            batch.close()
        await self._store.triages.keep(self._results(batch, found))
        await self._rest(began)

    async def _many(self, messages: Sequence[int]) -> None:
        """Judge in the process until none is left; the results before are kept and the next are read meanwhile."""
        kept: list[Result] = []
        batch = await self._read(messages)
        while batch.messages:
            began = self._begun()
            behind = self._store.triages.open(MOST, batch.messages[-1])
            done = await asyncio.gather(
                self._judged(batch, many=True), self._store.triages.keep(kept), self._read(behind),
                return_exceptions=True,
            )  # fmt: skip
            batch.close()
            found, failed, ahead = done
            if isinstance(ahead, BaseException) or isinstance(found, BaseException) or failed is not None:
                if isinstance(ahead, _Batch):
                    ahead.close()
                raise next(one for one in done if isinstance(one, BaseException))
            kept, batch = self._results(batch, found), ahead
            await self._rest(began)
        await self._store.triages.keep(kept)

    def _begun(self) -> float:
        self._store.triages.news = False
        return time.monotonic()

    async def _rest(self, began: float) -> None:
        self._count()
        if self._store.triages.news:
            await asyncio.sleep(REST * (time.monotonic() - began))

    async def _read(self, messages: Sequence[int]) -> "_Batch":
        """The contents of as many of the messages as may be read at once."""
        contents: dict[int, Content] = {}
        size = start = 0
        while start < len(messages) and size < OCTETS:
            part = messages[start : start + AT_ONCE]
            for message, content in zip(part, await asyncio.gather(*map(self._content, part)), strict=True):
                if content is not None:
                    contents[message] = content
                    size += min(content.size, READ)
            start += AT_ONCE
        return _Batch(messages[:start], contents)

    def _results(self, batch: "_Batch", found: Sequence[Judged | None]) -> list[Result]:
        judged = dict(zip(batch.contents, found, strict=True))
        return [self._result(message, judged.get(message)) for message in batch.messages]

    async def _content(self, message: int) -> Content | None:
        """The content of a message; None where there is none, or it cannot be read: it stays unjudged."""
        try:
            return await self._store.mailboxes.content_of(message)
        except GkError as error:  # it keeps no other from being judged
            log.warning("event=triage_unreadable message=%d reason=%s", message, error)
            return None

    async def _judged(self, batch: "_Batch", *, many: bool) -> list[Judged | None]:
        contents = list(batch.contents.values())
        if many:
            raws = await asyncio.to_thread(lambda: [content.read(0, READ) for content in contents])
            found = await self._elsewhere.judge(raws)
            if found is not None:
                return found
        return await asyncio.to_thread(lambda: [_judge(content) for content in contents])

    def _result(self, message: int, found: Judged | None) -> Result:
        if found is None:
            return Result(message)
        metrics.triaged.labels(found.category).inc()
        metrics.triage_seconds.observe(found.seconds)
        keywords = found.keywords if self._marking else frozenset()
        return Result(
            message, found.content, keywords, found.category, found.urgency, "$gk-reply" in found.keywords,
            self._led(found.content) if self._routes else (),
        )  # fmt: skip

    def _led(self, content: bytes) -> tuple[Route, ...]:
        """The routes that fit what was found."""
        found = unpacked(content) or {}
        known = Known(
            found["category"], found["urgency"], found["sentiment"], found["language"], found["notification"],
            found["needs_response"],
        )  # fmt: skip
        return tuple(map(_route, fitting(known, self._routes)))


def _route(route: TriageRoute) -> Route:
    """A route of gk.toml as the store follows it."""
    words = frozenset(flag for flag in route.flags if flag not in _SYSTEM)
    if route.priority <= IMPORTANT:
        words |= {"$Important"}  # RFC 8457
    system = sum(_SYSTEM.get(flag, 0) for flag in {*route.flags})
    users = frozenset(user.lower() for user in route.users)
    return Route(route.name, users, route.folder, Flags(system, words), route.priority)


_SYSTEM = {"\\Flagged": FLAGGED, "\\Seen": SEEN}


def _judge(content: Content) -> Judged | None:
    try:
        return judge(content.read(0, READ))
    except Exception as error:  # the one net under a message: the others are judged all the same
        log.error("event=triage_failed error=%s", type(error).__name__)
        return None
