"""What a command sees of its connection: the session, the store, and a way to speak and to listen."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from gk.accounts.limits import Gate
from gk.accounts.login import Logins
from gk.config import Limits
from gk.errors import GkError, Unavailable
from gk.imap import registry
from gk.imap.reply import Reply, mailbox
from gk.imap.session import FRESH, Session
from gk.imap.view import View
from gk.imap.wire import Event, Literal, Wire
from gk.net.client import Ended
from gk.store.db import Store
from gk.store.values import Account, Mailbox

if TYPE_CHECKING:
    from gk.imap.notifying import Notifying

T = TypeVar("T")

BANNED = "your address is not served for a while, for what came from it"
TELL = 256 << 10  # bytes told before they are written
TURN = 0.005  # seconds of work before others have their turn


class Link(Protocol):
    """The connection below a conversation."""

    peer: str
    wire: Wire

    def write(self, data: bytes) -> None: ...
    async def drained(self) -> None:
        """Wait while the client reads too slowly; raise Ended when it is gone."""
        ...

    async def event(self) -> Event:
        """The next event of the client; raise Ended."""
        ...

    async def line(self) -> bytes: ...
    async def content(self) -> bytes: ...
    async def start_tls(self) -> None: ...
    def compress(self) -> None: ...
    def logged_in(self) -> None: ...
    def end(self, reason: str) -> None: ...
    def wake(self) -> None:
        """Let `event` look again what is to be told, if it waits."""
        ...

    def on_writable(self, call: Callable[[], None] | None) -> None:
        """Call this whenever the client has read what was written."""
        ...

    @property
    def writable(self) -> bool: ...


class Conversation:
    """One connection as its commands see it."""

    __slots__ = (
        "_link", "_out", "_release", "_server", "_told", "_turn_ends", "literal", "notifying", "session", "tag",
    )  # fmt: skip

    def __init__(self, link: Link, server: "Rooms", session: Session) -> None:
        self._link, self._server = link, server
        self.session = session
        self.tag = b"*"
        self.literal: Literal | None = None  # the message that ends what there is of the command
        self.notifying: Notifying | None = None
        self._out: list[bytes] = []
        self._told = 0  # bytes in it
        self._turn_ends = 0.0
        self._release: Callable[[], None] | None = None

    # -- rooms

    @property
    def store(self) -> Store:
        return self._server.store

    @property
    def limits(self) -> Limits:
        return self._server.limits

    @property
    def account(self) -> Account:
        return self.session.account

    @property
    def view(self) -> View:
        return self.session.view

    @property
    def mailbox(self) -> Mailbox:
        """The selected mailbox."""
        return self.session.view.snapshot.mailbox

    def named(self, name: str) -> Mailbox:
        """A mailbox of this account; raise NoSuchMailbox."""
        return self.store.mailboxes.get(self.account.id, name)

    def spelled(self, name: str) -> bytes:
        """A mailbox name as this session writes it."""
        return mailbox(name, utf8=self.session.utf8)

    def blamed(self) -> bool:
        """Count a command without sense, before a login; whether the client's address is banned now."""
        return self.session.state is FRESH and self._server.gate.bans.offence(self._link.peer, "errors")

    @property
    def banned(self) -> bool:
        """Whether a client without a login is at an address that is banned by now."""
        return self.session.state is FRESH and self._server.gate.bans.banned(self._link.peer)

    # -- speaking

    def tell(self, *data: bytes) -> None:
        """Untagged data, written with the answer or the next flush."""
        for piece in data:
            if piece:
                self._out.append(piece)
                self._told += len(piece)

    async def flush(self) -> None:
        """Write what was told, wait while the client is slow, and let others have their turn."""
        if self._out:
            self._link.write(self._written())
        await self._link.drained()
        await asyncio.sleep(0)
        self._turn_ends = time.perf_counter() + TURN

    def rested(self) -> None:
        """The session waited for its client and others had their turn; now it has its own."""
        self._turn_ends = time.perf_counter() + TURN

    async def breathe(self) -> None:
        """Flush if much waits to be written or others waited for long; to be called often, costs nothing then."""
        if self._told > TELL or time.perf_counter() > self._turn_ends:
            await self.flush()

    async def drained(self) -> None:
        """Wait while the client is slow."""
        await self._link.drained()

    async def computed(self, make: Callable[..., T], *of: object) -> T:
        """What is made in a thread because it takes long; few do so at once, others need threads, too."""
        async with self._server.computing:
            return await asyncio.to_thread(make, *of)

    def answer(self, reply: Reply) -> None:
        """Write everything told and the tagged reply."""
        self._out.append(reply.render(self.tag))
        self._link.write(self._written())

    async def finish(self, reply: Reply, *, expunges: bool) -> None:
        """Write everything told, the news of the selected mailbox, and the tagged reply; raise Ended if it is gone."""
        view = self.session.selected
        if view is not None and view.behind:
            if view.snapshot.deleted:
                self.answer(reply)
                raise Ended("the selected mailbox was deleted")
            for count, piece in enumerate(view.news(expunges=expunges)):
                if count:
                    await self.flush()
                self.tell(piece)
        self.answer(reply)

    def write_now(self, data: bytes) -> None:
        """Write at once, for continuation requests and for news while idling."""
        if self._out:
            self._out.append(data)
            data = self._written()
        self._link.write(data)

    def _written(self) -> bytes:
        data = b"".join(self._out)
        self._out.clear()
        self._told = 0
        return data

    # -- listening

    async def line(self) -> bytes:
        """One raw line of the client."""
        return await self._link.line()

    async def event(self) -> Event:
        return await self._link.event()

    async def receive(self, literal: Literal, take: Callable[[bytes], Awaitable[None]]) -> None:
        """Let the message literal come and hand it over piece by piece."""
        if literal.synchronising:
            self.write_now(b"+ OK\r\n")
        self._link.wire.accept()
        while piece := await self._link.content():
            await take(piece)

    # -- the session's turns

    async def check(self, login: str, password: str) -> Reply:
        """Verify a name and a password and enter the authenticated state; raise LoginFailed and its kin."""
        account = await self._server.logins.check(login, password, self._link.peer, "imap")
        self._release = self._server.sessions.enter(account.id, self._link.peer)
        self.session.authenticated(account, self.store.accounts.hidden(account.id))
        self._link.logged_in()
        return Reply("OK", "logged in", f"CAPABILITY {registry.capabilities(self.session)}")

    async def start_tls(self) -> None:
        await self._link.start_tls()
        self.session.encrypted()

    def enable_condstore(self) -> None:
        """A command has shown that the client knows of modseqs; it is told the latest (RFC 7162 §3.1)."""
        if "CONDSTORE" not in self.session.enabled:
            self.session.enable("CONDSTORE")
            if self.session.selected is not None:
                self.tell(b"* OK [HIGHESTMODSEQ %d] the latest change\r\n" % self.view.modseq)

    def compress(self) -> None:
        """Everything from here is compressed, in both directions."""
        self._link.compress()
        self.session.compressed = True

    async def leave(self) -> bool:
        """Leave the selected mailbox, if there is one; whether there was."""
        view = self.session.unselect()
        if view is None:
            return False
        if view.took_recent:
            with contextlib.suppress(Unavailable):  # \Recent is a courtesy: nothing is refused for its sake
                await self.store.snapshots.save_recent(view.snapshot)
        return True

    def on_writable(self, call: Callable[[], None] | None) -> None:
        self._link.on_writable(call)

    @property
    def writable(self) -> bool:
        return self._link.writable

    def end(self, reason: str) -> None:
        """Say goodbye at the next safe point."""
        self._link.end(reason)

    # -- NOTIFY

    def notify(self, notifying: "Notifying | None") -> None:
        """From now on tell this, and no longer what was told before."""
        if self.notifying is not None:
            self.notifying.stop()
        self.notifying = notifying

    def wake(self) -> None:
        """Something is to be told as soon as the session rests."""
        self._link.wake()

    async def tell_notifications(self) -> None:
        """The session rests: tell what NOTIFY has gathered."""
        view = self.session.selected
        if view is not None and view.snapshot.deleted:
            raise Ended("the selected mailbox was deleted")
        if self.notifying is not None and not await self._told_all(self.notifying):
            self.tell(b"* OK [NOTIFICATIONOVERFLOW] there was too much to tell\r\n")
            self.notify(None)
        if self._out:
            await self.flush()

    @staticmethod
    async def _told_all(notifying: "Notifying") -> bool:
        try:
            return await notifying.tell()
        except GkError:  # a message that cannot be read now; the client has to ask (RFC 5465 §5.8)
            return False

    def close(self) -> None:
        """The connection ended: give back what the session held."""
        self.notify(None)
        self.session.unselect()
        if self._release is not None:
            self._release()
            self._release = None


class Rooms(Protocol):
    """What the server lends its conversations."""

    store: Store
    logins: Logins
    gate: Gate
    limits: Limits
    sessions: "Sessions"
    computing: asyncio.Semaphore


class Sessions:
    """How many sessions each user has from each address."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count: dict[tuple[int, str], int] = {}

    def enter(self, account: int, peer: str) -> Callable[[], None]:
        """Count one more and return what ends it; raise TooManySessions."""
        key = (account, peer)
        count = self._count.get(key, 0)
        if count >= self._limit:
            raise TooManySessions("too many sessions from this address")
        self._count[key] = count + 1
        return lambda: self._leave(key)

    def _leave(self, key: tuple[int, str]) -> None:
        left = self._count[key] - 1
        if left:
            self._count[key] = left
        else:
            del self._count[key]


class TooManySessions(GkError):
    """A user has as many sessions from one address as are allowed."""
