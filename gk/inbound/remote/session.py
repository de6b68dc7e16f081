"""One logged-in session with a server elsewhere: every command has an end, and every answer a bound.

After an error in the middle of a command the session is of no use: it is ended, and another one opened later.
"""

import asyncio
import base64
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol as Shape
from typing import TypeVar

from aioimaplib.aioimaplib import AUTH, SELECTED, Command, IdleCommand

from gk.errors import Refused, Unavailable
from gk.inbound.remote import parsing
from gk.inbound.remote.parsing import Fetched, Listed, Selected, quoted
from gk.inbound.remote.protocol import IDLING, Lost, Protocol
from gk.inbound.remote.reader import LINE, Answer
from gk.net.dns import NoSuchName
from gk.store.chosen import uid_set
from gk.store.values import ANSWERED, DELETED, FLAGGED, SEEN
from gk.transfer.answers import BadAnswer

T = TypeVar("T")

CONNECT, COMMAND, BODIES = 30.0, 60.0, 120.0  # seconds for a connection, a command, and one that brings messages
BYE = 5.0  # seconds for LOGOUT
RANGE = 200  # uids of one FETCH
HEADER = 64 << 10  # octets of the four fields of one message
SEARCHED = 9 << 20  # octets of an answer to SEARCH: a million uids
TALK = 1 << 20  # octets of any other answer
SLACK = 64 << 10  # octets around messages
FEW, SHORT = 20, 4096  # answers, and octets of them without literals, that are read in the event loop
EXTRA = 1024  # octets around one message, and by which it may be larger than the server said
ADDRESSES = 4  # of a host that are tried
_LOOK = "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)])"
_WORDS = ((SEEN, "\\Seen"), (ANSWERED, "\\Answered"), (FLAGGED, "\\Flagged"), (DELETED, "\\Deleted"))


class LoginRefused(Unavailable):
    """The server does not take the login: to try it soon again would lock the account."""


class Looks(Shape):
    """Where names are looked up."""

    async def addresses(self, host: str) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Server:
    """Where the account is and how it is entered."""

    host: str
    port: int
    user: str
    context: ssl.SSLContext | None
    password: str = field(repr=False)


