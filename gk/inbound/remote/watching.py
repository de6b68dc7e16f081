"""The service that keeps accounts elsewhere in step: at most ten connections, one account never waits for another.

An account holds its connection and idles on it while all of them find a place; where there are more than ten, each
comes in its turn and leaves. After a failure it waits, twice as long each time, never exactly as long.
"""

import asyncio
import typing
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from gk import metrics
from gk.bus import Bus
from gk.config import Config
from gk.errors import Refused, Unavailable
from gk.events import FlagsChanged, MessagesExpunged
from gk.inbound.notices import Notices
from gk.inbound.remote.round import Tally
from gk.inbound.remote.session import Looks
from gk.inbound.remote.watched import GATHER, State, Watched
from gk.store.db import Store

CONNECTIONS = 10


@dataclass(frozen=True, slots=True)
class Health:
    """How an account elsewhere is; times in seconds since 1970, 0: never. `error` is in words of ours."""

    name: str
    address: str
    owner: str
    state: State
    synced: int
    error: str
    again: int  # when it is tried again
    messages: int  # in step


class Watching:
    """All accounts elsewhere: a service, and where to ask about them."""

    name = "remote"

    def __init__(self, config: Config, store: Store, bus: Bus, looks: Callable[[], Looks], notices: Notices) -> None:
        self._notices = notices
        self._store, self._bus, self._looks = store, bus, looks
        self._config = config
        self._accounts: dict[str, Watched] = {}
        self._running = False

    def _made(self) -> dict[str, Watched]:
        if not self._accounts and self._config.remote:
            looks, slots = self._looks(), asyncio.Semaphore(CONNECTIONS)
            self._accounts = {
                remote.name: Watched(self._config, remote, self._store, looks, slots, self._count, self._notices)
                for remote in self._config.remote
            }
        return self._accounts

    async def run(self, ready: asyncio.Event) -> None:
        accounts = self._made()
        await self._retire()
        if not accounts:
            ready.set()
            await asyncio.Event().wait()
        self._running = True
        try:
            with self._bus.subscribe(FlagsChanged, MessagesExpunged) as events:
                async with asyncio.TaskGroup() as group:
                    for account in accounts.values():
                        stay = len(accounts) <= CONNECTIONS
                        group.create_task(account.run(stay=stay), name=f"remote {account.remote.name}")
                    ready.set()
                    while True:
                        await events.wait()
                        touched = {e.mailbox for e in events.drain() if isinstance(e, FlagsChanged | MessagesExpunged)}
                        for account in accounts.values():
                            if events.lagged or touched & account.mailboxes:
                                account.changed.set()
                        events.lagged = False
                        await asyncio.sleep(GATHER)
        finally:
            self._running = False

    async def _retire(self) -> None:
        """Forget what need not be remembered of accounts that were taken out of the configuration."""
        known = self._store.remotes.known()
        kept = [one.id for one in known if one.name in self._accounts]
        if len(kept) < len(known):
            with suppress(Unavailable):  # a full disk keeps nobody from their mail
                await self._store.remotes.retire(kept)

    def health(self) -> list[Health]:
        """How each of them is, in the order of the configuration."""
        known = {(one.account, one.name): one for one in self._store.remotes.known()}
        found = []
        for account in self._made().values():
            owner = account.owner
            row = known.get((owner.id if owner else 0, account.remote.name))
            state: State = account.state if self._running else "waiting"
            error = account.error if self._running else (row.error if row else "")
            found.append(
                Health(
                    account.remote.name, account.remote.address, owner.address if owner else account.remote.owner,
                    state, row.synced if row else 0, error, int(account.again), row.messages if row else 0,
                )
            )  # fmt: skip
        return found

    def _count(self) -> None:
        """Tell the metrics how many are how."""
        states = [account.state for account in self._accounts.values()]
        for state in typing.get_args(State):
            metrics.remote_accounts.labels(state).set(states.count(state))

    async def sync(self, name: str) -> Tally:
        """Have one round now; what it did. Raises Refused for an unknown name, Unavailable where it fails."""
        account = self._made().get(name)
        if account is None:
            raise Refused(f"there is no account elsewhere called {name}; «gk remote list» shows those there are")
        if not self._running:
            return await account.once()
        return await account.ask()
