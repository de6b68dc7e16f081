"""The dialogue: which command is next, who the client is (EHLO, STARTTLS, AUTH), and the rest of RFC 5321 §4.1."""

import base64
import logging
import re

from aiosmtpd.smtp import syntax

from gk.accounts import sasl
from gk.errors import LoginDelayed, LoginFailed, Unavailable
from gk.smtp.connection import BANNED, Closed
from gk.smtp.envelope import Peer
from gk.smtp.reply import reply_to
from gk.smtp.transaction import IN_MAIL, NO_GREETING, NO_TLS, Transactions

log = logging.getLogger(__name__)

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NAME = re.compile(r"[!-~]{1,255}")  # of a client: a domain or an address literal, and what real ones send instead
_HTTP = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH", "TRACE"})
_BEFORE_TLS = frozenset({"EHLO", "HELO", "STARTTLS", "NOOP", "RSET", "HELP", "QUIT", "AUTH", "BDAT"})  # RFC 3207 §4
_OLD = frozenset({"EXPN", "TURN", "ETRN", "SEND", "SOML", "SAML"})

EARLY = "554 5.5.1 Talking before it is your turn"


class Session(Transactions):
    """The dialogue with one client."""

    # --- the loop -----------------------------------------------------------------------------------------------------

    async def _handle_client(self) -> None:
        try:
            if self.talking():
                await self.close(EARLY)
            await self.push(f"220 {self.server.hostname} ESMTP GK")
            while True:
                await self._command(await self.line())
                await self.breathe()
        finally:
            self._set_rset_state()

    async def _command(self, line: bytes) -> None:
        """Carry out one line."""
        if not line.endswith(b"\r\n") or _CONTROL.search(line, 0, len(line) - 2):
            await self.fail("500 5.5.2 A line ends with CRLF and holds no control characters")
            return
        verb, _, rest = line[:-2].partition(b" ")
        command = verb.upper().decode("ascii", "replace")
        if len(line) > (sasl.LONGEST if command == "AUTH" else self._limits.command_line):
            await self.fail("500 5.5.2 Line too long")
            return
        method = self._smtp_methods.get(command)
        if method is None:
            if command in _HTTP:
                self._blamed("errors")
                await self.close("421 4.7.0 This is a mail server")
            await self.fail("502 5.5.1 Not offered" if command in _OLD else "500 5.5.1 Unknown command")
            return
        if command not in _BEFORE_TLS and self._lacks_tls():
            await self.fail(NO_TLS)
            return
        try:
            argument = rest.strip(b" \t").decode()
        except UnicodeDecodeError:
            await self.fail("501 5.5.4 Arguments are UTF-8")
            return
        try:
            await method(self, argument)
        except Closed:
            raise
        except Exception:  # the session goes on, the client may try again
            log.exception("event=command_failed command=%s", command)
            self._set_rset_state()
            await self.push("451 4.3.0 Local error, try again")

    # --- who is there -------------------------------------------------------------------------------------------------

    @syntax("EHLO name")
    async def smtp_EHLO(self, hostname: str) -> None:
        if await self._greet(hostname, extended=True):
            auth = self.server.authenticates and not self._lacks_tls()
            await self.push(self.server.keywords(self.secure, auth))

    @syntax("HELO name")
    async def smtp_HELO(self, hostname: str) -> None:
        if await self._greet(hostname, extended=False):
            await self.push(f"250 {self.server.hostname}")

    async def _greet(self, hostname: str, extended: bool) -> bool:
        if not self.greeted and self._buffer:
            await self.close(EARLY)  # RFC 2920 §3.1: EHLO is the last of a group; who goes on reads no replies
        if not _NAME.fullmatch(hostname):
            await self.fail("501 5.5.4 Syntax: EHLO name")
            return False
        self._set_rset_state()
        self.greeted = True
        self.session.host_name, self.session.extended_smtp = hostname, extended
        return True

    @syntax("STARTTLS")
    async def smtp_STARTTLS(self, arg: str) -> None:
        if arg:
            await self.fail("501 5.5.4 Syntax: STARTTLS")
        elif self.secure:
            await self.fail("503 5.5.1 TLS is active already")
        elif self.server.tls is None:
            await self.fail("502 5.5.1 Not offered")
        elif not self.session.host_name:
            await self.fail(NO_GREETING)
        else:
            await self.push("220 2.0.0 Ready to start TLS")
            if not await self.start_tls():
                raise Closed
            self._set_rset_state()  # RFC 3207 §4.2: what the client said before is forgotten
            self.session = Peer(self.loop)

    @syntax("AUTH mechanism [initial-response]")
    async def smtp_AUTH(self, arg: str) -> None:
        if problem := self._cannot_log_in():
            await self.fail(problem)
            return
        words = arg.split()
        mechanism = sasl.MECHANISMS.get(words[0].upper()) if words else None
        if not 1 <= len(words) <= 2:
            await self.fail("501 5.5.4 Syntax: AUTH mechanism [initial-response]")
        elif mechanism is None:
            await self.fail("504 5.5.4 Unknown mechanism")
        else:
            try:
                exchange = mechanism(sasl.decode(words[1].encode()) if len(words) == 2 else None)
                credentials = await self._exchange(exchange)
            except sasl.SaslError:
                await self.fail("501 5.5.2 Not an answer of that mechanism")
            else:
                await self._log_in(credentials)

    def _cannot_log_in(self) -> str | None:
        if not self.server.authenticates:
            return "502 5.5.1 Not offered"
        if self._lacks_tls():
            return "538 5.7.11 Encryption required"
        if not self.session.extended_smtp:
            return NO_GREETING
        if self.session.account is not None:
            return "503 5.5.1 Logged in already"
        return IN_MAIL if self.envelope.opened else None  # RFC 4954 §4

    async def _exchange(self, exchange: sasl.Exchange) -> sasl.Credentials | None:
        """Run a mechanism; None when the client gave up."""
        try:
            challenge = next(exchange)
            while True:
                await self.push(b"334 " + base64.b64encode(challenge))
                line = await self.line()
                if not line.endswith(b"\r\n") or len(line) > sasl.LONGEST:
                    raise sasl.SaslError("not a line of base64")
                if line == b"*\r\n":
                    return None
                challenge = exchange.send(sasl.decode(line[:-2]))
        except StopIteration as done:
            credentials: sasl.Credentials = done.value
            return credentials

    async def _log_in(self, credentials: sasl.Credentials | None) -> None:
        if credentials is None:
            await self.fail("501 5.7.0 Cancelled")
            return
        self.flush()
        try:
            account = await self.server.logins.check(credentials.login, credentials.password, self.peer, "smtp")
        except LoginFailed as error:
            if self.server.gate.bans.banned(self.peer):
                await self.close(BANNED)
            await self.fail(reply_to(error))
        except LoginDelayed as error:
            await self.push(reply_to(error))
        except Unavailable:
            await self.push("454 4.7.0 Too busy, try again")
        else:
            if self._pass is None or not self._pass.enter(account.id):
                await self.close("421 4.7.0 Too many sessions of this user")
            self.session.account = account
            self.session.authenticated = True
            await self.push("235 2.7.0 Welcome")

    # --- the rest -----------------------------------------------------------------------------------------------------

    @syntax("NOOP [anything]")
    async def smtp_NOOP(self, arg: str) -> None:
        await self.push("250 2.0.0 OK")

    @syntax("QUIT")
    async def smtp_QUIT(self, arg: str) -> None:
        if arg:
            await self.fail("501 5.5.4 Syntax: QUIT")
        else:
            await self.close("221 2.0.0 Bye")

    @syntax("VRFY address")
    async def smtp_VRFY(self, arg: str) -> None:
        if arg:
            await self.push("252 2.5.0 Send mail and see")  # RFC 5321 §7.3: nobody is named
        else:
            await self.fail("501 5.5.4 Syntax: VRFY address")

    async def smtp_EXPN(self, arg: str) -> None:
        await self.fail("502 5.5.1 Not offered")

    @syntax("HELP")
    async def smtp_HELP(self, arg: str) -> None:
        known = sorted(name for name, method in self._smtp_methods.items() if self._syntax_available(method))
        await self.push(f"214 2.0.0 {' '.join(known)}")
