"""What rules and scripts may ask about: the clock, mailboxes, ids seen before, and how a message was judged."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from gk import __version__
from gk.inbound.trace import Client
from gk.inbound.verdict import Verdict
from gk.sieve.words.places import OURS
from gk.store.db import Store


def environment(hostname: str, client: Client, verdict: Verdict) -> Mapping[str, str]:
    """The items of RFC 5183 §4, and ours: the verdict, its score and the results of the methods behind it."""
    items = {
        "domain": hostname.partition(".")[2],
        "host": hostname,
        "location": "MDA",
        "phase": "during",
        "name": "GK",
        "version": __version__,
        "remote-host": client.helo,
        "remote-ip": client.address,
        OURS + "verdict": verdict.action,
        OURS + "score": str(max(0, int(verdict.score))),
    }
    for method, found in verdict.results.items():
        items[OURS + method] = "pass" if "pass" in found else found[0] if found else "none"
    return items


class Around:
    """The surroundings of one account and one message."""

    def __init__(self, store: Store, account: int, items: Mapping[str, str]) -> None:
        self._store, self._account, self.environment = store, account, items
        self.now = int(time.time())
        self.zone = time.localtime(self.now).tm_gmtoff // 60

    def mailbox_exists(self, name: str) -> bool:
        return self._store.mailboxes.find(self._account, name) is not None

    def special_use_exists(self, name: str | None, uses: tuple[str, ...]) -> bool:
        mailboxes = self._store.mailboxes
        if name is None:
            return all(mailboxes.with_use(self._account, use) is not None for use in uses)
        found = mailboxes.find(self._account, name)
        return found is not None and all((found.special_use or "").lower() == use.lower() for use in uses)

    def is_duplicate(self, handle: str, id: str) -> bool:
        return self._store.scripts.knows(self._account, handle, id)


class Asked:
    """The same, asked from another thread: the answers come from the event loop, where the store is read."""

    def __init__(self, around: Around, loop: asyncio.AbstractEventLoop) -> None:
        self._around, self._loop = around, loop
        self.now, self.zone, self.environment = around.now, around.zone, around.environment

    def _ask(self, question: Callable[..., bool], *arguments: Any) -> bool:
        async def answer() -> bool:
            return question(*arguments)

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result()

    def mailbox_exists(self, name: str) -> bool:
        return self._ask(self._around.mailbox_exists, name)

    def special_use_exists(self, name: str | None, uses: tuple[str, ...]) -> bool:
        return self._ask(self._around.special_use_exists, name, uses)

    def is_duplicate(self, handle: str, id: str) -> bool:
        return self._ask(self._around.is_duplicate, handle, id)
