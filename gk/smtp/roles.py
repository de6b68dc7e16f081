"""Who may do what: the hooks of aiosmtpd for mail from other servers (Mx) and from users (Submission)."""

import functools
import logging
from collections.abc import Callable
from typing import Protocol

from aiosmtpd.smtp import SMTP

from gk.config import Limits
from gk.inbound import trace
from gk.inbound.accept import Accept, Looping
from gk.inbound.incoming import Incoming, Message
from gk.message.address import Address, parse_address
from gk.smtp import author
from gk.smtp.envelope import Envelope, EnvelopeRecipient, Peer, Submit
from gk.smtp.extensions import MailOptions, RcptOptions
from gk.smtp.reply import RELAY, UNKNOWN, Refusal, reply_to

log = logging.getLogger(__name__)

OK_RCPT = "250 2.1.5 OK"


class Role(Protocol):
    """The hooks a session calls; each returns the reply."""

    async def handle_MAIL(
        self, server: SMTP, session: Peer, envelope: Envelope, address: Address | None, options: MailOptions
    ) -> str: ...

    async def handle_RCPT(
        self, server: SMTP, session: Peer, envelope: Envelope, address: Address, options: RcptOptions
    ) -> str: ...

    async def handle_DATA(self, server: SMTP, session: Peer, envelope: Envelope) -> str: ...

    def head(self, session: Peer, envelope: Envelope) -> Callable[[bytes], bytes]:
        """The function that makes the header to keep of the header that came; it raises Refusal."""
        ...


class Mx:
    """Port 25: anybody may write to the users of this server, and to nobody else."""

    def __init__(self, accept: Accept) -> None:
        self._accept = accept

    async def handle_MAIL(
        self, server: SMTP, session: Peer, envelope: Envelope, address: Address | None, options: MailOptions
    ) -> str:
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Peer, envelope: Envelope, address: Address, options: RcptOptions
    ) -> str:
        mailboxes = self._accept.recipient(address, envelope.sender)
        if mailboxes is None:
            return RELAY
        if not mailboxes:
            return UNKNOWN
        self._accept.check_quota(mailboxes, envelope.options.size or 0)
        envelope.mailboxes.append((address, mailboxes))
        return OK_RCPT

    async def handle_DATA(self, server: SMTP, session: Peer, envelope: Envelope) -> str:
        await self._accept.deliver(_incoming(session, envelope), Message(envelope.message, envelope.above))
        return f"250 2.0.0 OK, kept as {envelope.id}"

    def head(self, session: Peer, envelope: Envelope) -> Callable[[bytes], bytes]:
        return functools.partial(self._head, session, envelope)

    def _head(self, session: Peer, envelope: Envelope, header: bytes) -> bytes:
        top = self._accept.top(_incoming(session, envelope))
        envelope.above = len(top)
        try:
            return top + self._accept.cleaned(header)
        except Looping as error:
            raise Refusal(reply_to(error)) from None


class Submission:
    """Ports 587 and 465: users may write to anybody, in their own name."""

    def __init__(self, accept: Accept, submit: Submit, hostname: str, limits: Limits) -> None:
        self._accept, self._submit, self._hostname, self._limits = accept, submit, hostname, limits

    async def handle_MAIL(
        self, server: SMTP, session: Peer, envelope: Envelope, address: Address | None, options: MailOptions
    ) -> str:
        assert session.account is not None
        # RFC 5321 §4.5.5: receipts that users' programs send have the null sender.
        if address is not None and not self._accept.directory.owns(session.account, address):
            return "553 5.7.1 You are not that sender"
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Peer, envelope: Envelope, address: Address, options: RcptOptions
    ) -> str:
        found = self._accept.recipient(address, envelope.sender)
        if found == []:
            return UNKNOWN  # told now, not by a bounce
        self._accept.check_quota(found or (), envelope.options.size or 0)
        address = self._accept.directory.complete(address)
        envelope.recipients.append(EnvelopeRecipient(address, options.notify, options.orcpt))
        return OK_RCPT

    async def handle_DATA(self, server: SMTP, session: Peer, envelope: Envelope) -> str:
        assert session.account is not None
        options = envelope.options
        queue_id = await self._submit.submit(
            session.account, envelope.sender, envelope.recipients, envelope.message,
            envid=options.envid, ret=options.ret, requiretls=options.requiretls,
        )  # fmt: skip
        log.info("event=submitted id=%s queue=%s recipients=%d", envelope.id, queue_id, len(envelope.recipients))
        return f"250 2.0.0 OK, kept as {envelope.id}, queue {queue_id}"

    def head(self, session: Peer, envelope: Envelope) -> Callable[[bytes], bytes]:
        return functools.partial(self._head, session, envelope)

    def _head(self, session: Peer, envelope: Envelope, header: bytes) -> bytes:
        account = session.account
        assert account is not None
        if trace.hops(header) > self._limits.received_fields:
            raise Refusal(reply_to(Looping()))
        own = parse_address(account.address)
        header = author.complete(header, own, self._hostname, functools.partial(self._accept.directory.owns, account))
        single = envelope.recipients[0].address if len(envelope.recipients) == 1 else None
        received = trace.received(session.client, self._hostname, envelope.id, envelope.options.utf8, single)
        return received + trace.without_alien(header, self._hostname)


def _incoming(session: Peer, envelope: Envelope) -> Incoming:
    return Incoming(envelope.id, session.client, envelope.sender, envelope.options.utf8, envelope.mailboxes)
