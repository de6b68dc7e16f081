"""Who may connect how often (Gate), and who may guess passwords how often (Failures).

Both count per address and per network (/24 for IPv4, /56 for IPv6) in bounded tables and know no account but by name.
Loopback is limited like everybody and never banned. What goes on beyond these limits leads to a ban (gk.accounts.bans).
"""

import functools
import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

from gk.accounts.bans import Bans
from gk.config import Bans as BanRules
from gk.config import Limits
from gk.errors import LoginDelayed

MINUTE, DAY = 60.0, 86_400.0
ENTRIES = 20_000  # addresses, networks or names remembered; the oldest is forgotten
STRESS = 0.8  # of the connections taken: waits become short
NETWORK = 3  # a network may fail as often as three addresses
LONGEST_DELAY = 15.0
ACCOUNT_PAUSE = 900.0  # seconds only known addresses may try an account that was guessed at too often

Clock = Callable[[], float]
V = TypeVar("V")


@functools.lru_cache(4096)
def place(peer: str) -> tuple[str, str, bool]:
    """(address, its network, whether it is loopback) of a peer's address as text."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer, peer, False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            network = ipaddress.ip_network((address, 56), strict=False)
            return str(address), str(network), address.is_loopback
        address = address.ipv4_mapped
    return str(address), str(ipaddress.ip_network((address, 24), strict=False)), address.is_loopback


class Table(OrderedDict[str, V], Generic[V]):
    """A dict of at most ENTRIES keys that makes missing values and forgets the least recently used."""

    def __init__(self, make: Callable[[], V]) -> None:
        super().__init__()
        self._make = make

    def at(self, key: str) -> V:
        value = self.get(key)
        if value is None:
            value = self[key] = self._make()
            if len(self) > ENTRIES:
                self.popitem(last=False)
        else:
            self.move_to_end(key)
        return value


class Pass:
    """One admitted connection; `release()` when it ends."""

    __slots__ = ("_gate", "_keys")

    def __init__(self, gate: "Gate", keys: tuple[str, ...]) -> None:
        self._gate, self._keys = gate, keys

    def enter(self, account: int) -> bool:
        """Count it among the sessions of a user from its address; False where there are too many."""
        key = f"{account} {self._keys[0]}"
        if not self._gate._enter(key):
            return False
        self._keys += (key,)
        return True

    def release(self) -> None:
        """Give the place back; a second call does nothing."""
        if self._keys:
            self._gate._leave(self._keys)
            self._keys = ()


class Gate:
    """The connections of one protocol. Doors ask `bans` who is not served at all, and tell it of offences."""

    def __init__(self, limits: Limits, clock: Clock = time.monotonic, bans: Bans | None = None) -> None:
        self._limits, self._clock = limits, clock
        self.bans = bans or Bans(BanRules())
        self._per_network = max(limits.connections_per_network, limits.connections_per_address)
        self._open: dict[str, int] = {}  # by address, network, and user with address; gone when 0
        self._new: Table[deque[float]] = Table(deque)
        self.total = 0

    @property
    def stressed(self) -> bool:
        """Whether so many connections are taken that nobody may dawdle."""
        return self.total > STRESS * self._limits.connections

    def admit(self, peer: str) -> Pass | None:
        """A place for a connection from `peer`, or None when there is none for it."""
        address, network, _ = place(peer)
        limits, now = self._limits, self._clock()
        recent = self._new.at(address)
        while recent and recent[0] <= now - MINUTE:
            recent.popleft()
        if len(recent) >= limits.new_connections_per_minute:
            self.bans.offence(peer, "overruns")
            return None
        recent.append(now)
        if (
            self.total >= limits.connections
            or self._open.get(address, 0) >= limits.connections_per_address
            or self._open.get(network, 0) >= self._per_network
        ):
            return None
        self.total += 1
        for key in (address, network):
            self._open[key] = self._open.get(key, 0) + 1
        return Pass(self, (address, network))

    def _enter(self, user: str) -> bool:
        if self._open.get(user, 0) >= self._limits.sessions_per_user:
            return False
        self._open[user] = self._open.get(user, 0) + 1
        return True

    def _leave(self, keys: tuple[str, ...]) -> None:
        self.total -= 1
        for key in keys:
            left = self._open[key] - 1
            if left:
                self._open[key] = left
            else:
                del self._open[key]


class Count:
    """Failures of one address, network or account, by minute and by day."""

    __slots__ = ("day", "day_ends", "guesses", "minute", "paused_until", "streak")

    def __init__(self) -> None:
        self.minute: deque[float] = deque()
        self.streak = self.day = 0
        self.day_ends = self.paused_until = 0.0
        self.guesses: deque[bytes] = deque(maxlen=8)

    def turn(self, now: float) -> "Count":
        while self.minute and self.minute[0] <= now - MINUTE:
            self.minute.popleft()
        if now >= self.day_ends:
            self.streak = self.day = 0
            self.guesses.clear()
        return self

    def add(self, now: float, fresh: bool = True) -> None:
        if not self.streak:
            self.day_ends = now + DAY
        self.minute.append(now)
        self.streak += 1
        self.day += fresh


class Failures:
    """Slows guessing down without locking the owner out.

    Five failures of an address are free, then each is answered 1, 2, 4 … 15 s late; past the limits of a minute or a
    day nothing from there is looked at. A program that repeats one outdated password is late, but not banned for it.
    """

    def __init__(self, limits: Limits, clock: Clock = time.monotonic, bans: Bans | None = None) -> None:
        self._limits, self._clock, self._bans = limits, clock, bans
        self._addresses: Table[Count] = Table(Count)
        self._networks: Table[Count] = Table(Count)
        self._names: Table[Count] = Table(Count)
        self._known: Table[bool] = Table(lambda: True)  # "name address" that logged in before

    def check(self, peer: str, name: str) -> None:
        """Raise LoginDelayed when a login as `name` from `peer` is not to be looked at now."""
        limits, now = self._limits, self._clock()
        address, network, loopback = place(peer)
        for table, key, times in ((self._addresses, address, 1), (self._networks, network, NETWORK)):
            if (count := table.get(key)) is None:
                continue
            count.turn(now)
            if len(count.minute) >= times * limits.login_failures_per_minute:
                raise LoginDelayed("too many failed logins this minute")
            if count.day >= times * limits.login_failures_per_day and not loopback:
                raise LoginDelayed("too many failed logins today")
        count = self._names.get(name)
        if count is not None and now < count.paused_until and f"{name} {address}" not in self._known:
            raise LoginDelayed("too many failed logins of this account")

    def failed(self, peer: str, name: str, guess: bytes = b"") -> float:
        """Count a failure; return the seconds to answer late. `guess` tells one wrong password from another."""
        limits, now = self._limits, self._clock()
        address, network, _ = place(peer)
        count = self._addresses.at(address).turn(now)
        fresh = not guess or guess not in count.guesses
        if fresh:
            count.guesses.append(guess)
            if self._bans is not None:
                self._bans.offence(peer, "logins")
        count.add(now, fresh)
        self._networks.at(network).turn(now).add(now, fresh)
        account = self._names.at(name).turn(now)
        account.add(now)
        account.minute.clear()  # nothing is asked by the minute there
        if account.day >= limits.login_failures_per_account:
            account.paused_until = now + ACCOUNT_PAUSE
        late = count.streak - limits.login_failures_before_delay
        return min(2.0 ** (late - 1), LONGEST_DELAY) if late > 0 else 0.0

    def succeeded(self, peer: str, name: str) -> None:
        """Remember that `name` logs in from there."""
        self._known.at(f"{name} {place(peer)[0]}")
