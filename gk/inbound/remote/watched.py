"""One account elsewhere, kept in step: sessions, rounds and waits, and longer waits after failures."""

import asyncio
import hashlib
import logging
import random
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

from gk import metrics
from gk.config import Config, Remote, beside, given
from gk.errors import ConfigError, GkError, Refused, Unavailable
from gk.inbound.notices import Notices
from gk.inbound.remote.arriving import Trouble
from gk.inbound.remote.round import Rounds, Tally
from gk.inbound.remote.session import LoginRefused, Looks, Server, Session
from gk.store.db import Store
from gk.store.values import Account

log = logging.getLogger(__name__)

REARMED = 25 * 60.0  # seconds of one IDLE: servers end it after 30 minutes (RFC 2177 §3)
FIRST, LONGEST = 5.0, 900.0  # seconds after a failure, doubling
LOCKED = 300.0  # seconds after a refused login at least: servers lock accounts
NOBODY = 5.0  # seconds before it is looked again whether the owner exists
JITTER = 0.2
IN_A_ROW = 4  # rounds, while one leaves something to tell
BURST, BURST_SECONDS = 20, 60.0  # rounds a server may have by telling news; more come at that pace
LASTING, WEEK = 3600.0, 7 * 86_400  # seconds of failure before its owner is told, and until the next notice
GATHER = 0.2  # seconds changes here are gathered

State = Literal["waiting", "connecting", "working", "watching", "failing", "without owner"]


