"""One transaction after another: MAIL, RCPT, DATA, BDAT, RSET (RFC 5321 §4.1.1, RFC 3030)."""

import itertools
import logging
import secrets
from typing import TYPE_CHECKING

from aiosmtpd.smtp import syntax

from gk.config import Limits
from gk.errors import GkError
from gk.inbound.trace import Client
from gk.message.address import AddressError, parse_path, split_path
from gk.net.listener import Listener
from gk.smtp import extensions
from gk.smtp.body import TOO_BIG, Body
from gk.smtp.connection import Connection, Tally
from gk.smtp.content import PIECE, Dots
from gk.smtp.envelope import Envelope, Peer
from gk.smtp.extensions import NO_MAIL_OPTIONS, NO_RCPT_OPTIONS, BadParameter
from gk.smtp.reply import Refusal, reply_to
from gk.store.spool import SpoolFile

if TYPE_CHECKING:
    from gk.smtp.server import SmtpServer

log = logging.getLogger(__name__)

_START, _COUNT = secrets.token_hex(6), itertools.count(1)  # of the ids: asking the kernel each time costs 18 us

NO_TLS = "530 5.7.0 STARTTLS first"
NO_LOGIN = "530 5.7.0 Log in first"
NO_GREETING = "503 5.5.1 EHLO first"
NO_MAIL = "503 5.5.1 MAIL first"
NO_RCPT = "503 5.5.1 No valid recipient"
IN_MAIL = "503 5.5.1 Not during a transaction"


