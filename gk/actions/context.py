"""Who acts, and the rooms an action may use."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gk.accounts.aliases import Directory
from gk.accounts.passwords import Passwords
from gk.store.db import Store


def _silent(done: int, total: int) -> None:
    """Nobody looks at the progress."""


@dataclass(frozen=True, slots=True)
class Context:
    """One call of an action. `scopes` is what its caller may do; `progress(done, total)` shows long work."""

    store: Store
    directory: Directory
    passwords: Passwords
    scopes: frozenset[str]
    progress: Callable[[int, int], None] = field(default=_silent)


@dataclass(frozen=True, slots=True)
class Rooms:
    """What lasts as long as the server; a door makes each call's Context from it."""

    store: Store
    directory: Directory
    passwords: Passwords

    def context(self, scopes: frozenset[str], progress: Callable[[int, int], None] = _silent) -> Context:
        return Context(self.store, self.directory, self.passwords, scopes, progress)
