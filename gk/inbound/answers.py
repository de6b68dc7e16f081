"""What users' rules send to others: answers while they are away, and reports of mail they refuse.

Both go out from the null path and say that a program made them, so that no other program answers (RFC 3834 §5).
"""

import logging
import re
import time
from collections import Counter
from dataclasses import dataclass

from gk import metrics
from gk.accounts.aliases import Directory
from gk.message import compose
from gk.message.address import Address, AddressError
from gk.message.dsn import Failure, report
from gk.message.text import decode_words
from gk.outbound.draft import Draft, Named, named, write
from gk.outbound.submit import Submit
from gk.sieve.answering import among, declined, message_ids
from gk.sieve.mail import Mail
from gk.sieve.mailbox import parse_mailbox
from gk.sieve.outcome import Vacation
from gk.store.db import Store
from gk.store.outgoing import VACATION
from gk.store.values import Account

log = logging.getLogger(__name__)

A_DAY = 200  # answers of one account: senders may be forged, and many
DAY = 86_400

_FIELDS = re.compile(
    rb"(?:(?:content-[a-z-]+|mime-version)[ \t]*:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*+)++(?=\r\n)", re.IGNORECASE
)
_VERSION = re.compile(rb"^mime-version[ \t]*:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _To:
    """An envelope recipient about whom nobody wants a report."""

    address: Address
    notify: str | None = "NEVER"
    orcpt: str | None = None


class Answers:
    """Writes and queues them; `submit` asks no rules of those who get them here, or answers could go round."""

    def __init__(self, store: Store, directory: Directory, submit: Submit, hostname: str) -> None:
        self._store, self._directory, self._submit, self._hostname = store, directory, submit, hostname
        self._today = 0
        self._given: Counter[int] = Counter()  # answers of that day, by account

    def why_not(self, account: Account, vacation: Vacation, mail: Mail) -> str:
        """Why the sender of a message gets no answer; "" where it may."""
        own = among(vacation.addresses)
        reason = declined(mail, lambda address: own(address) or self._directory.owns(account, address))
        if not reason and self._store.scripts.was_answered(account.id, vacation.handle, str(mail.sender)):
            reason = "its sender was answered lately"
        return reason

    def write(self, account: Account, vacation: Vacation, mail: Mail) -> bytes:
        """The answer to a message that has a sender. Raises Refused where it cannot be written."""
        # RFC 5230 §4.3; scripts of other servers have encoded words in it.
        subject = decode_words(vacation.subject.encode("utf-8", "replace")) or f"Auto: {_subject(mail)}"
        headers = {"Auto-Submitted": "auto-replied (vacation)"}  # RFC 3834 §5
        in_reply_to, references = message_ids(mail)
        if in_reply_to:
            headers |= {"In-Reply-To": in_reply_to, "References": references}
        text = "" if vacation.mime else vacation.reason
        draft = Draft((str(mail.sender),), subject=compose.clean(subject), text=text, headers=headers)
        author = self._author(account, vacation, mail.recipient)
        content = write(draft, author, compose.message_id(self._hostname), int(time.time()))
        if not vacation.mime:
            return content
        head, mark, _ = content.partition(b"MIME-Version: 1.0\r\n")
        return head + mark + _entity(vacation.reason)

    async def answer(self, account: Account, vacation: Vacation, written: bytes, sender: Address) -> None:
        """Send what was written, unless the sender was answered meanwhile."""
        if not self._counted(account.id):
            log.warning("event=answers_capped account=%d", account.id)
            return
        if not await self._store.scripts.answer(account.id, vacation.handle, str(sender), vacation.seconds):
            return
        await self._submit.submit(account, None, [_To(sender)], written, origin=VACATION)
        metrics.answers.inc()

    async def refuse(self, account: Account, sender: Address, recipient: str, words: str, header: bytes) -> None:
        """Report to the sender that a user refuses its message (RFC 5429 §2.1.2)."""
        if not self._counted(account.id):
            return
        now = int(time.time())
        failure = Failure(recipient, None, "failed", "5.7.1", None, compose.clean(words))
        content = report(
            hostname=self._hostname, to=str(sender), original_headers=header, failures=[failure], envid=None,
            arrived=now, now=now, ret_full=None,
        )  # fmt: skip
        await self._submit.submit(account, None, [_To(sender)], content, origin=VACATION)

    def _author(self, account: Account, vacation: Vacation, recipient: Address | None) -> Named:
        """Whom the answer is from: as the script says, else the recipient (RFC 5230 §4.4), where that is the user."""
        candidates: list[tuple[str, Address]] = []
        if vacation.sender:
            try:
                candidates.append(parse_mailbox(vacation.sender))
            except AddressError:
                pass
        if recipient is not None:
            candidates.append((account.name, recipient))
        for name, address in candidates:
            if self._directory.owns(account, address):
                return compose.clean(name) or None, address
        return compose.clean(account.name) or None, named(account.address)[1]

    def _counted(self, account: int) -> bool:
        today = int(time.time()) // DAY
        if today != self._today:
            self._today = today
            self._given.clear()
        self._given[account] += 1
        return self._given[account] <= A_DAY


def _subject(mail: Mail) -> str:
    return next((field.text for field in mail.fields if field.name == "subject"), "") or "your message"


def _entity(text: str) -> bytes:
    """A MIME entity as a script has it, header and all (RFC 5230 §4.4); a plain text where that has no header."""
    raw = "\r\n".join(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")).encode("utf-8", "replace") + b"\r\n"
    head = _FIELDS.match(raw)
    if head is None:
        return b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + raw
    return _VERSION.sub(b"", head[0]) + raw[head.end() :]
