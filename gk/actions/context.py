"""Who acts, and the rooms an action may use."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from gk.accounts.aliases import Directory
from gk.accounts.bans import Bans
from gk.accounts.passwords import Passwords
from gk.ai.models import Models
from gk.ai.replying.deciding import Deciding
from gk.config import Reports
from gk.inbound.remote.watching import Watching
from gk.mailauth.keys import Keys
from gk.mailauth.records import Offer
from gk.net.dns import Lookups
from gk.outbound.batch import Batch
from gk.store.db import Store
from gk.store.values import Account

USER = frozenset({"read", "change", "send", "delete", "settings"})
"""The scopes of a user for the own account."""


def _silent(done: int, total: int) -> None:
    """Nobody looks at the progress."""


async def _nothing(length: int) -> bytes:
    """Nothing was attached."""
    return b""


async def _away(content: bytes) -> None:
    """Nobody takes it."""


@dataclass(frozen=True, slots=True)
class Attached:
    """Bytes beside the arguments and the result, which need not be in memory as a whole.

    `take(n)` returns up to n bytes of what the caller attached, b"" at its end; `give` hands bytes to the caller.
    """

    take: Callable[[int], Awaitable[bytes]] = field(default=_nothing)
    give: Callable[[bytes], Awaitable[None]] = field(default=_away)


NOTHING = Attached()


@dataclass(frozen=True, slots=True)
class Names:
    """How this server is known outside: its keys, what it offers, where reports about it come to.

    The resolver remembers nothing.
    """

    keys: Keys
    offer: Offer
    resolver: Callable[[], Lookups]
    reports: Reports = field(default_factory=Reports)


@dataclass(frozen=True, slots=True)
class Context:
    """One call of an action. `scopes` is what its caller may do; `progress(done, total)` shows long work.

    `forgetting` leaves nothing in the search index of what was removed; None where nobody keeps it up.
    `account` is the user who calls; None at doors of administrators, who act for the account they name. `deciding` is
    None where no mail is answered.
    """

    store: Store
    directory: Directory
    passwords: Passwords
    names: Names
    batch: Batch
    bans: Bans
    models: Models
    remotes: Watching
    scopes: frozenset[str]
    progress: Callable[[int, int], None] = field(default=_silent)
    attached: Attached = NOTHING
    account: Account | None = None
    deciding: Deciding | None = None
    forgetting: Callable[[], Awaitable[None]] | None = None

    def as_user(self, account: Account) -> "Context":
        """The same for one account alone, and with no more than users may do."""
        scopes = USER if "admin" in self.scopes else self.scopes & USER
        return replace(self, scopes=scopes, attached=NOTHING, account=account)


@dataclass(frozen=True, slots=True)
class Rooms:
    """What lasts as long as the server; a door makes each call's Context from it."""

    store: Store
    directory: Directory
    passwords: Passwords
    names: Names
    batch: Batch
    bans: Bans
    models: Models
    remotes: Watching
    deciding: Deciding | None = None
    forgetting: Callable[[], Awaitable[None]] | None = None

    def context(
        self,
        scopes: frozenset[str],
        progress: Callable[[int, int], None] = _silent,
        attached: Attached = NOTHING,
        account: Account | None = None,
    ) -> Context:
        return Context(
            self.store, self.directory, self.passwords, self.names, self.batch, self.bans, self.models,
            self.remotes, scopes, progress, attached, account, self.deciding, self.forgetting,
        )  # fmt: skip
