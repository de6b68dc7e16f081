"""The event bus: news goes up, past tense, never awaited.

`publish` never blocks and never fails. A subscriber that falls behind loses the oldest events and finds
`lagged` set: it re-reads the store, which is the truth.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from gk.events import Event

E = TypeVar("E", bound=Event)
PENDING = 10_000  # events kept per subscriber; a slower one re-reads the store


class Subscription(Generic[E]):
    """The events of the wanted types since the last look, oldest first."""

    def __init__(self, types: tuple[type[E], ...]) -> None:
        self.types = types
        self.lagged = False
        self._events: deque[E] = deque(maxlen=PENDING)
        self._wake = asyncio.Event()

    def _offer(self, event: E) -> None:
        self.lagged |= len(self._events) == PENDING
        self._events.append(event)
        self._wake.set()

    def drain(self) -> list[E]:
        """All waiting events, without waiting."""
        events = list(self._events)
        self._events.clear()
        self._wake.clear()
        return events

    async def wait(self) -> None:
        """Return once there is at least one event."""
        await self._wake.wait()

    def __aiter__(self) -> AsyncIterator[E]:
        return self

    async def __anext__(self) -> E:
        while not self._events:
            self._wake.clear()
            await self._wake.wait()
        return self._events.popleft()


class Bus:
    """Hands each published event to every subscriber of its type."""

    def __init__(self) -> None:
        self._by_type: dict[type, list[Subscription]] = {}  # type: ignore[type-arg]

    def publish(self, event: Event) -> None:
        for subscription in self._by_type.get(type(event), ()):
            subscription._offer(event)

    @contextmanager
    def subscribe(self, *types: type[E]) -> Iterator[Subscription[E]]:
        subscription = Subscription(types)
        for kind in types:
            self._by_type.setdefault(kind, []).append(subscription)
        try:
            yield subscription
        finally:
            for kind in types:
                self._by_type[kind].remove(subscription)
