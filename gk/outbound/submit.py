"""The one door of outgoing mail: local recipients are delivered and the others queued, in one commit."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gk import metrics
from gk.accounts.aliases import Directory
from gk.errors import GkError, NoSuchAccount, Suppressed
from gk.mailauth.signing import Signer
from gk.message.address import Address, parse_address
from gk.message.dsn import Failure, report
from gk.outbound.author import author, author_domain
from gk.outbound.bounce import RETURN_PATH, wanted
from gk.outbound.policy import says_optional
from gk.store.db import Store
from gk.store.outgoing import Also
from gk.store.queued import QueuedRecipient
from gk.store.sending import Leaver
from gk.store.spool import SpoolFile
from gk.store.values import SEEN, Account, Arrival, Flags, Recipient

HEAD = 1 << 20  # bytes in which the header of a message is looked for


class EnvelopeRecipient(Protocol):
    """A recipient and what the DSN extension says of it (RFC 3461)."""

    @property
    def address(self) -> Address: ...
    @property
    def notify(self) -> str | None: ...
    @property
    def orcpt(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Nearby:
    """Where a message goes here: mailboxes, with the `evidence` why, and what is done once it is kept."""

    mailboxes: Sequence[Recipient]
    evidence: Mapping[str, Any] | None = None
    after: Callable[[], Awaitable[None]] | None = None


class Placing(Protocol):
    """Who decides where users of this server want the mail of its other users."""

    async def place(
        self, sender: Address | None, recipients: Sequence[Recipient], content: bytes | SpoolFile
    ) -> Nearby:
        """Where it goes; what goes elsewhere or is changed on the way is taken care of. Raises Unavailable."""
        ...


class Submit:
    """Takes complete messages from users, programs and reports; what it returned from is on disk."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        hostname: str,
        signer: Signer | None = None,
        placing: Placing | None = None,
    ) -> None:
        """Without `placing` what is for users here goes to INBOX, whatever their rules say."""
        self._store, self._directory, self._hostname, self._signer = store, directory, hostname, signer
        self._placing = placing

    async def submit(
        self,
        account: Account,
        sender: Address | None,
        recipients: Sequence[EnvelopeRecipient],
        content: bytes | SpoolFile,
        *,
        envid: str | None = None,
        ret: str | None = None,
        origin: str = "user",
        requiretls: bool = False,
        bulk: bool = False,
        keep: bytes | None = None,
        also: Also | None = None,
    ) -> str:
        """Queue and deliver; return the queue id. `keep` is what goes into the account's Sent mailbox, already read.

        `also` is a part of the commit that does it all.

        Raises NoSuchAccount, Suppressed, SendingLimit, OverQuota, Overloaded, DiskFull, ReadOnly: then nothing was
        sent, and nothing kept.
        """
        try:
            return await self._submit(
                account, sender, recipients, content, envid, ret, origin, requiretls, bulk, keep, also
            )
        except GkError:
            if isinstance(content, SpoolFile):
                content.discard()
            raise

    async def _submit(
        self,
        account: Account,
        sender: Address | None,
        recipients: Sequence[EnvelopeRecipient],
        content: bytes | SpoolFile,
        envid: str | None,
        ret: str | None,
        origin: str,
        requiretls: bool,
        bulk: bool,
        keep: bytes | None,
        also: Also | None,
    ) -> str:
        if sender is not None and self._directory.from_elsewhere(account):
            sender = self._speaking(account, sender, content)
        if self._store.sending.suppressed(account.id, (str(r.address) for r in recipients), bulk=bulk):
            raise Suppressed("a recipient is on the suppression list; «gk suppression list» shows it")
        away: list[QueuedRecipient] = []
        here: dict[int, Recipient] = {}
        confirmed: list[EnvelopeRecipient] = []
        for recipient in recipients:
            if leaver := self._leaver(recipient.address):
                await self._store.sending.leave(leaver, str(sender or ""))
                continue
            found = self._directory.resolve(recipient.address)
            if found is None:
                domain = recipient.address.key.rpartition("@")[2]
                away.append(QueuedRecipient(str(recipient.address), domain, recipient.notify, recipient.orcpt))
                continue
            elsewhere = self._directory.away(recipient.address)
            if not found and not elsewhere:
                raise NoSuchAccount("a recipient of this server is unknown")
            away += [QueuedRecipient(text, text.rpartition("@")[2].lower()) for text in elsewhere]
            for target in found:
                here.setdefault(target.mailbox, target)
            if recipient.notify and wanted(recipient.notify, "delivered"):
                confirmed.append(recipient)
        if keep is not None:
            self._store.accounts.check_room(account.id, 1, len(keep))
        near = Nearby(list(here.values()))
        if here and self._placing is not None:
            near = await self._placing.place(sender, near.mailboxes, content)
        sent = await self._store.prepare(content)
        local = [(await self._for_mailboxes(sent, sender, near.evidence), near.mailboxes)] if near.mailboxes else []
        if confirmed and sender is not None:
            local.append((await self._confirmation(sender, confirmed, sent, envid), self._home(account, sender)))
        if keep is not None:
            local.append((await self._store.prepare(keep), [self._kept(account)]))
        wanted_tls = 1 if requiretls else -1 if says_optional(sent.parsed.header) else 0
        prefix = await self._signature(sent, sender) if away and self._signer is not None else b""
        queue_id = await self._store.outgoing.add(
            sent, str(sender or ""), away, account=account.id, origin=origin, envid=envid, ret=ret, prefix=prefix,
            requiretls=wanted_tls, bulk=bulk, local=local, also=also,
        )  # fmt: skip
        if here:
            metrics.attempts.labels("local", "sent").inc(len(here))
        if near.after is not None:
            await near.after()
        return str(queue_id) if queue_id else "delivered"

    def _speaking(self, account: Account, sender: Address, content: bytes | SpoolFile) -> Address:
        """The envelope sender that goes with From: the address elsewhere where that is the author, and only then."""
        if isinstance(content, SpoolFile):
            with content.map() as whole:
                head = whole[:HEAD]
        else:
            head = content[:HEAD]
        written_by = author(head[: head.find(b"\r\n\r\n") + 2] or head)
        if written_by is not None and self._directory.elsewhere(written_by.key) == account.id:
            return written_by
        return sender if self._directory.elsewhere(sender.key) is None else parse_address(account.address)

    def _leaver(self, address: Address) -> Leaver | None:
        """Who unsubscribes by writing to an address of ours."""
        leaver = self._store.sending.leaver(address.local)
        return leaver if leaver and self._directory.resolve(address) is not None else None

    async def _signature(self, sent: Arrival, sender: Address | None) -> bytes:
        """The DKIM-Signature fields, kept beside the message: its content is stored already."""
        assert self._signer is not None
        domain = author_domain(sent.parsed.header) or (sender.key.rpartition("@")[2] if sender else "")
        if not self._signer.signs(domain):
            return b""
        if isinstance(sent.content, bytes):
            return await self._signer.fields(domain, sent.content, sent.size)
        with sent.content.map() as content:
            return await self._signer.fields(domain, content, sent.size)

    async def _for_mailboxes(
        self, sent: Arrival, sender: Address | None, evidence: Mapping[str, Any] | None
    ) -> Arrival:
        """The copy that stays here: with the Return-Path of a final delivery (RFC 5321 §4.4)."""
        line = f"Return-Path: <{sender or ''}>\r\n".encode()
        if isinstance(sent.content, bytes):
            return await self._store.prepare(line + sent.content, evidence)
        copy = self._store.spool()
        await copy.write(line)
        with sent.content.map() as source:
            for start in range(0, len(source), HEAD):
                await copy.write(source[start : start + HEAD])
        return await self._store.prepare(copy, evidence)

    async def _confirmation(
        self, sender: Address, recipients: list[EnvelopeRecipient], sent: Arrival, envid: str | None
    ) -> Arrival:
        """The report NOTIFY=SUCCESS asks for (RFC 3461 §6.2)."""
        now = int(time.time())
        failures = [Failure(str(r.address), r.orcpt, "delivered", "2.0.0", None, "delivered") for r in recipients]
        return await self._store.prepare(
            RETURN_PATH
            + report(
                hostname=self._hostname, to=str(sender), original_headers=sent.parsed.header,
                failures=failures, envid=envid, arrived=now, now=now, ret_full=None,
            )
        )  # fmt: skip

    def _kept(self, account: Account) -> Recipient:
        """Where what the account sent is kept; its INBOX where it has no place for that."""
        mailboxes = self._store.mailboxes
        box = mailboxes.with_use(account.id, "\\Sent") or mailboxes.get(account.id, "INBOX")
        return Recipient(account.id, box.id, account.address, Flags(SEEN))

    def _home(self, account: Account, sender: Address) -> list[Recipient]:
        return self._directory.home(sender) or [
            Recipient(account.id, self._store.mailboxes.get(account.id, "INBOX").id, account.address)
        ]
