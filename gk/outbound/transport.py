"""One conversation with one server (RFC 5321 §3.3), by aiosmtplib: opportunistic TLS, one answer for each recipient.

What has one owner here is aiosmtplib: it connects, secures and logs in; MAIL, RCPT and the content are sent by hand,
because each has its own time-out, a content of 50 MiB goes out in pieces, and nothing is believed that the server said
before it was asked.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import aiosmtplib

from gk.config import Outbound
from gk.message.address import AddressError, ascii_domain, parse_address
from gk.outbound.letter import Letter
from gk.outbound.route import Target
from gk.store.outgoing import Claim, ClaimedRecipient

GROUP = 100  # recipients of one transaction: what every server takes, RFC 5321 §4.5.3.1.8
REPLY = 500  # characters of a remote reply that are kept
PIECE = 64 << 10  # bytes sent before the loop looks elsewhere
RATE = 1024  # bytes a second below which a server is not sent to
LINGER = 10.0  # seconds a closing connection has to take what was written


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds, RFC 5321 §4.5.3.2; `tls` is a handshake, `envelope` a server's share for one group of recipients."""

    connect: float = 30
    banner: float = 60
    tls: float = 60
    command: float = 300
    envelope: float = 900
    data: float = 120
    block: float = 180
    final: float = 600


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one recipient: `code` is the reply's, 0 where there was none.

    `doubtful`: the content went out whole and no answer came. `told`: the server promised to confirm the delivery
    itself (DSN).
    """

    no: int
    code: int
    text: str
    remote: str
    told: bool = False
    doubtful: bool = False

    @property
    def accepted(self) -> bool:
        return 200 <= self.code < 300

    @property
    def permanent(self) -> bool:
        return 500 <= self.code < 600


class NoService(Exception):
    """The server was not reached or would not talk: no recipient was named to it. `code` 0 without a reply."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


class TlsFailed(Exception):
    """STARTTLS was offered and did not lead to a usable session."""


class _OutOfStep(aiosmtplib.SMTPException):
    """The server said more than it was asked: its replies no longer belong to the commands."""


