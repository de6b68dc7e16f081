"""A DNS that is a dictionary, and a watch on how long the event loop stands still."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gk.net.dns import DnsFailed, NoSuchName


class Table:
    """Records by name and type: TXT as octets, MX as pairs, the others as text; `failing` names do not answer."""

    def __init__(self, records: dict[str, dict[str, list[Any]]] | None = None) -> None:
        self.names: dict[str, dict[str, list[Any]]] = records or {}
        self.failing: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    def add(self, name: str, kind: str, *values: Any) -> None:
        self.names.setdefault(name.lower(), {}).setdefault(kind, []).extend(values)

    def txt(self, name: str, text: str | bytes) -> None:
        self.add(name, "TXT", text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))

    def _find(self, name: str, kind: str) -> list[Any]:
        name = name.rstrip(".").lower()
        self.asked.append((name, kind))
        if name in self.failing:
            raise DnsFailed(name)
        if name not in self.names:
            raise NoSuchName(name)
        return self.names[name].get(kind, [])

    async def texts(self, name: str) -> list[bytes]:
        return self._find(name, "TXT")

    async def records(self, name: str, kind: str) -> list[str]:
        return self._find(name, kind)

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        return self._find(domain, "MX")

    async def addresses(self, host: str) -> list[str]:
        return self._find(host, "AAAA") + self._find(host, "A")


class Lag:
    """The longest time the loop did nothing else, in seconds."""

    longest = 0.0


@contextmanager
def watched() -> Iterator[Lag]:
    """Watch the running loop during a block."""
    lag = Lag()

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            lag.longest = max(lag.longest, time.perf_counter() - before - 0.001)

    task = asyncio.ensure_future(watch())
    try:
        yield lag
    finally:
        task.cancel()
