"""The one door of mail from other servers: who is here, what the message says about its way, one delivery for all."""

import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gk.accounts.aliases import Directory
from gk.config import Limits
from gk.errors import GkError, Refused
from gk.inbound import forwarding, trace
from gk.inbound.forwarding import Forwarding, Sealing
from gk.inbound.trace import Client
from gk.inbound.verdict import UNJUDGED, DeferredByVerdict, Finding, RefusedByVerdict, Verdict
from gk.message.address import Address, parse_address
from gk.store.db import Store
from gk.store.queued import Forward
from gk.store.spool import SpoolFile
from gk.store.values import Flags, Recipient

JUNK, JUNK_USE = frozenset({"$Junk"}), "\\Junk"  # the keyword of RFC 8457's kin (IANA), the use of RFC 6154
NOWHERE = 0  # the mailbox of an address that is nobody's here: mail for it unsubscribes somebody, or is handed on
HEAD = 1 << 20  # bytes in which a header section ends
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
class Copy:
    """A message of its own for some mailboxes: the one that came, changed."""

    content: bytes | SpoolFile
    mailboxes: Sequence[Recipient]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a message goes for one recipient: mailboxes, with flags, and servers elsewhere.

    `copies` are stored beside it, `later` is called once all is on disk, `findings` say what led there. With a
    `refusal`, in words for the sender, the message is not taken if nobody else here takes it; else `instead` holds.
    """

    mailboxes: Sequence[Recipient] = ()
    forwards: Sequence[Forward] = ()
    copies: Sequence[Copy] = ()
    later: Sequence[Callable[[], Awaitable[None]]] = ()
    findings: Sequence[Finding] = ()
    refusal: str = ""
    instead: "Placed | None" = None


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

    async def place(self, recipient: Recipient, verdict: Verdict, incoming: Incoming, message: Message) -> Placed:
        """Where it goes; nowhere, where it is not kept. Mailboxes of one account only: the recipient's."""
        ...


class ByVerdict:
    """Junk goes to the account's mailbox for it, everything else where the address leads."""

    async def place(self, recipient: Recipient, verdict: Verdict, incoming: Incoming, message: Message) -> Placed:
        return Placed((as_junk(recipient) if verdict.action == "junk" else recipient,))


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
            raise (RefusedByVerdict if verdict.action == "refuse" else DeferredByVerdict)(verdict.reply)
        if verdict.fields:
            message = await self._topped(message, self.top(incoming, verdict.fields))
        decided = Placed()
        try:
            decided = await self._places(incoming, verdict, message)
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


async def placed(
    placing: Placing, recipients: Sequence[Recipient], verdict: Verdict, incoming: Incoming, message: Message
) -> list[Placed]:
    """Where a message goes for each; raises what the store raises, and then nothing made of the message is left."""
    each: list[Placed] = []
    try:
        for recipient in recipients:
            found = await placing.place(recipient, verdict, incoming, message)
            each.append(found)
    except GkError:
        made = merged(each)
        throw_away(made.copies, made.forwards)
        raise
    return each


def throw_away(*made: Sequence[Copy | Forward | Message]) -> None:
    """What is not to be kept; what the store took stays."""
    for one in itertools.chain(*made):
        if isinstance(one.content, SpoolFile):
            one.content.discard()


def merged(each: Sequence[Placed]) -> Placed:
    """What was decided for several users as one decision, each mailbox in it once; refusals become what is instead."""
    each = [found.instead or found for found in each]
    mailboxes: dict[tuple[int, int, str], Recipient] = {}
    for found in each:
        for to in found.mailboxes:
            mailboxes.setdefault((to.account, 0 if to.use else to.mailbox, to.use), to)
    return Placed(
        list(mailboxes.values()),
        [one for found in each for one in found.forwards],
        [copy for found in each for copy in found.copies],
        [what for found in each for what in found.later],
        each[0].findings if len(each) == 1 else (),  # what one user's rules look for is nobody else's business
    )


async def afterwards(id: str, later: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Do what was left for after the commit. The message is taken: whatever fails here is not for its sender."""
    for what in later:
        try:
            await what()
        except GkError as error:
            log.warning("event=afterwards_failed id=%s reason=%r", id, str(error))
        except Exception:
            log.exception("event=afterwards_failed id=%s", id)


def _header(message: Message) -> bytes:
    """The header section as it came, as far as it is worth looking at."""
    if isinstance(message.content, bytes):
        head = message.content[message.above : message.above + HEAD]
    else:
        with message.content.map() as mapped:
            head = mapped[message.above : message.above + HEAD]
    end = head.find(b"\r\n\r\n")
    return head if end < 0 else head[: end + 2]
