"""The transactions of one message over one open connection (RFC 5321 §3.3): an answer for each recipient.

MAIL, RCPT and the content are sent by hand, over aiosmtplib's connection: each has its own time-out, a content of
50 MiB goes out in pieces, and nothing is believed that the server said before it was asked.
"""

import asyncio
from collections.abc import Iterator, Sequence

import aiosmtplib

from gk.message.address import AddressError, ascii_domain, parse_address
from gk.outbound.answer import Answer, Patience, clean, known, reason
from gk.outbound.letter import Letter
from gk.outbound.route import Target
from gk.store.outgoing import Claim, ClaimedRecipient

GROUP = 100  # recipients of one transaction: what every server takes, RFC 5321 §4.5.3.1.8
PIECE = 64 << 10  # bytes sent before the loop looks elsewhere
RATE = 1024  # bytes a second below which a server is not sent to


class OutOfStep(aiosmtplib.SMTPException):
    """The server said more than it was asked: its replies no longer belong to the commands."""


class _Unanswered(Exception):
    """Nobody knows whether the message was taken (RFC 1047)."""


class Exchange:
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
                    await asyncio.sleep(0)  # a fast server is no reason to keep the others waiting
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
        raise OutOfStep("the server answered what it was not asked")
