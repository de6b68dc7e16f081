"""Batch sending: many messages in one call, several at once, and one result for each."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gk.accounts.aliases import Directory
from gk.errors import GkError, LimitReached, Refused, Suppressed, Unavailable
from gk.message import compose
from gk.message.address import Address, parse_address
from gk.outbound import draft as drafts
from gk.outbound.draft import Draft
from gk.outbound.submit import Submit
from gk.store.db import Store
from gk.store.values import Account

log = logging.getLogger(__name__)

MESSAGES = 1000  # of one call
AT_ONCE = 32  # messages of one call that are written and queued together: they share commits
IN_LOOP = 64 << 10  # characters and octets of a message written in the event loop; more goes to a thread

Status = Literal["queued", "delivered", "refused", "suppressed"]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one message: queued under `queue_id`, delivered here, or not sent for a reason.

    `suppressed` are recipients left out because nothing is sent to them; the status is so where that is all of them.
    `again`: the same message may be taken later.
    """

    status: Status
    queue_id: str = ""
    message_id: str = ""
    reason: str = ""
    suppressed: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class To:
    """An envelope recipient."""

    address: Address
    notify: str | None = None
    orcpt: str | None = None


class Batch:
    """Writes and sends what programs describe, in the name of an account."""

    def __init__(self, store: Store, directory: Directory, submit: Submit, hostname: str) -> None:
        self._store, self._directory, self._hostname = store, directory, hostname
        self.submit = submit
        self.leaving: set[int] = set()
        """Drafts that are being sent, by the id of the message: whoever asks again meanwhile is refused."""

    async def send(self, account: Account, messages: Sequence[Draft]) -> list[Result]:
        """Send up to 1,000 messages; a result for each, in their order. Raises LimitReached for more."""
        if len(messages) > MESSAGES:
            raise LimitReached(f"at most {MESSAGES} messages can be sent at once")
        results = [Result("refused")] * len(messages)
        waiting = iter(enumerate(messages))

        async def work() -> None:
            for number, message in waiting:
                results[number] = await self._settled(account, message)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(messages))):
                group.create_task(work(), name="batch")
        return results

    async def _settled(self, account: Account, message: Draft) -> Result:
        try:
            return await self.one(account, message)
        except Unavailable as error:
            return Result("refused", reason=str(error), again=True)
        except GkError as error:
            return Result("refused", reason=str(error))
        except Exception:  # the one net under a message: the others are sent all the same
            log.exception("event=message_not_sent account=%d", account.id)
            return Result("refused", reason="internal error", again=True)

    async def one(self, account: Account, message: Draft) -> Result:
        """Send one message. Raises what the result would say: Refused, SendingLimit, Unavailable and their like."""
        name, sender = drafts.named(message.sender or account.address)
        if not self._directory.owns(account, sender):
            raise Refused(f"{sender} is not an address of {account.address}")
        if message.bulk and self._directory.elsewhere(sender.key) is not None:
            raise Refused("mail in bulk is sent from an address of this server, where recipients can unsubscribe")
        recipients = self._recipients(message)
        listed = self._store.sending.suppressed(account.id, recipients, bulk=message.bulk)
        left = [address for key, address in recipients.items() if key not in listed]
        out = tuple(str(recipients[key]) for key in recipients if key in listed)
        if not left:
            return Result("suppressed", reason="on the suppression list", suppressed=out)
        if message.size > self._store.limits.message_bytes:
            raise LimitReached("the message is too large")
        id_ = compose.message_id(self._hostname)
        unsubscribe = self._unsubscribe(account, sender, left[0]) if message.bulk else ""
        arguments = (message, (name or account.name or None, sender), id_, int(time.time()), unsubscribe)
        if message.size > IN_LOOP:
            content = await asyncio.to_thread(drafts.write, *arguments)
        else:
            content = drafts.write(*arguments)
        if len(content) > self._store.limits.message_bytes:
            raise LimitReached("the message is too large")
        try:
            queue_id = await self.submit.submit(
                account, sender, [To(address) for address in left], content, origin="api", bulk=message.bulk,
                keep=drafts.copy(message, content) if message.keep else None,
            )  # fmt: skip
        except Suppressed:  # put there since
            return Result("suppressed", reason="on the suppression list", suppressed=tuple(map(str, left)))
        if queue_id == "delivered":
            return Result("delivered", "", id_.decode(), suppressed=out)
        return Result("queued", queue_id, id_.decode(), suppressed=out)

    def _recipients(self, message: Draft) -> dict[str, Address]:
        """Everybody the message is for, each once, by what the spellings of an address share."""
        limit = 1 if message.bulk else self._store.limits.recipients
        texts = [*message.to, *message.cc, *message.bcc]
        if len(texts) > limit and message.bulk:
            raise Refused("a bulk message has one recipient, whose unsubscribe address it carries; send one for each")
        if not 0 < len(texts) <= limit:
            raise Refused(f"a message has 1 to {limit} recipients")
        found: dict[str, Address] = {}
        for text in texts:
            address = self._directory.complete(drafts.named(text)[1])
            found.setdefault(address.key, address)
        return found

    def _unsubscribe(self, account: Account, sender: Address, recipient: Address) -> str:
        domain = sender.key.rpartition("@")[2]
        return str(parse_address(f"{self._store.sending.leaving(account.id, recipient.key)}@{domain}"))
