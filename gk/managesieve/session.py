"""The commands of ManageSieve (RFC 5804 §2): what each does to the scripts of the account that is logged in."""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from gk import __version__
from gk.accounts.sasl import MECHANISMS, Credentials, Exchange, SaslError, decode
from gk.errors import (
    GkError,
    LimitReached,
    LoginDelayed,
    LoginFailed,
    NoSuchScript,
    ScriptActive,
    ScriptExists,
    Unavailable,
)
from gk.managesieve.wire import Command, response, string
from gk.sieve.errors import SieveError
from gk.sieve.run import REDIRECTS
from gk.sieve.script import compile
from gk.sieve.words import EXTENSIONS
from gk.store.values import Account

if TYPE_CHECKING:
    from gk.managesieve.server import ManageSieveServer

NAME = 128  # characters of the name of a script, RFC 5804 §1.6
IN_LOOP = 1 << 10  # octets of a script that is compiled in the event loop; longer ones take a thread
_NO_NAME = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # RFC 5804 §1.6

_CODES: tuple[tuple[type[GkError], str], ...] = (
    (NoSuchScript, "NONEXISTENT"),
    (ScriptExists, "ALREADYEXISTS"),
    (ScriptActive, "ACTIVE"),
    (LimitReached, "QUOTA/MAXSCRIPTS"),
    (Unavailable, "TRYLATER"),
)


class BadCommand(Exception):
    """The command makes no sense; counted, unlike one that is refused."""


class Link(Protocol):
    """The connection below a session."""

    peer: str
    encrypted: bool

    def write(self, data: bytes) -> None: ...
    async def answer(self) -> Command:
        """What the client says to a challenge."""
        ...

    async def start_tls(self) -> None: ...
    def logged_in(self, account: Account) -> bool:
        """Take note of a login; false where the user has too many sessions."""
        ...

    def logged_out(self) -> None: ...


