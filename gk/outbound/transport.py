"""One delivery over SMTP (RFC 5321) by aiosmtplib: opportunistic TLS, one answer for each recipient."""

import asyncio
import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

import aiosmtplib

from gk.config import Outbound
from gk.outbound.route import Target
from gk.store.outgoing import Claim, ClaimedRecipient

log = logging.getLogger(__name__)

# Seconds, RFC 5321 §4.5.3.2; the block time-out is part of FINAL here, since the message is written at once.
CONNECT, BANNER, COMMAND, FINAL = 30, 60, 300, 600
REPLY = 500  # characters of a remote reply that are kept


@dataclass(frozen=True, slots=True)
class Answer:
    """What one server said about one recipient; `code` 0 where it said nothing."""

    no: int
    code: int
    text: str
    remote: str
    told: bool = False  # the server promised to confirm the delivery itself (DSN)

    @property
    def accepted(self) -> bool:
        return 200 <= self.code < 300

    @property
    def permanent(self) -> bool:
        return 500 <= self.code < 600


class Transport:
    """Sends one claim to the first target that takes it."""

    def __init__(self, config: Outbound, hostname: str, password: str | None) -> None:
        self._config, self._hostname, self._password = config, hostname, password
        self._at: dict[str, asyncio.Semaphore] = {}

    async def deliver(self, targets: Sequence[Target], claim: Claim, content: bytes) -> list[Answer]:
        """An answer for every recipient of the claim; never raises for what a server does."""
        open_recipients = list(claim.recipients)
        answers: dict[int, Answer] = {}
        for target in targets:
            for answer in await self._try(target, claim, open_recipients, content):
                answers[answer.no] = answer
            # The next server is asked about those this one could not take now (RFC 5321 §5.1).
            open_recipients = [r for r in open_recipients if not (answers[r.no].accepted or answers[r.no].permanent)]
            if not open_recipients or any(answers[r.no].code >= 400 for r in open_recipients):
                break
        return [answers[r.no] for r in claim.recipients]

    async def _try(
        self, target: Target, claim: Claim, recipients: list[ClaimedRecipient], content: bytes
    ) -> list[Answer]:
        gate = self._at.setdefault(target.address, asyncio.Semaphore(self._config.per_address))
        async with gate:
            try:
                answers = await self._converse(target, claim, recipients, content, tls=True)
            except ssl.SSLError as error:
                # Opportunistic: a server whose TLS is broken still gets the mail as before TLS existed (RFC 7435).
                log.info("event=tls_failed host=%s error=%s", target.host, error.reason)
                try:
                    answers = await self._converse(target, claim, recipients, content, tls=False)
                except ssl.SSLError as again:
                    answers = _all(recipients, target, 0, f"TLS failed: {again.reason}")
        if not gate.locked() and len(self._at) > 10_000:
            self._at.clear()
        return answers

    async def _converse(
        self, target: Target, claim: Claim, recipients: list[ClaimedRecipient], content: bytes, *, tls: bool
    ) -> list[Answer]:
        smarthost = bool(self._config.smarthost)
        implicit = smarthost and self._config.smarthost_tls == "tls"
        server = aiosmtplib.SMTP(
            hostname=target.address,
            port=target.port,
            local_hostname=self._hostname,
            timeout=CONNECT,
            start_tls=False,
            use_tls=implicit,
            tls_context=_context(verify=smarthost) if implicit else None,
            validate_certs=smarthost,
        )
        try:
            await server.connect(timeout=CONNECT)
            await server.ehlo(timeout=COMMAND)
            if not implicit:
                await self._secure(server, target, tls, smarthost)
            if smarthost and self._config.smarthost_user:
                await server.login(self._config.smarthost_user, self._password or "", timeout=COMMAND)
            return await _transaction(server, target, claim, recipients, content)
        except ssl.SSLError:
            raise
        except aiosmtplib.SMTPResponseException as error:
            return _all(recipients, target, _code(error.code), error.message)
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError, UnicodeError) as error:
            return _all(recipients, target, 0, _reason(error))
        finally:
            await _leave(server)

    async def _secure(self, server: aiosmtplib.SMTP, target: Target, tls: bool, smarthost: bool) -> None:
        required = smarthost and self._config.smarthost_tls == "starttls"
        if not required and (not tls or not server.supports_extension("starttls") or smarthost):
            return
        try:
            await server.starttls(tls_context=_context(verify=required), server_hostname=target.host, timeout=COMMAND)
        except aiosmtplib.SMTPResponseException:
            if required:
                raise
            return  # the server announced STARTTLS and refuses it: go on as if it had not
        except aiosmtplib.SMTPException as error:
            cause = error.__cause__ or error.__context__
            if not required and isinstance(cause, ssl.SSLError | ConnectionError):
                raise ssl.SSLError(str(cause)) from None
            raise
        await server.ehlo(timeout=COMMAND)


