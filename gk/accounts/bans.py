"""Who is not served for a while: addresses that went on misbehaving after they had been answered late.

Offences are counted by address (/64 for IPv6) in one bounded table, in windows. From half of what is too much on, new
connections of the address wait for their greeting; then comes a ban, each further one twice as long. A ban is known in
memory, where asking costs next to nothing, and written by a service. Whom a ban must not hit is asked when it is about
to: no ban, of a whole network either, keeps out loopback, this machine, or a network that was spared.
"""

import asyncio
import ipaddress
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Literal

from gk import metrics
from gk.config import Bans as Rules
from gk.errors import GkError, Refused
from gk.store.bans import Ban

log = logging.getLogger("gk.audit")

Kind = Literal["logins", "errors", "relays", "recipients", "overruns"]
LOOPBACK = ("127.0.0.0/8", "::1/128")
ENTRIES = 20_000  # counts of offences remembered; the least recently used is forgotten
SLOW = 0.5  # of what is too much: from there on a client waits
LONGEST_WAIT = 5.0  # seconds
WRITTEN = 60.0  # seconds between two looks at what has ended
WIDEST = 8  # bits of the widest network that can be banned
YEAR = 366 * 86_400

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_FIELDS: tuple[Kind, ...] = ("logins", "errors", "relays", "recipients", "overruns")


def address(peer: str) -> Address | None:
    """A peer's address, an IPv4 address in IPv6 as itself; None for what is none."""
    try:
        found = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def network(text: str) -> Network:
    """What a ban of `text` covers: that network, and of a single IPv6 address its /64. Raises Refused."""
    try:
        found = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise Refused(f"{text!r} is no address or network like 192.0.2.0/24") from None
    if found.version == 6 and found.prefixlen == 128:
        return found.supernet(new_prefix=64)
    if found.prefixlen < WIDEST:
        raise Refused(f"a ban covers a /{WIDEST} at most")
    return found


class Count:
    """Offences of one kind by one address, since `began`."""

    __slots__ = ("began", "number")

    def __init__(self, now: float) -> None:
        self.began, self.number = now, 0


