"""The one door of mail from other servers: who is here, what the message says about its way, one delivery for all."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from gk.accounts.aliases import Directory
from gk.config import Limits
from gk.errors import GkError, Refused
from gk.inbound import forwarding, rejected, trace
from gk.inbound.forwarding import Forwarding, Sealing
from gk.inbound.incoming import Incoming, Message
from gk.inbound.placing import ByVerdict, Copy, Placed, Placing, afterwards, as_junk, merged, placed, throw_away
from gk.inbound.verdict import UNJUDGED, DeferredByVerdict, RefusedByVerdict, Verdict
from gk.message.address import Address, parse_address
from gk.store.db import Store
from gk.store.queued import Forward
from gk.store.spool import SpoolFile
from gk.store.values import Recipient

NOWHERE = 0  # the mailbox of an address that is nobody's here: mail for it unsubscribes somebody, or is handed on
HEAD = 1 << 20  # bytes in which a header section ends
log = logging.getLogger(__name__)


class Looping(Refused):
    """The message came by more servers than any honest way has (RFC 5321 §6.3)."""


class Judging(Protocol):
    """Who decides about a message before it is taken."""

    async def judge(self, incoming: Incoming, message: Message) -> Verdict:
        """What is to happen to it; never raises."""
        ...


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
        sealing: Sealing | None = None,
    ) -> None:
        self._store, self.directory, self._hostname, self._limits = store, directory, hostname, limits
        self._judge, self._placing = judge, placing or ByVerdict()
        self._forwarding = Forwarding(store, directory, sealing)

    def spool(self) -> SpoolFile:
        """Where a large message goes while it arrives."""
        return self._store.spool()

    def recipient(self, address: Address, sender: Address | None = None) -> list[Recipient] | None:
        """The mailboxes behind a recipient of mail from `sender`; [] for an unknown user, None for an alien domain."""
        found = self.directory.resolve(address)
        if found is None:
            return None
        if leaver := self._store.sending.leaver(address.local):
            return [Recipient(leaver.account, NOWHERE, str(address))]
        if not found and self._forwarding.leads_away(address, sender):
            return [Recipient(NOWHERE, NOWHERE, str(address))]
        return found

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
        if single and len(single[1]) == 1 and single[1][0].mailbox != NOWHERE and not self.directory.away(single[0]):
            written += trace.delivered_to(single[1][0].address)
        # RFC 8601 §4.1: results stand above the Received of the server that wrote them
        return written + fields + self._received(incoming)

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
            await rejected.keep(self._store.rejects, incoming, message, verdict, verdict.action, verdict.reply)
            raise (RefusedByVerdict if verdict.action == "refuse" else DeferredByVerdict)(verdict.reply)
        if verdict.fields or verdict.told:
            message = await self._topped(message, self.top(incoming, verdict.fields + verdict.told))
        decided = Placed()
        try:
            try:
                decided = await self._places(incoming, verdict, message)
            except RefusedByVerdict as refusal:
                await rejected.keep(self._store.rejects, incoming, message, verdict, "refuse", refusal.reply)
                raise
            await self._keep(incoming, verdict, message, decided)
        except GkError:
            throw_away([message], decided.copies, decided.forwards)
            raise
        log.info(
            "event=accepted id=%s size=%d mailboxes=%d forwards=%d copies=%d verdict=%s",
            incoming.id, message.size, len(decided.mailboxes), len(decided.forwards), len(decided.copies),
            verdict.action,
        )  # fmt: skip
        await afterwards(incoming.id, decided.later)

    async def _keep(self, incoming: Incoming, verdict: Verdict, message: Message, decided: Placed) -> None:
        """Store and queue what was decided, in one commit."""
        evidence = None
        if verdict is not UNJUDGED or decided.findings:
            judged = replace(verdict, findings=(*verdict.findings, *decided.findings))
            evidence = judged.evidence(message.above)
        places, forwards = decided.mailboxes, decided.forwards
        if forwards or decided.copies:
            written = verdict.fields, self._received(incoming)
            parts = [Copy(message.content, places)] if places else []
            kept = [
                (await self._store.prepare(part.content, evidence), part.mailboxes)
                for part in [*parts, *decided.copies]
            ]
            await self._forwarding.hand_on(incoming.sender, forwards, message.content, message.above, written, kept)
        elif places:
            await self._store.deliver(await self._store.prepare(message.content, evidence), places)
        if not places and isinstance(message.content, SpoolFile):
            message.content.discard()

    async def _places(self, incoming: Incoming, verdict: Verdict, message: Message) -> Placed:
        """The mailboxes of all recipients, each once: two addresses of one user are one message; and who else gets it.

        Raises Looping where the message has been handed on from here before, RefusedByVerdict where nobody takes it.
        """
        targets: dict[int, Recipient] = {}
        away: list[Forward] = []
        for address, behind in incoming.recipients:
            if leaver := self._store.sending.leaver(address.local):
                await self._store.sending.leave(leaver, str(incoming.sender or ""))
                continue
            away += self._forwarding.behind(address, incoming.sender)
            for target in behind:
                if target.mailbox != NOWHERE:
                    targets.setdefault(target.mailbox, target)
        each = await placed(self._placing, list(targets.values()), verdict, incoming, message)
        if each and not away and all(found.refusal for found in each):
            log.info("event=refused id=%s action=rules", incoming.id)
            raise RefusedByVerdict(f"550 5.7.1 {each[0].refusal}")
        decided = merged(each)
        if away or decided.forwards:
            return self._handed_on(replace(decided, forwards=[*away, *decided.forwards]), verdict, message)
        return decided

    def _handed_on(self, decided: Placed, verdict: Verdict, message: Message) -> Placed:
        """What of the forwards is done. Junk is not spread under our name: the postmaster has it, if nobody else here.

        Raises Looping where all of them were made before, and nobody here has the message.
        """
        away, kept = decided.forwards, bool(decided.mailboxes or decided.copies)
        came_back = forwarding.looped(away, _header(message))
        throw_away(away if verdict.action == "junk" else came_back)
        if len(came_back) == len(away) and not kept:
            raise Looping("the message was handed on from here before")
        if verdict.action != "junk":
            return replace(decided, forwards=[one for one in away if one not in came_back])
        if kept:
            return replace(decided, forwards=())
        postmaster = [as_junk(to) for to in self._forwarding.postmaster(parse_address(away[0].via))]
        return replace(decided, forwards=(), mailboxes=postmaster)

    def _received(self, incoming: Incoming) -> bytes:
        single = incoming.recipients[0][0] if len(incoming.recipients) == 1 else None
        return trace.received(incoming.client, self._hostname, incoming.id, incoming.utf8, single)

    async def _topped(self, message: Message, top: bytes) -> Message:
        """The message with another top."""
        if isinstance(message.content, SpoolFile):
            return Message(await message.content.with_top(top, message.above), len(top))
        return Message(top + message.content[message.above :], len(top))


def _header(message: Message) -> bytes:
    """The header section as it came, as far as it is worth looking at."""
    if isinstance(message.content, bytes):
        head = message.content[message.above : message.above + HEAD]
    else:
        with message.content.map() as mapped:
            head = mapped[message.above : message.above + HEAD]
    end = head.find(b"\r\n\r\n")
    return head if end < 0 else head[: end + 2]
