"""The one door of mail from other servers: who is here, what the message says about its way, one delivery for all."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gk.accounts.aliases import Directory
from gk.config import Limits
from gk.errors import Refused
from gk.inbound import trace
from gk.inbound.trace import Client
from gk.inbound.verdict import UNJUDGED, DeferredByVerdict, RefusedByVerdict, Verdict
from gk.message.address import Address
from gk.store.db import Store
from gk.store.spool import SpoolFile
from gk.store.values import Flags, Recipient
from gk.store.verdicts import packed

JUNK, JUNK_USE = frozenset({"$Junk"}), "\\Junk"  # the keyword of RFC 8457's kin (IANA), the use of RFC 6154
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


@dataclass(frozen=True, slots=True)
class Message:
    """A complete message: `content` begins with `above` octets of ours, and then is as it came."""

    content: bytes | SpoolFile
    above: int = 0

    @property
    def size(self) -> int:
        return self.content.size if isinstance(self.content, SpoolFile) else len(self.content)


class Judging(Protocol):
    """Who decides about a message before it is taken."""

    async def judge(self, incoming: Incoming, message: Message) -> Verdict:
        """What is to happen to it; never raises."""
        ...


class Placing(Protocol):
    """Where a message goes for one recipient: rules, scripts and learning come in here."""

    async def place(
        self, recipient: Recipient, verdict: Verdict, incoming: Incoming, message: Message
    ) -> list[Recipient]:
        """The mailboxes, with flags, it is put in; none where it is not kept. One account only: the recipient's."""
        ...


class ByVerdict:
    """Junk goes to the account's mailbox for it, everything else where the address leads."""

    async def place(
        self, recipient: Recipient, verdict: Verdict, incoming: Incoming, message: Message
    ) -> list[Recipient]:
        return [as_junk(recipient)] if verdict.action == "junk" else [recipient]


def as_junk(recipient: Recipient) -> Recipient:
    """The same recipient, in the mailbox with the use \\Junk and the keyword that says so."""
    flags = Flags(recipient.flags.system, recipient.flags.keywords | JUNK)
    return replace(recipient, use=JUNK_USE, flags=flags)


class Accept:
    """Takes complete messages; what it returns from is on disk."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        hostname: str,
        limits: Limits,
        judge: Judging | None = None,
        placing: Placing | None = None,
    ) -> None:
        self._store, self.directory, self._hostname, self._limits = store, directory, hostname, limits
        self._judge, self._placing = judge, placing or ByVerdict()

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

    def top(self, incoming: Incoming, fields: bytes = b"") -> bytes:
        """The trace fields that are to stand above a message, `fields` among them."""
        single = incoming.recipients[0] if len(incoming.recipients) == 1 else None
        written = trace.return_path(incoming.sender)
        if single and len(single[1]) == 1:
            written += trace.delivered_to(single[1][0].address)
        # RFC 8601 §4.1: results stand above the Received of the server that wrote them
        return (
            written
            + fields
            + trace.received(incoming.client, self._hostname, incoming.id, incoming.utf8, single[0] if single else None)
        )

    def cleaned(self, header: bytes) -> bytes:
        """What a message brought as its header, without what only we may write. Raise Looping."""
        if trace.hops(header) > self._limits.received_fields:
            raise Looping("too many Received fields")
        return trace.without_alien(header, self._hostname)

    async def deliver(self, incoming: Incoming, message: Message) -> None:
        """Judge a complete message, and store it for all its recipients at once; `top` and `cleaned` made its header.

        Returns after the synced commit; raises what the store raises, RefusedByVerdict or DeferredByVerdict, and then
        nothing was stored.
        """
        verdict = await self._judge.judge(incoming, message) if self._judge else UNJUDGED
        if verdict.action in ("refuse", "defer"):
            if isinstance(message.content, SpoolFile):
                message.content.discard()
            log.info("event=refused id=%s action=%s", incoming.id, verdict.action)
            raise (RefusedByVerdict if verdict.action == "refuse" else DeferredByVerdict)(verdict.reply)
        if verdict.fields:
            message = await self._topped(message, self.top(incoming, verdict.fields))
        recipients = await self._recipients(incoming, verdict, message)
        if recipients:
            evidence = packed(verdict.evidence(message.above)) if verdict is not UNJUDGED else None
            await self._store.deliver(await self._store.prepare(message.content, evidence), recipients)
        elif isinstance(message.content, SpoolFile):
            message.content.discard()
        log.info(
            "event=accepted id=%s size=%d mailboxes=%d verdict=%s",
            incoming.id, message.size, len(recipients), verdict.action,
        )  # fmt: skip

    async def _recipients(self, incoming: Incoming, verdict: Verdict, message: Message) -> list[Recipient]:
        """The mailboxes of all recipients, each once: two addresses of one user are one message."""
        targets: dict[int, Recipient] = {}
        for address, behind in incoming.recipients:
            if leaver := self._store.sending.leaver(address.local):
                await self._store.sending.leave(leaver, str(incoming.sender or ""))
                continue
            for target in behind:
                targets.setdefault(target.mailbox, target)
        placed: dict[tuple[int, int, str], Recipient] = {}
        for target in targets.values():
            for to in await self._placing.place(target, verdict, incoming, message):
                placed.setdefault((to.account, 0 if to.use else to.mailbox, to.use), to)
        return list(placed.values())

    async def _topped(self, message: Message, top: bytes) -> Message:
        """The message with another top."""
        if isinstance(message.content, SpoolFile):
            return Message(await message.content.with_top(top, message.above), len(top))
        return Message(top + message.content[message.above :], len(top))
