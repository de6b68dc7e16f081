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

    __slots__ = (
        "_account", "_view", "append_limit", "can_start_tls", "compressed", "enabled", "ending", "hidden", "may_log_in",
    )  # fmt: skip

    def __init__(self, *, may_log_in: bool, can_start_tls: bool, append_limit: int = 0) -> None:
        self.may_log_in = may_log_in  # the connection is private enough for passwords
        self.can_start_tls = can_start_tls
        self.enabled: frozenset[str] = frozenset()  # by ENABLE, or by use (RFC 5161, RFC 7162 §3.1)
        self.hidden: frozenset[str] = frozenset()  # capabilities this account is not offered
        self.compressed = False  # by COMPRESS
        self.append_limit = append_limit  # octets of a message
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

    @property
    def utf8(self) -> bool:
        """Names and texts are UTF-8 in both directions (RFC 6855 §3, RFC 9051 §5.1)."""
        return not self.enabled.isdisjoint(("UTF8=ACCEPT", "IMAP4rev2"))

    @property
    def rev2(self) -> bool:
        """RFC 9051 is spoken: nothing is \\Recent."""
        return "IMAP4rev2" in self.enabled

    @property
    def vanishing(self) -> bool:
        """VANISHED is told in place of EXPUNGE (RFC 7162 §3.2.10)."""
        return "QRESYNC" in self.enabled

    def authenticated(self, account: Account, hidden: frozenset[str] = frozenset()) -> None:
        assert self.state is State.FRESH
        self._account, self.hidden = account, hidden
        self.can_start_tls = False

    def encrypted(self) -> None:
        """STARTTLS succeeded: nothing learnt before counts (RFC 3501 §6.2.1)."""
        self.may_log_in, self.can_start_tls = True, False

    def select(self, view: View) -> None:
        """The mailbox is selected; the one before was left."""
        assert self._view is None
        self._view = view
        self._tell_view()

    def unselect(self) -> View | None:
        """Leave the selected mailbox, if there is one; it is returned."""
        view, self._view = self._view, None
        if view is not None:
            view.snapshot.close()
        return view

    def enable(self, name: str) -> None:
        self.enabled |= {name, "CONDSTORE"} if name == "QRESYNC" else {name}
        self._tell_view()

    def _tell_view(self) -> None:
        if self._view is not None:
            self._view.with_modseq = "CONDSTORE" in self.enabled
            self._view.vanishing = self.vanishing