class Transport:
    """Speaks to servers as this one, or as the account at the smarthost."""

    def __init__(self, config: Outbound, hostname: str, password: str | None, patience: Patience | None = None) -> None:
        self._config, self._hostname, self._password = config, hostname, password
        self._patience = patience or Patience()
        self._any = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # RFC 7435: encrypted to nobody in particular
        self._any.check_hostname, self._any.verify_mode = False, ssl.CERT_NONE
        self._verified = ssl.create_default_context() if config.smarthost else self._any

    async def send(
        self, target: Target, claim: Claim, recipients: Sequence[ClaimedRecipient], letter: Letter, *, tls: bool
    ) -> list[Answer]:
        """Offer the message for these recipients; an answer for each.

        Raises NoService, TlsFailed (only where `tls` and TLS is not required: try without), Removed, Unavailable.
        """
        sock = await self._reach(target)
        server = aiosmtplib.SMTP(
            sock=sock, hostname=target.host, local_hostname=self._hostname, start_tls=False,
            use_tls=self._tls == "tls", tls_context=self._verified if self._tls == "tls" else None,
        )  # fmt: skip
        try:
            await self._open(server, target, tls)
            return await _Exchange(server, target, claim, letter, self._patience).offer(recipients)
        finally:
            _leave(server)

    @property
    def _tls(self) -> str:
        return self._config.smarthost_tls if self._config.smarthost else "opportunistic"

    async def _reach(self, target: Target) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in target.address else socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(self._patience.connect):
                await asyncio.get_running_loop().sock_connect(sock, (target.address, target.port))
        except OSError as error:
            sock.close()
            why = os.strerror(error.errno) if error.errno else "timed out"
            raise NoService(0, f"no connection to {target.address} ({why})") from None
        except BaseException:
            sock.close()
            raise
        return sock

    async def _open(self, server: aiosmtplib.SMTP, target: Target, tls: bool) -> None:
        """Banner, EHLO, TLS, login."""
        try:
            await server.connect(timeout=self._patience.banner)
            await self._greet(server)
            if self._tls == "starttls" or (self._tls == "opportunistic" and tls):
                await self._secure(server, target)
            if self._config.smarthost and self._config.smarthost_user:
                await server.login(self._config.smarthost_user, self._password or "", timeout=self._patience.command)
        except aiosmtplib.SMTPResponseException as error:
            text = clean(error.message)
            if self._config.smarthost:  # a wrong password is nobody's mail bounced
                raise NoService(0, f"{error.code} {text}") from None
            raise NoService(known(error.code), text) from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise NoService(0, reason(error)) from None

    async def _greet(self, server: aiosmtplib.SMTP) -> None:
        try:
            await server.ehlo(timeout=self._patience.command)
        except aiosmtplib.SMTPHeloError as error:
            if not 500 <= error.code < 600:
                raise
            await server.helo(timeout=self._patience.command)  # RFC 5321 §3.2: a server of before 1995
        in_step(server)

    async def _secure(self, server: aiosmtplib.SMTP, target: Target) -> None:
        required = self._tls == "starttls"
        if not server.supports_extension("starttls"):
            if required:
                raise NoService(0, "the smarthost offers no STARTTLS; see outbound.smarthost_tls")
            return
        context = self._verified if required else self._any
        name = target.host if not target.host.startswith("[") else target.address
        try:
            # Whatever else the server said before the handshake is dropped, RFC 3207 §4.2.
            await server.starttls(tls_context=context, server_hostname=name, timeout=self._patience.tls)
            await server.ehlo(timeout=self._patience.command)
            in_step(server)
        except aiosmtplib.SMTPResponseException:
            if required or not server.is_connected:
                raise
            await self._greet(server)  # it announced STARTTLS and refuses it: go on as if it had not
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            if required:
                raise
            raise TlsFailed(reason(error)) from None


