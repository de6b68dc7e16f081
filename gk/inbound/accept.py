"""The one door of mail from other servers: who is here, what the message says about its way, one delivery for all."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from gk.accounts.aliases import Directory
from gk.config import Limits
from gk.errors import Refused
from gk.inbound import trace
from gk.inbound.trace import Client
from gk.message.address import Address
from gk.store.db import Store
from gk.store.spool import SpoolFile
from gk.store.values import Recipient

NOWHERE = 0  # the mailbox of an address at which somebody unsubscribes: nobody reads it
log = logging.getLogger(__name__)


class Looping(Refused):
    """The message came by more servers than any honest way has (RFC 5321 §6.3)."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """The envelope of one message: its id here, who brings it, and the mailboxes behind each recipient."""

    id: str
    client: Client
    sender: Address | None
    utf8: bool
    recipients: Sequence[tuple[Address, Sequence[Recipient]]]


class Accept:
    """Takes complete messages; what it returns from is on disk."""

    def __init__(self, store: Store, directory: Directory, hostname: str, limits: Limits) -> None:
        self._store, self.directory, self._hostname, self._limits = store, directory, hostname, limits

    def spool(self) -> SpoolFile:
        """Where a large message goes while it arrives."""
        return self._store.spool()

    def recipient(self, address: Address) -> list[Recipient] | None:
        """The mailboxes behind a recipient; none for an unknown user, None for a domain that is not ours."""
        found = self.directory.resolve(address)
        leaver = self._store.sending.leaver(address.local) if found is not None else None
        return [Recipient(leaver.account, NOWHERE, str(address))] if leaver else found

    def check_quota(self, recipients: Sequence[Recipient], size: int) -> None:
        """Raise OverQuota when a mailbox behind an address has no room for a message of that size."""
        for recipient in recipients:
            if recipient.mailbox == NOWHERE:
                continue
            self._store.accounts.check_room(recipient.account, 1, size)

    def head(self, incoming: Incoming, header: bytes) -> bytes:
        """The header section to store: the trace fields, then what the message brought. Raise Looping."""
        if trace.hops(header) > self._limits.received_fields:
            raise Looping("too many Received fields")
        single = incoming.recipients[0] if len(incoming.recipients) == 1 else None
        written = trace.return_path(incoming.sender)
        if single and len(single[1]) == 1:
            written += trace.delivered_to(single[1][0].address)
        written += trace.received(
            incoming.client, self._hostname, incoming.id, incoming.utf8, single[0] if single else None
        )
        return written + trace.without_alien(header, self._hostname)

    async def deliver(self, incoming: Incoming, content: bytes | SpoolFile) -> None:
        """Store a complete message, its header made by `head`, for all its recipients at once.

        Returns after the synced commit; raises what the store raises, and then nothing was stored.
        """
        mailboxes: dict[int, Recipient] = {}
        for address, targets in incoming.recipients:
            if leaver := self._store.sending.leaver(address.local):
                await self._store.sending.leave(leaver, str(incoming.sender or ""))
                continue
            for target in targets:
                mailboxes.setdefault(target.mailbox, target)  # two addresses of one user are one message
        size = content.size if isinstance(content, SpoolFile) else len(content)
        if mailboxes:
            await self._store.deliver(await self._store.prepare(content), list(mailboxes.values()))
        elif isinstance(content, SpoolFile):
            content.discard()
        log.info("event=accepted id=%s size=%d mailboxes=%d", incoming.id, size, len(mailboxes))