class Watched:
    """One account elsewhere."""

    def __init__(
        self,
        config: Config,
        remote: Remote,
        store: Store,
        looks: Looks,
        slots: asyncio.Semaphore,
        moved: Callable[[], None],
        notices: Notices,
    ) -> None:
        """`moved` is called when `state` is another one."""
        self._notices = notices
        self._failing = 0.0  # since when, on the monotonic clock; 0: it is not
        self.remote = remote
        self._moved = moved
        self.state: State = "waiting"
        self.error = ""
        self.again = 0.0
        self.mailboxes: frozenset[int] = frozenset()
        self.changed = asyncio.Event()  # something here
        self._config, self._store, self._looks, self._slots = config, store, looks, slots
        self._asked = asyncio.Event()
        self._waiting: list[asyncio.Future[Tally]] = []
        self._trouble: Trouble = Trouble()
        self._pause = FIRST
        self._row = 0
        self._told: deque[float] = deque(maxlen=BURST)  # when the server told news, on the monotonic clock

    @property
    def owner(self) -> Account | None:
        """The account here it belongs to, if that exists."""
        accounts = self._store.accounts
        if self.remote.owner:
            return accounts.by_address(self.remote.owner)
        return min(accounts.all(), key=lambda account: account.id, default=None)

    # --- for whoever asks ---------------------------------------------------------------------------------------------

    def ask(self) -> "asyncio.Future[Tally]":
        """Have a round begin now; what comes of it."""
        done: asyncio.Future[Tally] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._asked.set()
        self.changed.set()
        return done

    async def once(self) -> Tally:
        """One round by itself, where nothing watches. Raises GkError."""
        owner = self.owner
        if owner is None:
            raise Refused("its owner has no account here")
        session = await self._open(owner)
        try:
            rounds = Rounds(self._store, session, self.remote, owner.id, self._trouble)
            await rounds.begin(self._row)
            tally = await rounds.go()
            await self._store.remotes.tell(self._row, synced=int(time.time()))
            return tally
        finally:
            await session.leave()

    # --- the loop -----------------------------------------------------------------------------------------------------

    async def run(self, *, stay: bool) -> None:
        """Keep it in step until cancelled; `stay`: hold the connection."""
        while True:
            owner = self.owner
            if owner is None:
                self._fail("its owner has no account here", "without owner")
                await self._rest(NOBODY)
                continue
            try:
                async with self._slots:
                    await self._session(owner, stay)
                pause = 0.0
            except Unavailable as error:
                pause = self._longer(locked=isinstance(error, LoginRefused))
                self._fail(str(error))
            except GkError as error:
                pause = self._longer(locked=False)
                self._fail(str(error))
            except Exception as error:  # the one net under an account: the others go on
                log.exception("event=remote_broken account=%s", self.remote.name)
                pause = self._longer(locked=False)
                self._fail(f"an error of this server ({type(error).__name__})")
            if pause:
                await self._note(owner)
            await self._rest(pause or self.remote.check_seconds)

    async def _session(self, owner: Account, stay: bool) -> None:
        self._become("connecting")
        session = await self._open(owner)
        try:
            rounds = Rounds(self._store, session, self.remote, owner.id, self._trouble)
            await rounds.begin(self._row)
            in_a_row = 0
            while True:
                self._become("working")
                self._asked.clear()
                self.changed.clear()
                asked, self._waiting = self._waiting, []
                try:
                    tally = await rounds.go()
                except BaseException:
                    self._waiting += asked
                    raise
                await self._done(owner, rounds, tally, asked)
                self._become("watching")
                in_a_row = 0 if rounds.settled else in_a_row + 1
                if 0 < in_a_row < IN_A_ROW:
                    continue
                if not stay:
                    return
                in_a_row = 0
                await self._wait(session, rounds)
                if self.owner != owner:
                    raise Refused("its owner is no longer here")
        finally:
            self.mailboxes = frozenset() if not stay else self.mailboxes
            await session.leave()

    async def _done(
        self, owner: Account, rounds: Rounds, tally: Tally, asked: Sequence["asyncio.Future[Tally]"]
    ) -> None:
        self._pause, self.error, self.again = FIRST, "", 0.0
        self.mailboxes = rounds.mailboxes
        await self._store.remotes.tell(self._row, synced=int(time.time()))
        if self._failing:
            self._failing = 0.0
            await self._notices.forget(owner, self._about)
        for done in asked:
            if not done.done():
                done.set_result(tally)
        metrics.remote_rounds.labels("done").inc()
        if tally != Tally():
            log.info(
                "event=remote_round account=%s new=%d again=%d left=%d told=%d changed=%d gone=%d",
                self.remote.name, tally.new, tally.again, tally.left, tally.told, tally.changed, tally.gone,
            )  # fmt: skip

    async def _wait(self, session: Session, rounds: Rounds) -> None:
        """Until there may be something to do, on either side."""
        seconds = REARMED if rounds.single else float(self.remote.check_seconds)
        while True:
            if session.has("IDLE"):
                told = await session.idle(seconds, self.changed)
            else:
                told = False
                try:
                    async with asyncio.timeout(self.remote.check_seconds):
                        await self.changed.wait()
                except TimeoutError:
                    return
            if told:
                await self._pace()
            if told or not self.changed.is_set():
                return
            await asyncio.sleep(GATHER)
            self.changed.clear()
            if self._asked.is_set() or not rounds.settled:
                return

    async def _pace(self) -> None:
        """Follow news at once, but no server that tells some without end."""
        now = time.monotonic()
        if len(self._told) == BURST and now - self._told[0] < BURST_SECONDS:
            await self._until_asked(BURST_SECONDS / BURST)
        self._told.append(time.monotonic())

    async def _open(self, owner: Account) -> Session:
        remote = self.remote
        place = hashlib.blake2b(
            f"{remote.host.lower()}\0{remote.port}\0{remote.login}".encode(), digest_size=12
        ).hexdigest()
        self._row = await self._store.remotes.open(owner.id, remote.name, place)
        server = await asyncio.to_thread(self._server)
        return await Session.open(server, self._looks)

    def _server(self) -> Server:
        remote = self.remote
        password = given(self._config, remote.password_file, f'remote "{remote.name}": password_file')
        context = _context(self._config, remote) if remote.tls else None
        return Server(remote.host, remote.port, remote.login, context, password)

    def _become(self, state: State) -> None:
        self.state = state
        self._moved()

    # --- failures -----------------------------------------------------------------------------------------------------

    def _longer(self, *, locked: bool) -> float:
        """How long to wait now; twice as long the next time."""
        pause = max(self._pause, LOCKED if locked else 0.0)
        self._pause = min(2 * self._pause, LONGEST)
        return pause * random.SystemRandom().uniform(1 - JITTER, 1 + JITTER)

    def _fail(self, why: str, state: State = "failing") -> None:
        if why != self.error:
            log.warning("event=remote_failing account=%s reason=%r", self.remote.name, why)
        self.error = why
        self._become(state)
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            if not done.done():
                done.set_exception(Unavailable(why))
        metrics.remote_rounds.labels("failed").inc()

    async def _note(self, owner: Account) -> None:
        """Keep why it fails, and tell its owner once that lasts."""
        now = time.monotonic()
        self._failing = self._failing or now
        try:
            if self._row:
                await self._store.remotes.tell(self._row, error=self.error)
            if now - self._failing >= LASTING:
                await self._notices.tell(
                    owner, self._about, f"Your mailbox «{self.remote.name}» elsewhere is not in step",
                    f"New mail of {self.remote.address} does not come here at the moment: {self.error}.\n\n"
                    "It is tried again and again, and nothing is lost. If its password was changed, it has to be "
                    "changed here, too.\n", WEEK,
                )  # fmt: skip
        except GkError:
            pass  # the store says so itself

    @property
    def _about(self) -> str:
        return f"remote {self.remote.name}"

    async def _rest(self, seconds: float) -> None:
        """Wait, or until somebody asks."""
        self.again = time.time() + seconds
        await self._until_asked(seconds)
        self._asked.clear()

    async def _until_asked(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            pass


def _context(config: Config, remote: Remote) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=beside(config, remote.ca))
    except (OSError, ssl.SSLError):
        raise ConfigError(f'remote "{remote.name}": ca must be a PEM file of certificates that can be read') from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8314 §4.1
    return context
