"""Notices of the server to a user, put into INBOX: of a rule that failed, of a mailbox that is nearly full."""

import hashlib
import time
from collections import Counter

from gk.message import compose
from gk.outbound.draft import Draft, named, write
from gk.store.db import Store
from gk.store.values import INBOX, Account, Recipient

A_DAY = 10  # notices an account gets: what strangers send cannot fill a mailbox with them
DAY = 86_400
LONGEST = 2_000  # characters of what a notice says


class Notices:
    """Writes and delivers them; what a user was told of is remembered across restarts."""

    def __init__(self, store: Store, hostname: str) -> None:
        self._store, self._hostname = store, hostname
        self._today = 0
        self._given: Counter[int] = Counter()  # of that day, by account

    async def tell(self, account: Account, about: str, subject: str, text: str, seconds: int = DAY) -> None:
        """Tell the user, unless about the same that was done not longer ago. Raises what the store raises."""
        if self.told(account, about) or not self._counted(account.id):
            return
        if not await self._store.scripts.answer(account.id, _handle(about), account.address, seconds):
            return
        draft = Draft(
            (account.address,),
            subject=subject,
            text=text.encode("utf-8", "replace").decode()[:LONGEST],
            headers={"Auto-Submitted": "auto-generated"},  # RFC 3834 §5
        )
        author = ("GK", named(f"postmaster@{account.address.rpartition('@')[2]}")[1])
        content = write(draft, author, compose.message_id(self._hostname), int(time.time()))
        inbox = self._store.mailboxes.get(account.id, INBOX)
        arrival = await self._store.prepare(b"Return-Path: <>\r\n" + content)
        await self._store.deliver(arrival, [Recipient(account.id, inbox.id, account.address)], door="notice")

    def told(self, account: Account, about: str) -> bool:
        """Whether the user was told."""
        return self._store.scripts.was_answered(account.id, _handle(about), account.address)

    async def forget(self, account: Account, about: str) -> None:
        """Tell of it again the next time."""
        await self._store.scripts.forget(account.id, _handle(about))

    def _counted(self, account: int) -> bool:
        today = int(time.time()) // DAY
        if today != self._today:
            self._today = today
            self._given.clear()
        self._given[account] += 1
        return self._given[account] <= A_DAY


def _handle(about: str) -> str:
    return "notice " + hashlib.sha256(about.encode("utf-8", "surrogatepass")).hexdigest()[:32]