async def _transaction(
    server: aiosmtplib.SMTP, target: Target, claim: Claim, recipients: list[ClaimedRecipient], content: bytes
) -> list[Answer]:
    utf8 = not (claim.sender.isascii() and all(r.address.isascii() for r in recipients))
    if utf8 and not server.supports_extension("smtputf8"):
        return _all(recipients, target, 553, "5.6.7 the server does not take internationalised addresses")
    if not content.isascii() and not server.supports_extension("8bitmime"):
        return _all(recipients, target, 554, "5.6.3 the server takes no 8-bit mail, and a message is not rewritten")
    dsn = server.supports_extension("dsn")
    encoding = "utf-8" if utf8 else "ascii"
    await server.mail(
        claim.sender, options=_mail_options(server, claim, content, utf8), encoding=encoding, timeout=COMMAND
    )
    answers, taken = [], []
    for recipient in recipients:
        options = _rcpt_options(recipient) if dsn else []
        try:
            await server.rcpt(recipient.address, options=options, encoding=encoding, timeout=COMMAND)
            taken.append(recipient)
        except aiosmtplib.SMTPRecipientRefused as error:
            answers.append(Answer(recipient.no, _code(error.code), error.message[:REPLY], target.host))
    if not taken:
        return answers
    try:
        reply = await server.data(content, timeout=FINAL)
        code, text = reply.code, reply.message
    except aiosmtplib.SMTPResponseException as error:
        code, text = _code(error.code), error.message
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        code, text = 0, _reason(error)
    told = dsn and 200 <= code < 300
    return answers + [Answer(r.no, code, text[:REPLY], target.host, told) for r in taken]


def _mail_options(server: aiosmtplib.SMTP, claim: Claim, content: bytes, utf8: bool) -> list[str]:
    options = [f"SIZE={len(content)}"] if server.supports_extension("size") else []
    if not content.isascii():
        options.append("BODY=8BITMIME")
    if utf8:
        options.append("SMTPUTF8")
    if server.supports_extension("dsn"):  # RFC 3461 §5.2.1: passed on as they came
        options += [f"RET={claim.ret}"] if claim.ret else []
        options += [f"ENVID={claim.envid}"] if claim.envid else []
    return options


def _rcpt_options(recipient: ClaimedRecipient) -> list[str]:
    options = [f"NOTIFY={recipient.notify}"] if recipient.notify else []
    return options + ([f"ORCPT={recipient.orcpt}"] if recipient.orcpt else [])


def _context(*, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _all(recipients: list[ClaimedRecipient], target: Target, code: int, text: str) -> list[Answer]:
    return [Answer(r.no, code, text[:REPLY], target.host) for r in recipients]


def _code(code: int) -> int:
    """A reply code; nonsense counts as no answer, so that it is tried again."""
    return code if 200 <= code < 600 else 0


def _reason(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text.splitlines()[0][:REPLY]


async def _leave(server: aiosmtplib.SMTP) -> None:
    """Say QUIT where there is somebody to hear it; the message is delivered or not already."""
    try:
        if server.is_connected:
            await server.quit(timeout=5)
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        pass
    finally:
        server.close()
