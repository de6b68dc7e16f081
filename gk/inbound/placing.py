"""Where a message goes for each recipient, as a value: decided before it is stored, obeyed by whoever stores it."""

import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gk.errors import GkError
from gk.inbound.incoming import Incoming, Message
from gk.inbound.verdict import Finding, Verdict
from gk.store.queued import Forward
from gk.store.spool import SpoolFile
from gk.store.values import Flags, Recipient

JUNK, JUNK_USE = frozenset({"$Junk"}), "\\Junk"  # the keyword of RFC 8457's kin (IANA), the use of RFC 6154
log = logging.getLogger(__name__)


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