class Session:
    """What can be asked of a mailbox there. All of it raises Lost, Refused (NO, BAD) and BadAnswer."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._capabilities: frozenset[str] = frozenset()

    @classmethod
    async def open(cls, server: Server, looks: Looks) -> "Session":
        """Connect and log in. Raises Lost, LoginRefused."""
        protocol = await _connected(server, looks)
        session = cls(protocol)
        try:
            await session._begin(server)
        except BaseException:
            protocol.end("left")
            raise
        return session

    async def _begin(self, server: Server) -> None:
        try:
            async with asyncio.timeout(CONNECT):
                greeting = await self._protocol.greeting
        except TimeoutError:
            raise Lost("the server says nothing") from None
        if greeting[:4].upper() != b"* OK":
            raise Lost("the server takes no sessions now")
        self._protocol.begin()
        await self._learn()
        await self._log_in(server)
        self._protocol.state = AUTH
        await self._learn()

    async def _learn(self) -> None:
        answers, _ = await self._ask("CAPABILITY")
        self._capabilities = parsing.capabilities(answers)

    async def _log_in(self, server: Server) -> None:
        """By SASL PLAIN where it takes one step (RFC 4959), else by LOGIN."""
        if self.has("AUTH=PLAIN") and self.has("SASL-IR"):
            secret = base64.b64encode(f"\0{server.user}\0{server.password}".encode()).decode()
            words = ("AUTHENTICATE", "PLAIN", secret)
        elif self.has("LOGINDISABLED"):
            raise LoginRefused("the server takes no password this way")
        else:
            words = ("LOGIN", quoted(server.user), quoted(server.password))
        try:
            await self._ask(*words)
        except Refused as error:
            raise LoginRefused(f"the server refuses the login{_code(error)}") from None

    def has(self, capability: str) -> bool:
        """Whether the server says so, now that it knows who asks."""
        return capability in self._capabilities

    async def _ask(
        self,
        name: str,
        *arguments: str,
        uid: bool = False,
        octets: int = TALK,
        line: int = LINE,
        patience: float = 0.0,
    ) -> tuple[list[Answer], bytes]:
        """Do a command: what was told, and the line that ended it."""
        protocol = self._protocol
        protocol.reader.grant(octets, line)
        try:
            command = Command(name, protocol.new_tag(), *arguments, prefix="UID" if uid else None)
        except ValueError:
            raise Refused("a name there holds control characters") from None
        try:
            async with asyncio.timeout(patience or COMMAND):
                status, done, answers = await protocol.run(command)
        except TimeoutError:
            protocol.end("the server did not answer in time")
            raise Lost(protocol.why) from None
        except asyncio.CancelledError:
            protocol.end("left")
            raise
        if status != "OK":
            raise Refused(f"the server refuses {name}{_bracketed(parsing.code(done))}")
        return answers, done

    # --- mailboxes ----------------------------------------------------------------------------------------------------

    async def mailboxes(self) -> list[Listed]:
        """All mailboxes that can be selected."""
        more = ("RETURN", "(SPECIAL-USE)") if self.has("LIST-EXTENDED") and self.has("SPECIAL-USE") else ()
        answers, _ = await self._ask("LIST", '""', '"*"', *more, octets=4 * TALK)
        return await _off(parsing.listed, answers)

    async def select(self, raw: bytes) -> Selected:
        """Select a mailbox for reading and writing."""
        arguments = (quoted(raw), "(CONDSTORE)") if self.has("CONDSTORE") else (quoted(raw),)
        answers, done = await self._ask("SELECT", *arguments)
        self._protocol.state, self._protocol.news = SELECTED, False
        return await _off(parsing.selected, [*answers, (b"* " + done,)])

    # --- messages of the selected one ---------------------------------------------------------------------------------

    async def search(self, *criteria: str) -> list[int]:
        """The uids of the messages that fit, in order."""
        shown = ("RETURN", "(ALL)") if self.has("ESEARCH") else ()
        answers, _ = await self._ask("SEARCH", *shown, *criteria, uid=True, octets=SEARCHED, line=SEARCHED)
        return await _off(parsing.searched, answers)

    async def look(self, uids: Sequence[int]) -> dict[int, Fetched]:
        """What is to be known of messages before they are taken, of at most 200."""
        octets = SLACK + len(uids) * HEADER
        answers, _ = await self._ask("FETCH", uid_set(uids[:RANGE]), _LOOK, uid=True, octets=octets)
        return await _read(answers, set(uids))

    async def flags(self, uids: Sequence[int]) -> dict[int, Fetched]:
        """The flags of at most 200 messages."""
        answers, _ = await self._ask("FETCH", uid_set(uids[:RANGE]), "(UID FLAGS)", uid=True)
        return await _read(answers, set(uids))

    async def bodies(self, sizes: dict[int, int]) -> dict[int, bytes]:
        """Whole messages, by their uids, with the sizes the server said; what is missing it did not send."""
        octets = SLACK + sum(sizes.values()) + EXTRA * len(sizes)
        answers, _ = await self._ask(
            "FETCH", uid_set(sorted(sizes)), "(UID BODY.PEEK[])", uid=True, octets=octets, patience=BODIES
        )
        found = await _read(answers, set(sizes))
        return {uid: one.body for uid, one in found.items() if one.body is not None}

    async def piece(self, uid: int, start: int, length: int) -> bytes:
        """A piece of a message, b"" behind its end."""
        answers, _ = await self._ask(
            "FETCH", str(uid), f"(UID BODY.PEEK[]<{start}.{length}>)", uid=True, octets=SLACK + length, patience=BODIES
        )
        found = parsing.messages(answers, {uid}).get(uid)
        body = found.body if found else None
        if body is None:
            return b""
        if len(body) > length:
            raise BadAnswer("the server sends more than was asked for")
        return body

    async def store(self, uids: Sequence[int], sign: str, flags: int) -> None:
        """Add ("+") or remove ("-") system flags of at most 200 messages."""
        words = " ".join(word for bit, word in _WORDS if flags & bit)
        await self._ask("STORE", uid_set(uids[:RANGE]), f"{sign}FLAGS.SILENT", f"({words})", uid=True)

    async def move(self, uids: Sequence[int], raw: bytes) -> tuple[int, dict[int, int]]:
        """Move at most 200 messages (RFC 6851): the UIDVALIDITY there and the new uids, as far as they are told."""
        answers, done = await self._ask("MOVE", uid_set(uids[:RANGE]), quoted(raw), uid=True)
        return parsing.copied([*map(parsing.text, answers), done])

    async def copy(self, uids: Sequence[int], raw: bytes) -> tuple[int, dict[int, int]]:
        """The same for copies."""
        answers, done = await self._ask("COPY", uid_set(uids[:RANGE]), quoted(raw), uid=True)
        return parsing.copied([*map(parsing.text, answers), done])

    async def expunge(self, uids: Sequence[int]) -> None:
        """Remove these messages and no others (RFC 4315 §2.1), which are \\Deleted by then."""
        await self._ask("EXPUNGE", uid_set(uids[:RANGE]), uid=True)

    # --- waiting ------------------------------------------------------------------------------------------------------

    async def idle(self, seconds: float, wake: asyncio.Event) -> bool:
        """Wait until the server tells something (RFC 2177), `wake` is set, or so long; whether the server did.

        What it told since SELECT, with answers to other commands, it does not tell again.
        """
        protocol = self._protocol
        if protocol.news:
            return True
        protocol.reader.grant(IDLING)
        protocol.quiet()
        command = IdleCommand(protocol.new_tag(), protocol.idle_queue)
        async with asyncio.TaskGroup() as group:
            idling = group.create_task(_until_done(protocol, command), name="remote idle")
            heard = group.create_task(protocol.heard.wait(), name="remote news")
            woken = group.create_task(wake.wait(), name="remote wake")
            try:
                await asyncio.wait([idling, heard, woken], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                if not idling.done():
                    await self._end_idle(idling)
                told = protocol.heard.is_set()
            except asyncio.CancelledError:  # the server stops: nobody waits for goodbyes
                protocol.end("left")
                raise
            finally:
                for task in (heard, woken, idling):
                    task.cancel()
        if protocol.why:
            raise Lost(protocol.why)
        return told

    async def _end_idle(self, idling: "asyncio.Task[None]") -> None:
        protocol = self._protocol
        try:
            async with asyncio.timeout(COMMAND):
                begun = asyncio.ensure_future(protocol.wait_for_idle_response())
                await asyncio.wait([begun, idling], return_when=asyncio.FIRST_COMPLETED)
                begun.cancel()
                if not idling.done():
                    protocol.idle_done()
                    await asyncio.wait([idling])
        except TimeoutError:
            protocol.end("the server did not answer in time")

    async def leave(self) -> None:
        """Say goodbye, and do not wait long for the answer."""
        if not self._protocol.why:
            try:
                await self._ask("LOGOUT", patience=BYE)
            except (Unavailable, Refused):
                pass  # gone either way
        self._protocol.end("left")


async def _off(read: Callable[[Sequence[Answer]], T], answers: Sequence[Answer]) -> T:
    """Read answers, off the loop where they are many or long."""
    if len(answers) > FEW or sum(len(parsing.text(answer)) for answer in answers) > SHORT:
        return await asyncio.to_thread(read, answers)
    return read(answers)


async def _read(answers: Sequence[Answer], asked: set[int]) -> dict[int, Fetched]:
    return await _off(lambda answers: parsing.messages(answers, asked), answers)


async def _until_done(protocol: Protocol, command: IdleCommand) -> None:
    try:
        status, _, _ = await protocol.run(command)
    except Unavailable:
        return  # `why` tells
    if status != "OK":
        protocol.end("the server refuses IDLE")


async def _connected(server: Server, looks: Looks) -> Protocol:
    loop = asyncio.get_running_loop()
    try:
        found = ["127.0.0.1", "::1"] if server.host == "localhost" else await looks.addresses(server.host)
    except NoSuchName:
        raise Lost(f"the name {server.host} does not exist") from None
    why = f"the name {server.host} has no address"
    for address in found[:ADDRESSES]:
        protocol = Protocol(loop)
        try:
            async with asyncio.timeout(CONNECT):
                transport, _ = await loop.create_connection(
                    lambda protocol=protocol: protocol, address, server.port, ssl=server.context,
                    server_hostname=server.host if server.context else None,
                )  # fmt: skip
            _keep_alive(transport.get_extra_info("socket"))
            return protocol
        except ssl.SSLCertVerificationError as error:
            why = f"the server's certificate cannot be trusted ({error.verify_message})"
        except ssl.SSLError:
            why = "TLS failed"
        except TimeoutError:
            why = "the server was not reached in time"
        except OSError as error:
            why = f"the server was not reached ({error.strerror or type(error).__name__})"
    raise Lost(why)


def _keep_alive(sock: socket.socket) -> None:
    """Have the kernel notice within minutes that nobody is there any more: IDLE says nothing for long."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 30), (socket.TCP_KEEPCNT, 4)):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _code(error: Refused) -> str:
    """The response code an error of `_ask` ends with."""
    found = str(error).rpartition(" [")[2]
    return f" [{found}" if found.endswith("]") else ""


def _bracketed(code: str) -> str:
    return f" [{code}]" if code else ""