class _Exchange:
    """The transactions of one claim over one open connection."""

    def __init__(
        self, server: aiosmtplib.SMTP, target: Target, claim: Claim, letter: Letter, patience: Patience
    ) -> None:
        self._server, self._claim, self._letter, self._patience = server, claim, letter, patience
        self._host = target.host
        self._dsn = server.supports_extension("dsn")
        self._answers: dict[int, Answer] = {}
        self._opened = False  # a transaction that did not come to its content

    async def offer(self, recipients: Sequence[ClaimedRecipient]) -> list[Answer]:
        left = list(recipients)
        content = await self._letter.read()
        if not content.isascii() and not self._server.supports_extension("8bitmime"):
            return self._all(recipients, 554, "5.6.3 the server takes no 8-bit mail, and a message is not rewritten")
        try:
            while left:
                group, left = left[:GROUP], left[GROUP:]
                left = await self._transaction(group, content) + left
        except aiosmtplib.SMTPResponseException as error:
            return self._all(recipients, known(error.code), clean(error.message))
        except (aiosmtplib.SMTPException, OSError) as error:
            return self._all(recipients, 0, reason(error))
        return [self._answers[r.no] for r in recipients]

    async def _transaction(self, recipients: list[ClaimedRecipient], content: bytes) -> list[ClaimedRecipient]:
        """MAIL, RCPT, DATA; return those the server had no more room for in this one."""
        async with asyncio.timeout(self._patience.envelope):
            if self._opened:
                await self._ask(b"RSET", timeout=self._patience.command)
            taken, later = await self._envelope(recipients, content)
        if not taken:
            return []
        try:
            code, text = await self._content(content)
        except _Unanswered as fault:
            for recipient in taken:
                self._answer(recipient, 0, str(fault), doubtful=True)
            raise aiosmtplib.SMTPServerDisconnected(str(fault)) from None
        self._opened = False
        for recipient in taken:
            self._answer(recipient, code, text, told=self._dsn)
        return later

    async def _envelope(
        self, recipients: list[ClaimedRecipient], content: bytes
    ) -> tuple[list[ClaimedRecipient], list[ClaimedRecipient]]:
        """(those the server took, those it had no more room for)."""
        utf8 = self._server.supports_extension("smtputf8")
        spelled = {r.no: _spelled(r.address, utf8) for r in recipients}
        sender = _spelled(self._claim.sender, utf8)
        known_ = [r for r in recipients if spelled[r.no] is not None]
        for recipient in recipients:
            if sender is None or spelled[recipient.no] is None:
                self._answer(recipient, 553, "5.6.7 the server does not take internationalised addresses")
        if sender is None or not known_:
            return [], []
        international = utf8 and not (
            sender.isascii()
            and all((spelled[r.no] or "").isascii() for r in known_)
            and content[: content.find(b"\r\n\r\n")].isascii()
        )
        code, text = await self._command(f"MAIL FROM:<{sender}>", self._mail_options(content, international))
        if not 200 <= code < 300:
            self._all(known_, code, text)
            return [], []
        self._opened = True
        taken, later = [], []
        for recipient in known_:
            code, text = await self._command(f"RCPT TO:<{spelled[recipient.no]}>", self._rcpt_options(recipient))
            if 200 <= code < 300:
                taken.append(recipient)
            elif code == 452 and taken:  # RFC 5321 §4.5.3.1.10: the next transaction
                later.append(recipient)
            else:
                self._answer(recipient, code, text)
        return taken, later

    async def _content(self, content: bytes) -> tuple[int, str]:
        """DATA and the message; raise _Unanswered when it went out whole and no reply came."""
        reply = await self._ask(b"DATA", timeout=self._patience.data)
        if reply.code != 354:
            return known(reply.code), clean(reply.message)
        protocol, transport = self._server.protocol, self._server.transport
        if protocol is None or not isinstance(transport, asyncio.WriteTransport):
            raise aiosmtplib.SMTPServerDisconnected("the connection was lost")
        answer = asyncio.ensure_future(protocol.read_response())
        try:
            async with asyncio.timeout(self._patience.block + len(content) / RATE):
                for piece in dotted(content):
                    transport.write(piece)
                    async with asyncio.timeout(self._patience.block):
                        await protocol._drain_helper()  # aiosmtplib's own way writes 50 MiB at once
                    if answer.done():
                        raise ConnectionAbortedError
            transport.write(b".\r\n")
            try:
                async with asyncio.timeout(self._patience.final):
                    reply = await answer
            except (aiosmtplib.SMTPException, OSError) as error:
                raise _Unanswered(reason(error)) from None
            return known(reply.code), clean(reply.message)
        except ConnectionError:
            transport.abort()
            if not answer.done():
                raise
            return _early(answer)
        except BaseException:
            transport.abort()  # in the middle of a message nothing more can be said
            raise
        finally:
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # seen, whatever it was

    async def _command(self, line: str, options: list[str]) -> tuple[int, str]:
        words = " ".join([line, *options]).encode()
        reply = await self._ask(words, timeout=self._patience.command)
        return known(reply.code), clean(reply.message)

    async def _ask(self, command: bytes, *, timeout: float) -> aiosmtplib.SMTPResponse:
        reply = await self._server.execute_command(command, timeout=timeout)
        in_step(self._server)
        return reply

    def _mail_options(self, content: bytes, international: bool) -> list[str]:
        server, claim = self._server, self._claim
        options = [f"SIZE={len(content)}"] if server.supports_extension("size") else []
        options += [] if content.isascii() else ["BODY=8BITMIME"]
        options += ["SMTPUTF8"] if international else []
        if self._dsn:  # RFC 3461 §5.2.1: passed on as they came
            options += [f"RET={claim.ret}"] if claim.ret else []
            options += [f"ENVID={claim.envid}"] if claim.envid else []
        return options

    def _rcpt_options(self, recipient: ClaimedRecipient) -> list[str]:
        if not self._dsn:
            return []
        options = [f"NOTIFY={recipient.notify}"] if recipient.notify else []
        return options + ([f"ORCPT={recipient.orcpt}"] if recipient.orcpt else [])

    def _answer(
        self, recipient: ClaimedRecipient, code: int, text: str, *, told: bool = False, doubtful: bool = False
    ) -> None:
        self._answers[recipient.no] = Answer(recipient.no, code, text, self._host, told and 200 <= code < 300, doubtful)

    def _all(self, recipients: Sequence[ClaimedRecipient], code: int, text: str) -> list[Answer]:
        """The same answer for all that have none yet."""
        for recipient in recipients:
            if recipient.no not in self._answers:
                self._answer(recipient, code, text)
        return [self._answers[r.no] for r in recipients]


