"""What the server does by the hour: counters of the metrics, kept as rows, so that a restart forgets nothing."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gk import metrics
from gk.config.triage import CATEGORIES
from gk.errors import Unavailable

if TYPE_CHECKING:
    from gk.store.db import Store

log = logging.getLogger(__name__)

PERIOD = 60.0  # seconds
TRIAGED = "triaged_"  # and a category: so much of the mail that was judged

# What is counted: a counter of the metrics and the values of one of its labels ((): all of it).
KINDS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "received": ("gk_messages_delivered_total", "door", ()),
    "refused": ("gk_refused_total", "protocol", ("smtp",)),
    "junk": ("gk_scored_total", "action", ("junk",)),
    "sent": ("gk_delivery_attempts_total", "outcome", ("sent",)),
    "deferred": ("gk_delivery_attempts_total", "outcome", ("deferred",)),
    "failed": ("gk_delivery_attempts_total", "outcome", ("failed",)),
    "triaged": ("gk_triaged_total", "category", ()),
    "answers": ("gk_replies_total", "outcome", ("draft", "send")),
    "model_calls": ("gk_model_calls_total", "outcome", ("answered",)),
    "model_failures": ("gk_model_calls_total", "outcome", ("failed",)),
    "model_seconds": ("gk_model_seconds_sum", "", ()),
    "logins_refused": ("gk_logins_total", "outcome", ("delayed", "failed")),
    **{f"{TRIAGED}{name}": ("gk_triaged_total", "category", (name,)) for name in CATEGORIES},
}


def counted() -> dict[str, float]:
    """All kinds since the start of the process."""
    totals = dict.fromkeys(KINDS, 0.0)
    for family in metrics.REGISTRY.collect():
        for sample in family.samples:
            for kind, (name, label, values) in KINDS.items():
                if sample.name == name and (not values or sample.labels.get(label) in values):
                    totals[kind] += sample.value
    return totals


class Activity:
    """A service that adds what was done since it last looked."""

    name = "activity"

    def __init__(self, store: "Store", clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._before = counted()  # tests run several servers in a process; a server begins where it begins

    async def run(self, ready: asyncio.Event) -> None:
        ready.set()
        try:
            while True:
                await asyncio.sleep(PERIOD)
                await self.note()
        finally:
            await asyncio.shield(self.note())

    async def note(self) -> None:
        """Add it to this hour's rows; what cannot be written is added later."""
        now = counted()
        news = {kind: now[kind] - self._before[kind] for kind in KINDS if now[kind] > self._before[kind]}
        if not news:
            return
        try:
            await self._store.activity.add(self._clock(), news)
        except Unavailable as error:
            log.warning("event=activity_put_off reason=%s", error)
        else:
            self._before = now
