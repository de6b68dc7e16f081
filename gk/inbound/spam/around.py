"""What the rules know of this server: its domains, and the names of its users."""

from gk.accounts.aliases import Directory
from gk.inbound.spam.rule import Around
from gk.store.accounts import Accounts

SHORTEST = 2  # words of a name that is somebody's: many are called Ann


class Neighbourhood:
    """Says it anew where accounts or domains have changed."""

    def __init__(self, accounts: Accounts, directory: Directory, dangerous: tuple[str, ...]) -> None:
        """`dangerous` are further endings of the names of programs."""
        self._accounts, self._directory = accounts, directory
        self._dangerous = frozenset(ending.lower().lstrip(".") for ending in dangerous)
        self._known: tuple[int, tuple[str, ...]] | None = None
        self._around = Around()

    def __call__(self) -> Around:
        now = self._accounts.version, self._directory.domains
        if now != self._known:
            names = (" ".join(account.name.lower().split()) for account in self._accounts.all())
            users = frozenset(name for name in names if name.count(" ") >= SHORTEST - 1)
            self._known, self._around = now, Around(frozenset(now[1]), users, self._dangerous)
        return self._around
