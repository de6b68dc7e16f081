"""Judges delivered messages soon after their delivery, a few at a time in a thread, and keeps what it finds.

While more wait it rests between batches for longer than it worked, so deliveries have most of the processor.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict

from gk import metrics
from gk.ai.signals.linear import model
from gk.ai.triage import Triage, triage
from gk.ai.view import view
from gk.errors import GkError
from gk.store.content import Content
from gk.store.db import Store
from gk.store.triages import Result, packed

log = logging.getLogger(__name__)

AT_ONCE = 16  # messages of one batch, and of one commit
READ = 1 << 20  # octets of a message that are looked at; its text stands at the beginning
REST = 2.0  # seconds of rest for each of work while messages wait
PAUSE = 1.0  # seconds after a fault of the store


def judged(content: Content) -> Triage:
    """What a stored message is about; blocks, so call it in a thread."""
    return triage(view(content.read(0, READ)))


def keywords(found: Triage) -> frozenset[str]:
    """The IMAP keywords that tell a result."""
    words = {f"$gk-{found.category}"}
    if found.urgency in ("high", "critical"):
        words.add("$gk-urgent")
    if found.needs_response:
        words.add("$gk-reply")
    if found.notification:
        words.add("$gk-notification")
    return frozenset(words)


class Triaging:
    """The one who judges; `marking`: results become keywords."""

    name = "triage"

    def __init__(self, store: Store, *, marking: bool) -> None:
        self._store, self._marking = store, marking

    async def run(self, ready: asyncio.Event) -> None:
        await asyncio.to_thread(model)  # the weights are read before anybody waits for the event loop
        ready.set()
        while True:
            await self._store.triages.some()
            try:
                while messages := self._store.triages.open(AT_ONCE):
                    began = time.monotonic()
                    await self._batch(messages)
                    metrics.triage_waiting.set(self._store.triages.waiting())
                    if len(messages) == AT_ONCE:
                        await asyncio.sleep(REST * (time.monotonic() - began))
            except GkError as error:  # the disk is full or the store read-only: the messages stay where they are
                log.warning("event=triage_put_off reason=%s", error)
                await asyncio.sleep(PAUSE)
                self._store.triages.delivered()

    async def _batch(self, messages: Sequence[int]) -> None:
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
            found = await asyncio.to_thread(self._results, contents)
        finally:
            for content in contents.values():
                content.close()
        await self._store.triages.keep([found.get(message, Result(message)) for message in messages])

    def _results(self, contents: dict[int, Content]) -> dict[int, Result]:
        found = {}
        for message, content in contents.items():
            began = time.perf_counter()
            try:
                known = judged(content)
                packet = packed(asdict(known))
            except Exception:  # the one net under a message: the others are judged all the same
                log.exception("event=triage_failed message=%d", message)
                continue
            found[message] = Result(message, packet, keywords(known) if self._marking else frozenset())
            metrics.triaged.labels(known.category).inc()
            metrics.triage_seconds.observe(time.perf_counter() - began)
        return found