class Session:
    """One client: its login, and an answer to each command."""

    def __init__(self, link: Link, server: "ManageSieveServer") -> None:
        self._link, self._server = link, server
        self._scripts = server.store.scripts
        self.account: Account | None = None
        self.ended = False

    def greeting(self) -> bytes:
        """The capabilities and OK: at the beginning, behind TLS, and for CAPABILITY (RFC 5804 §1.7)."""
        link, server = self._link, self._server
        may_log_in = link.encrypted or not server.require_tls
        lines = [
            ("IMPLEMENTATION", f"GK {__version__}"),
            ("SASL", " ".join(MECHANISMS) if may_log_in and self.account is None else ""),
            ("SIEVE", " ".join(EXTENSIONS)),
            ("MAXREDIRECTS", str(REDIRECTS)),
        ]
        if self.account is not None:
            lines.append(("OWNER", self.account.address))
        text = b"".join(string(name.encode()) + b" " + string(value.encode()) + b"\r\n" for name, value in lines)
        if not link.encrypted and server.tls is not None and self.account is None:
            text += b'"STARTTLS"\r\n'
        return text + b'"UNAUTHENTICATE"\r\n"VERSION" "1.0"\r\n' + response("OK", f"{server.hostname} GK")

    async def take(self, command: Command) -> bytes:
        """The answer to a command. Raises BadCommand."""
        if command.name not in _COMMANDS:
            raise BadCommand("there is no such command")
        run, kinds, optional = _COMMANDS[command.name]
        given = command.arguments
        if not len(kinds) - optional <= len(given) <= len(kinds) or not all(map(isinstance, given, kinds)):
            raise BadCommand("these are not the arguments it takes")
        if self.account is None and command.name not in _BEFORE_LOGIN:
            return response("NO", "log in first")
        try:
            return await run(self, *given)
        except GkError as error:
            code = next((code for kind, code in _CODES if isinstance(error, kind)), "")
            return response("NO", str(error), code)

    # --- who --------------------------------------------------------------------------------------------------------

    async def authenticate(self, mechanism: bytes, initial: bytes | None = None) -> bytes:
        """RFC 5804 §2.1."""
        if self.account is not None:
            return response("NO", "there is somebody logged in already")
        if self._server.require_tls and not self._link.encrypted:
            return response("NO", "start TLS first", "ENCRYPT-NEEDED")
        exchange = MECHANISMS.get(mechanism.decode("ascii", "replace").upper())
        if exchange is None:
            return response("NO", "that mechanism is not offered")
        try:
            credentials = await self._exchange(exchange(None if initial is None else decode(initial)))
        except SaslError as error:
            return response("NO", str(error))
        if credentials is None:
            return response("NO", "cancelled")
        try:
            account = await self._server.logins.check(
                credentials.login, credentials.password, self._link.peer, "managesieve"
            )
        except LoginFailed as error:
            return response("NO", str(error))
        except LoginDelayed as error:
            return response("NO", str(error), "TRYLATER")
        if not self._link.logged_in(account):
            return response("NO", "too many sessions of this user", "TRYLATER")
        self.account = account
        return response("OK", "logged in")

    async def _exchange(self, exchange: Exchange) -> Credentials | None:
        """Carry challenges and answers; None where the client gives up."""
        try:
            challenge = next(exchange)
            while True:
                self._link.write(string(base64.b64encode(challenge)) + b"\r\n")
                answer = await self._link.answer()
                if len(answer.arguments) != 1 or not isinstance(answer.arguments[0], bytes):
                    raise SaslError("an answer is one string")
                if answer.arguments[0] == b"*":
                    return None
                challenge = exchange.send(decode(answer.arguments[0]))
        except StopIteration as done:
            credentials: Credentials = done.value
            return credentials

    async def unauthenticate(self) -> bytes:
        """RFC 5804 §2.14."""
        self._link.logged_out()
        self.account = None
        return response("OK")

    async def starttls(self) -> bytes:
        """RFC 5804 §2.2: behind the handshake the capabilities are told anew."""
        if self._link.encrypted:
            return response("NO", "TLS is on already")
        if self._server.tls is None or self.account is not None:
            return response("NO", "TLS cannot be started here")
        self._link.write(response("OK", "begin TLS"))
        await self._link.start_tls()
        return self.greeting()

    async def capability(self) -> bytes:
        """RFC 5804 §2.4."""
        return self.greeting()

    async def logout(self) -> bytes:
        """RFC 5804 §2.3."""
        self.ended = True
        return response("OK", "goodbye")

    async def noop(self, tag: bytes | None = None) -> bytes:
        """RFC 5804 §2.13."""
        return response("OK", "done") if tag is None else response("OK", "done", "TAG", tag)

    # --- scripts ----------------------------------------------------------------------------------------------------

    async def havespace(self, name: bytes, size: int) -> bytes:
        """RFC 5804 §2.5."""
        if (refused := self._too_large(size)) is not None:
            return refused
        names = {script.name for script in self._scripts.names(self._who)}
        if _name(name) not in names and len(names) >= self._server.limits.scripts:
            return response("NO", "there are as many scripts as there may be", "QUOTA/MAXSCRIPTS")
        return response("OK")

    async def putscript(self, name: bytes, script: bytes) -> bytes:
        """RFC 5804 §2.6: kept only if it compiles."""
        named = _name(name)
        if (refused := self._too_large(len(script)) or await self._refused(script)) is not None:
            return refused
        await self._scripts.put(self._who, named, script.decode())
        return response("OK", "kept")

    async def checkscript(self, script: bytes) -> bytes:
        """RFC 5804 §2.12."""
        return self._too_large(len(script)) or await self._refused(script) or response("OK", "this script is sound")

    async def listscripts(self) -> bytes:
        """RFC 5804 §2.7."""
        lines = [
            string(script.name.encode()) + (b" ACTIVE" if script.active else b"") + b"\r\n"
            for script in self._scripts.names(self._who)
        ]
        return b"".join(lines) + response("OK")

    async def setactive(self, name: bytes) -> bytes:
        """RFC 5804 §2.8: the empty name stands for none."""
        await self._scripts.activate(self._who, _name(name) if name else None)
        return response("OK")

    async def getscript(self, name: bytes) -> bytes:
        """RFC 5804 §2.9."""
        script = self._scripts.get(self._who, _name(name)).encode()
        return b"{%d}\r\n%b\r\n" % (len(script), script) + response("OK")

    async def deletescript(self, name: bytes) -> bytes:
        """RFC 5804 §2.10."""
        await self._scripts.delete(self._who, _name(name))
        return response("OK")

    async def renamescript(self, old: bytes, new: bytes) -> bytes:
        """RFC 5804 §2.11."""
        await self._scripts.rename(self._who, _name(old), _name(new))
        return response("OK")

    @property
    def _who(self) -> int:
        assert self.account is not None
        return self.account.id

    def _too_large(self, size: int) -> bytes | None:
        limit = self._server.limits.script_bytes
        return response("NO", f"a script has at most {limit:,} bytes", "QUOTA/MAXSIZE") if size > limit else None

    async def _refused(self, script: bytes) -> bytes | None:
        """Why a script is not taken, None where it is."""
        limit = self._server.limits.script_bytes
        try:
            if len(script) <= IN_LOOP:
                compile(script, limit)
            else:
                async with self._server.compiling:
                    await asyncio.to_thread(compile, script, limit)
        except SieveError as error:
            return response("NO", str(error))
        return None


def _name(raw: bytes) -> str:
    """The name of a script. Raises BadCommand (RFC 5804 §1.6)."""
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadCommand("the name of a script is UTF-8") from None
    if not name or len(name) > NAME or _NO_NAME.search(name):
        raise BadCommand(f"the name of a script has 1 to {NAME} characters, none of them a control character")
    return name


Run: TypeAlias = Callable[..., Awaitable[bytes]]

# Each command with the kinds of arguments it takes; how many may be left out at the end.
_COMMANDS: dict[str, tuple[Run, tuple[type, ...], int]] = {
    "AUTHENTICATE": (Session.authenticate, (bytes, bytes), 1),
    "STARTTLS": (Session.starttls, (), 0),
    "LOGOUT": (Session.logout, (), 0),
    "CAPABILITY": (Session.capability, (), 0),
    "HAVESPACE": (Session.havespace, (bytes, int), 0),
    "PUTSCRIPT": (Session.putscript, (bytes, bytes), 0),
    "LISTSCRIPTS": (Session.listscripts, (), 0),
    "SETACTIVE": (Session.setactive, (bytes,), 0),
    "GETSCRIPT": (Session.getscript, (bytes,), 0),
    "DELETESCRIPT": (Session.deletescript, (bytes,), 0),
    "RENAMESCRIPT": (Session.renamescript, (bytes, bytes), 0),
    "CHECKSCRIPT": (Session.checkscript, (bytes,), 0),
    "NOOP": (Session.noop, (bytes,), 1),
    "UNAUTHENTICATE": (Session.unauthenticate, (), 0),
}
_BEFORE_LOGIN = frozenset({"AUTHENTICATE", "STARTTLS", "LOGOUT", "CAPABILITY", "NOOP"})
