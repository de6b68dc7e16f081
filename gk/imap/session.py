"""The state of one session (RFC 3501 §3) and what it was granted; no I/O."""

from enum import IntFlag

from gk.imap.view import View
from gk.store.values import Account


class State(IntFlag):
    """Where a session stands; commands say where they may be given."""

    FRESH = 1  # not authenticated
    AUTHENTICATED = 2
    SELECTED = 4


ANY = State.FRESH | State.AUTHENTICATED | State.SELECTED
FRESH = State.FRESH
LOGGED_IN = State.AUTHENTICATED | State.SELECTED
SELECTED = State.SELECTED


class Session:
    """Who speaks, over what, with which mailbox selected."""

    __slots__ = ("_account", "_view", "can_start_tls", "enabled", "ending", "may_log_in")

    def __init__(self, *, may_log_in: bool, can_start_tls: bool) -> None:
        self.may_log_in = may_log_in  # the connection is private enough for passwords
        self.can_start_tls = can_start_tls
        self.enabled: frozenset[str] = frozenset()  # by ENABLE, or by use (RFC 5161, RFC 7162 §3.1)
        self.ending = False  # LOGOUT was given
        self._account: Account | None = None
        self._view: View | None = None

    @property
    def state(self) -> State:
        if self._account is None:
            return State.FRESH
        return State.AUTHENTICATED if self._view is None else State.SELECTED

    @property
    def account(self) -> Account:
        assert self._account is not None
        return self._account

    @property
    def selected(self) -> View | None:
        return self._view

    @property
    def view(self) -> View:
        assert self._view is not None
        return self._view

    def authenticated(self, account: Account) -> None:
        assert self.state is State.FRESH
        self._account = account
        self.can_start_tls = False

    def encrypted(self) -> None:
        """STARTTLS succeeded: nothing learnt before counts (RFC 3501 §6.2.1)."""
        self.may_log_in, self.can_start_tls = True, False

    def select(self, view: View) -> None:
        """The mailbox is selected; the one before was left."""
        assert self._view is None
        view.with_modseq = "CONDSTORE" in self.enabled
        self._view = view

    def unselect(self) -> View | None:
        """Leave the selected mailbox, if there is one; it is returned."""
        view, self._view = self._view, None
        if view is not None:
            view.snapshot.close()
        return view

    def enable(self, name: str) -> None:
        self.enabled |= {name}
        if name == "CONDSTORE" and self._view is not None:
            self._view.with_modseq = True