class _Unanswered(Exception):
    """Nobody knows whether the message was taken (RFC 1047)."""


def dotted(content: bytes) -> Iterator[bytes]:
    """The content in pieces as they go over the wire: CRLF line ends, dots doubled (RFC 5321 §4.5.2), no final dot."""
    start, size = 0, len(content)
    while start < size:
        end = content.find(b"\n", min(start + PIECE, size) - 1) + 1 or size
        piece = content[start:end].replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
        start = end
        if piece.startswith(b"."):
            piece = b"." + piece
        piece = piece.replace(b"\r\n.", b"\r\n..")
        yield piece if piece.endswith(b"\n") else piece + b"\r\n"


def _early(answer: "asyncio.Future[aiosmtplib.SMTPResponse]") -> tuple[int, str]:
    """What a reply before the end of the message is worth: a refusal is one, an acceptance cannot be."""
    if answer.exception() is not None:
        return 0, reason(answer.exception())
    reply = answer.result()
    if reply.code >= 400:
        return known(reply.code), clean(reply.message)
    return 0, "the server answered before it had the message"


def _spelled(address: str, utf8: bool) -> str | None:
    """An address as this server takes it: a domain can be written in ASCII, a local part cannot (RFC 6531 §3.2)."""
    if utf8 or address.isascii():
        return address
    try:
        local, domain = str(parse_address(address)).rpartition("@")[::2]
        domain = ascii_domain(domain)
    except AddressError:
        return None
    return f"{local}@{domain}" if local.isascii() else None


def in_step(server: aiosmtplib.SMTP) -> None:
    """Raise when the server has said more than one reply: nothing is pipelined here, so it answers nobody."""
    if server.protocol is not None and server.protocol._buffer:
        raise _OutOfStep("the server answered what it was not asked")


def known(code: int) -> int:
    """A reply code; nonsense counts as no answer, so that it is tried again."""
    return code if 200 <= code < 600 else 0


def clean(text: str) -> str:
    """A remote reply as one bounded line of printable characters."""
    line = text[: 4 * REPLY].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in line).split())[:REPLY]


def reason(error: BaseException | None) -> str:
    """A fault in words fit for a sender."""
    if isinstance(error, aiosmtplib.SMTPConnectError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, TimeoutError):
        return "the server did not answer in time"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    if isinstance(error, ConnectionError):
        return "the connection was lost"
    return clean(str(error) or type(error).__name__)


def _leave(server: aiosmtplib.SMTP) -> None:
    """Say QUIT and do not wait for the answer: what was delivered is to be written down now."""
    protocol, transport = server.protocol, server.transport
    if protocol is None or not isinstance(transport, asyncio.WriteTransport):
        return
    if server.is_connected:
        protocol.write(b"QUIT\r\n")
    server.close()
    asyncio.get_running_loop().call_later(LINGER, transport.abort)
