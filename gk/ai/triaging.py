"""Judges delivered messages soon after their delivery and keeps what it finds: a few in a thread, many in a process.

While more wait it rests between batches for as long as it worked, so deliveries have most of the writer.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence

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

FEW, MANY = 8, 64  # messages of a batch in a thread, and of one in the process, which is asked where so many wait
REST = 1.0  # seconds of rest for each of work while messages wait
QUIET = 30.0  # seconds without a message after which the process ends
COUNTED = 1.0  # seconds between two looks at how many wait
IMPORTANT = 2  # the last priority of mail that is important
PAUSE = 1.0  # seconds after a fault of the store


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
            while messages := self._store.triages.open(MANY):
                began = time.monotonic()
                many = len(messages) == MANY
                batch = messages if many else messages[:FEW]
                await self._batch(batch, many)
                self._count()
                if len(messages) > FEW:
                    await asyncio.sleep(REST * (time.monotonic() - began))
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

    async def _batch(self, messages: Sequence[int], many: bool) -> None:
        contents: dict[int, Content] = {}
        try:
            for message in messages:
                try:
                    content = await self._store.mailboxes.content_of(message)
                except GkError as error:  # it stays unjudged, and keeps no other from being judged
                    log.warning("event=triage_unreadable message=%d reason=%s", message, error)
                    continue
                if content is not None:
                    contents[message] = content
            found = await self._judged(list(contents.values()), many)
        finally:
            for content in contents.values():
                content.close()
        judged = dict(zip(contents, found, strict=True))
        await self._store.triages.keep([self._result(message, judged.get(message)) for message in messages])

    async def _judged(self, contents: Sequence[Content], many: bool) -> list[Judged | None]:
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