class Bans:
    """Counts offences, and knows who is banned.

    `spared` are networks no ban hits; `own(address)` says whether this machine has an address; `kept` are the bans of
    earlier runs; `keep(bans, gone)` writes what changed; `mark(network)` is what stands for a network in logs.
    """

    name = "bans"

    def __init__(
        self,
        rules: Rules,
        *,
        spared: Sequence[str] = LOOPBACK,
        own: Callable[[str], bool] = lambda address: False,
        kept: Iterable[Ban] = (),
        keep: Callable[[Iterable[Ban], Iterable[str]], Awaitable[None]] | None = None,
        mark: Callable[[str], str] = lambda network: "-",
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rules, self._own, self._keep, self._mark = rules, own, keep, mark
        self._clock, self._pause = clock, pause
        self._spared = tuple(ipaddress.ip_network(text, strict=False) for text in spared)
        self._counts: OrderedDict[tuple[Kind, str], Count] = OrderedDict()
        self._bans: dict[str, Ban] = {}
        self._lengths: Counter[tuple[int, int]] = Counter()  # (version, length) of the networks among them
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self._waiting = 0
        for ban in kept:
            self._put(ban)
        self._changed.clear()

    # --- asked by doors -----------------------------------------------------------------------------------------------

    def banned(self, peer: str) -> bool:
        """Whether nobody there is served now."""
        if not self._bans or (client := address(peer)) is None:
            return False
        return self._covering(client) is not None and not self.spares(client)

    def offence(self, peer: str, kind: Kind) -> bool:
        """Count one; whether the client is banned, now or already."""
        most, client = getattr(self._rules, kind), address(peer)
        if client is None:
            return False
        metrics.offences.labels(kind).inc()
        if not self._rules.enabled or not most:
            return self.banned(peer)
        now, covered = self._clock(), str(network(str(client)))
        key = (kind, covered)
        count = self._counts.get(key)
        if count is None or not 0 <= now - count.began < self._rules.window_minutes * 60:
            count = self._counts[key] = Count(now)
        self._counts.move_to_end(key)
        if len(self._counts) > ENTRIES:
            self._counts.popitem(last=False)
        count.number += 1
        if count.number == max(1, int(SLOW * most)) and not self.spares(client):
            log.info("event=slowed client=%s by=%s", self._mark(covered), kind)
        if count.number >= most:
            del self._counts[key]
            if not self.spares(client):
                self._ban(covered, kind, now)
        return self.banned(peer)

    def late(self, peer: str) -> float:
        """Seconds a new connection from there waits for its greeting: 0 to LONGEST_WAIT."""
        if not self._counts or (client := address(peer)) is None:
            return 0.0
        now, covered, share = self._clock(), str(network(str(client))), 0.0
        for kind in _FIELDS:
            count, most = self._counts.get((kind, covered)), getattr(self._rules, kind)
            if count is not None and most and 0 <= now - count.began < self._rules.window_minutes * 60:
                share = max(share, count.number / most)
        return LONGEST_WAIT * share if share >= SLOW and not self.spares(client) else 0.0

    async def slow(self, peer: str) -> bool:
        """Let a client wait that misbehaved; False where too many wait already, and it is better sent away."""
        seconds = self.late(peer)
        if not seconds:
            return True
        if self._waiting >= self._rules.delays:
            return False
        self._waiting += 1
        metrics.delayed.inc()
        try:
            await self._pause(seconds)
        finally:
            self._waiting -= 1
        return True

    def spares(self, client: Address) -> bool:
        """Whether no ban ever hits this client."""
        return any(client in spared for spared in self._spared) or self._own(str(client))

    # --- asked by administrators --------------------------------------------------------------------------------------

    def every(self) -> list[Ban]:
        """Those in force, the one that ends last first."""
        now = self._clock()
        return sorted(
            (ban for ban in self._bans.values() if ban.until > now), key=lambda ban: (-ban.until, ban.network)
        )

    async def add(self, text: str, seconds: int, reason: str) -> Ban:
        """Ban a network by hand; written before this returns. Raises Refused, and what the store raises."""
        covered = network(text)
        single = address(text.strip().partition("/")[0]) if covered.num_addresses in (1, 1 << 64) else None
        within = any(one.version == covered.version and covered.subnet_of(one) for one in self._spared)  # type: ignore[arg-type]
        if within or (single is not None and self.spares(single)):
            raise Refused(f"{covered} is never banned: see bans.never and judge.trusted")
        now = int(self._clock())
        ban = Ban(str(covered), now + min(seconds, YEAR), now, 1, reason)
        if self._keep:
            await self._keep([ban], [])
        self._put(ban)
        self._changed.discard(ban.network)
        self._told("banned", ban, by="hand")
        return ban

    async def remove(self, text: str) -> Ban:
        """Lift a ban, and forget what was counted there. Raises Refused where there is none."""
        covered = network(text)
        ban = self._bans.get(str(covered))
        if ban is None or ban.until <= self._clock():
            found = self._covering(covered.network_address)
            told = f"; it is banned with {found.network}" if found and found.network != str(covered) else ""
            raise Refused(f"{covered} is not banned{told}")
        if self._keep:
            await self._keep([], [ban.network])
        self._drop(ban.network)
        self._changed.discard(ban.network)
        for kind in _FIELDS:
            self._counts.pop((kind, ban.network), None)
        self._told("ban_lifted", ban, by="hand")
        return ban

    # --- the service --------------------------------------------------------------------------------------------------

    async def run(self, ready: asyncio.Event) -> None:
        """Write what changed, soon, and drop what is over."""
        ready.set()
        while True:
            try:
                async with asyncio.timeout(WRITTEN):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            await self.write()

    async def write(self) -> None:
        """Write what changed since the last time, without bans that are over and forgotten."""
        forgotten = self._clock() - self._rules.remembered_days * 86_400
        for ban in [ban for ban in self._bans.values() if ban.until < forgotten]:
            self._drop(ban.network)
        changed = list(self._changed)
        if not changed or not self._keep:
            return
        try:
            await self._keep(
                [self._bans[name] for name in changed if name in self._bans],
                [name for name in changed if name not in self._bans],
            )
        except GkError as error:  # they hold in memory; the next look writes them
            log.warning("event=bans_not_written reason=%s", error)
            return
        self._changed.difference_update(changed)

    # --- within -------------------------------------------------------------------------------------------------------

    def _covering(self, client: Address) -> Ban | None:
        """The ban in force that covers a client."""
        now = self._clock()
        for version, length in self._lengths:
            if version != client.version:
                continue
            ban = self._bans.get(str(ipaddress.ip_network((client, length), strict=False)))
            if ban is not None and ban.until > now:
                return ban
        return None

    def _ban(self, covered: str, kind: Kind, now: float) -> None:
        rules, before = self._rules, self._bans.get(covered)
        if before is not None and before.until > now:
            return
        times = 1
        if before is not None and now - before.until < rules.remembered_days * 86_400:
            times = min(before.times + 1, 32)
        seconds = min(rules.first_minutes * 60 << (times - 1), rules.longest_minutes * 60)
        ban = Ban(covered, int(now) + seconds, int(now), times, kind)
        self._put(ban)
        self._told("banned", ban, by=kind)

    def _told(self, event: str, ban: Ban, by: str) -> None:
        metrics.bans.labels(event, by).inc()
        seconds = ban.until - ban.added
        log.info("event=%s client=%s by=%s seconds=%d times=%d", event, self._mark(ban.network), by, seconds, ban.times)

    def _put(self, ban: Ban) -> None:
        if ban.network not in self._bans:
            if len(self._bans) >= self._rules.addresses:
                self._drop(min(self._bans.values(), key=lambda one: one.until).network)
            found = ipaddress.ip_network(ban.network)
            self._lengths[found.version, found.prefixlen] += 1
        self._bans[ban.network] = ban
        self._changed.add(ban.network)
        self._wake.set()

    def _drop(self, name: str) -> None:
        del self._bans[name]
        found = ipaddress.ip_network(name)
        self._lengths[found.version, found.prefixlen] -= 1
        self._lengths += Counter()  # without lengths nobody has
        self._changed.add(name)
        self._wake.set()
