"""Learns what users say about messages, one after the other, and keeps the base all have in common at hand."""

import asyncio
import logging
import re

from gk import metrics
from gk.errors import GkError
from gk.inbound.spam.bayes import Base
from gk.inbound.spam.scan import READ
from gk.inbound.spam.seen import see
from gk.inbound.spam.signs import signs
from gk.store.db import Store
from gk.store.lessons import BASE, Lesson

log = logging.getLogger(__name__)

AT_ONCE = 20  # lessons read at once
PAUSE = 1.0  # seconds after a fault of the store
_OURS = re.compile(rb"^Received:.*\r\n(?:[ \t].*\r\n)*", re.MULTILINE | re.IGNORECASE)


class Learner:
    """The one who listens; `base` is what it knows for all."""

    name = "junk-learner"

    def __init__(self, store: Store) -> None:
        self._store = store
        self._base = Base()

    def base(self) -> Base:
        """What all accounts have in common."""
        return self._base

    async def run(self, ready: asyncio.Event) -> None:
        await self.load()
        ready.set()
        while True:
            await self._store.lessons.some()
            totals = self._store.lessons.totals(BASE)
            if (totals.junk, totals.wanted) != (self._base.junk, self._base.wanted):
                await self.load()
            try:
                while lessons := self._store.lessons.open(AT_ONCE):
                    for lesson in lessons:
                        await self._learn(lesson)
            except GkError as error:  # the disk is full or the store read-only: the lessons stay where they are
                log.warning("event=learning_put_off reason=%s", error)
                await asyncio.sleep(PAUSE)

    async def load(self) -> None:
        """Read the base."""
        rows, totals = self._store.lessons.base()
        self._base = await asyncio.to_thread(Base, rows, totals.junk, totals.wanted)

    async def _learn(self, lesson: Lesson) -> None:
        content = await self._store.mailboxes.content_of(lesson.message)
        if content is None:
            await self._store.lessons.skip(lesson)
            return
        try:
            raw = content.read(0, READ)
        finally:
            content.close()
        found = await asyncio.to_thread(signs_of, as_it_came(raw))
        if await self._store.lessons.learn(lesson, found):
            metrics.lessons.labels("junk" if lesson.junk else "wanted").inc()


def signs_of(raw: bytes) -> tuple[int, ...]:
    """The signs of a message."""
    return tuple(signs(see(raw)))


def as_it_came(raw: bytes) -> bytes:
    """A stored message without what was put above it here: through the first Received, where Return-Path begins it."""
    if raw[:12].lower() != b"return-path:":
        return raw
    found = _OURS.search(raw)
    return raw[found.end() :] if found else raw