class Transactions(Connection):
    """The part of a session that takes mail; `role` of the server decides who may send what to whom."""

    session: Peer
    envelope: Envelope

    def __init__(self, server: "SmtpServer", listener: Listener) -> None:
        super().__init__(server, listener)
        self._limits: Limits = server.limits
        self._plain = server.may_be_plain(listener)
        self._unknown = Tally(server.limits.unknown_recipients_before_delay, server.limits.unknown_recipients)
        self._body: Body | None = None  # a message that comes by BDAT and is not complete
        self.session = Peer(self.loop)
        self.envelope = Envelope()

    def _create_envelope(self) -> Envelope:
        return Envelope()

    def _set_rset_state(self) -> None:
        """Forget the transaction."""
        self.envelope = Envelope()
        if self._body:
            self._body.discard()
            self._body = None

    def _lacks_tls(self) -> bool:
        return self.server.authenticates and not self.secure and not self._plain

    def _stranger(self) -> str | None:
        """What the client has to do before it may send mail."""
        if self._lacks_tls():
            return NO_TLS
        if not self.session.host_name:
            return NO_GREETING
        if self.server.authenticates and self.session.account is None:
            return NO_LOGIN
        return None

    def _incomplete(self) -> str | None:
        """What is missing before the content may come."""
        if problem := self._stranger():
            return problem
        if not self.envelope.opened:
            return NO_MAIL
        return None if self.envelope.rcpt_tos else NO_RCPT

    @syntax("MAIL FROM:<address> [parameters]")
    async def smtp_MAIL(self, arg: str | None) -> None:
        envelope = self.envelope
        problem = self._stranger() or (IN_MAIL if envelope.opened else None)
        if problem:
            await self.fail(problem)
            return
        try:
            path, rest = self._path(arg or "", "FROM:")
            address = parse_path(path, null=True, utf8=True)
            offered = self.server.authenticates and not self._lacks_tls()
            options = extensions.mail_options(rest, auth=offered, secure=self.secure) if rest else NO_MAIL_OPTIONS
            if address is not None:
                if not address.domain:
                    raise AddressError("a sender needs a domain")
                if not options.utf8 and not address.is_ascii:
                    raise BadParameter("553 5.6.7 The address needs SMTPUTF8")
            if options.size is not None and options.size > self._limits.message_bytes:
                raise BadParameter(TOO_BIG)
            self.server.check_space(options.size or 0)
        except AddressError:
            await self.fail("501 5.1.7 Syntax: MAIL FROM:<address> [parameters]")
            return
        except BadParameter as bad:
            await self.fail(str(bad))
            return
        except GkError as error:
            await self.push(reply_to(error))
            return
        status = await self._call_handler_hook("MAIL", address, options)
        if not status.startswith("2"):
            await self.fail(status)
            return
        envelope.opened = True
        envelope.id = f"{_START}{next(_COUNT):x}"
        envelope.sender, envelope.options = address, options
        envelope.mail_from, envelope.smtp_utf8 = str(address or ""), options.utf8
        self.session.client = self._client()
        await self.push(status)

    @syntax("RCPT TO:<address> [parameters]")
    async def smtp_RCPT(self, arg: str | None) -> None:
        envelope = self.envelope
        problem = self._stranger() or (NO_MAIL if not envelope.opened else IN_MAIL if self._body else None)
        if problem:
            await self.fail(problem)
            return
        try:
            path, rest = self._path(arg or "", "TO:")
            address = parse_path(path, utf8=True)
            assert address is not None
            options = extensions.rcpt_options(rest) if rest else NO_RCPT_OPTIONS
            if not envelope.smtp_utf8 and not address.is_ascii:
                raise BadParameter("553 5.6.7 The address needs SMTPUTF8")
        except AddressError:
            await self.fail("501 5.1.3 Syntax: RCPT TO:<address> [parameters]")
            return
        except BadParameter as bad:
            await self.fail(str(bad))
            return
        if len(envelope.rcpt_tos) >= self.server.recipients:
            await self.push("452 4.5.3 Too many recipients")  # RFC 5321 §4.5.3.1.10: the rest comes later
            return
        key = address.key
        if key in envelope.keys:
            await self.push("250 2.1.5 OK")
            return
        try:
            status = await self._call_handler_hook("RCPT", address, options)
        except GkError as error:  # this one cannot be taken, and that is no error of the client's: others may be
            await self.push(reply_to(error))
            return
        if not status.startswith("2"):
            await self.fail(status, self._unknown)
            return
        envelope.keys.add(key)
        envelope.rcpt_tos.append(str(address))
        await self.push(status)

    def _path(self, argument: str, word: str) -> tuple[bytes, str]:
        """(path, parameters) behind FROM: or TO:; raise AddressError or BadParameter."""
        if argument[: len(word)].upper() != word:
            raise AddressError(f"no {word}")
        raw = argument[len(word) :].strip(" ").encode()
        if raw.endswith(b">") and raw.count(b">") == 1:
            return raw, ""
        path, rest = split_path(raw)
        if rest and not self.session.extended_smtp:
            raise BadParameter("555 5.5.4 Parameters need EHLO")
        return path, rest.decode()

    def _client(self) -> Client:
        secured = self.transport.get_extra_info("ssl_object") if self.secure and self.transport else None
        return Client(
            helo=self.session.host_name or "",
            address=self.peer,
            extended=self.session.extended_smtp,
            tls=secured.version() if secured else None,
            authenticated=self.session.account is not None,
            hidden=self.server.authenticates,
        )

    @syntax("RSET")
    async def smtp_RSET(self, arg: str) -> None:
        if arg:
            await self.fail("501 5.5.4 Syntax: RSET")
            return
        self._set_rset_state()
        await self.push("250 2.0.0 OK")

    # --- the content --------------------------------------------------------------------------------------------------

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:
        problem = self._incomplete() or (IN_MAIL if self._body else None)
        if problem or arg:
            await self.fail(problem or "501 5.5.4 Syntax: DATA")
            return
        await self.push("354 Send the message, end it with CRLF.CRLF")
        body, dots = self._new_body(), Dots(self._buffer)
        self.receiving(True)
        try:
            while not dots.done:
                if body.size > 2 * self._limits.message_bytes:
                    await self.close(TOO_BIG)
                if piece := dots.take():
                    await body.add(piece)
                elif not dots.done:
                    await self.more(self.server.pace.data)
            self.receiving(False)
            await self._finish(body)
        finally:
            self.receiving(False)
            body.discard()

    @syntax("BDAT octets [LAST]")
    async def smtp_BDAT(self, arg: str) -> None:
        chunk = extensions.chunk(arg)
        if chunk is None:
            await self.fail("501 5.5.4 Syntax: BDAT octets [LAST]")
            return
        octets, last = chunk
        if octets > 2 * self._limits.message_bytes:
            await self.close(TOO_BIG)  # rather than read it all to throw it away
        problem = self._incomplete()
        if not problem and self._body is None:
            self._body = self._new_body()
        await self._chunk(octets, None if problem else self._body)
        body = self._body
        if problem or body is None:
            await self.fail(problem or NO_MAIL)  # RFC 3030 §2: the octets were read and thrown away
        elif last:
            self._body = None
            await self._finish(body)
        elif body.refusal:
            await self._refuse(body.refusal)
        else:
            await self.push(f"250 2.0.0 {octets} octets taken")

    async def _chunk(self, octets: int, body: Body | None) -> None:
        """Read so many octets, whatever is in them."""
        buffer = self._buffer
        self.receiving(True)
        try:
            while octets:
                if not buffer:
                    await self.more(self.server.pace.data)
                with memoryview(buffer) as view:
                    piece = bytes(view[: min(octets, PIECE)])
                del buffer[: len(piece)]
                octets -= len(piece)
                if body:
                    await body.add(piece)
        finally:
            self.receiving(False)

    def _new_body(self) -> Body:
        head = self.server.role.head(self.session, self.envelope)
        return Body(head, self.server.accept.spool, self._limits)

    async def _finish(self, body: Body) -> None:
        """The content is complete: keep it, say so, and be ready for the next. Nothing here depends on the client."""
        envelope = self.envelope
        try:
            envelope.message = await body.end()
            status = await self._call_handler_hook("DATA")
        except Refusal as refusal:
            status = str(refusal)
        except GkError as error:
            status = reply_to(error)
        except Exception:  # whatever it was, the message was not taken
            log.exception("event=delivery_failed id=%s", envelope.id)
            if isinstance(envelope.message, SpoolFile):
                envelope.message.discard()
            status = "451 4.3.0 Local error, try again"
        self._set_rset_state()
        if status.startswith("2"):
            self.finished()
            await self.push(status)
        else:
            await self._refuse(status)

    async def _refuse(self, status: str) -> None:
        if status.startswith("5"):
            await self.fail(status)
        else:
            await self.push(status)
