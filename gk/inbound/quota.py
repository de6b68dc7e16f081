"""A warning to users whose mailbox is nearly full: once, and again only after it was clearly emptier."""

import asyncio
import logging

from gk.bus import Bus
from gk.errors import GkError
from gk.events import MessageDelivered, MessagesExpunged
from gk.inbound.notices import Notices
from gk.store.db import Store

log = logging.getLogger(__name__)

PACE = 1.0  # seconds in which changes are gathered: one look for many messages
BACK = 5  # percent below the mark at which a warning is forgotten, so that one message more or less repeats none
YEARS = 10 * 365 * 86_400  # seconds
ABOUT = "quota"


class QuotaWatch:
    """A service that looks at accounts whose mail changed; `percent` of the quota is the mark."""

    name = "quota"

    def __init__(self, store: Store, notices: Notices, bus: Bus, percent: int) -> None:
        self._store, self._notices, self._bus, self._percent = store, notices, bus, percent

    async def run(self, ready: asyncio.Event) -> None:
        with self._bus.subscribe(MessageDelivered, MessagesExpunged) as changes:
            ready.set()
            while True:
                await changes.wait()
                await asyncio.sleep(PACE)
                found = changes.drain()
                accounts = {event.account for event in found if isinstance(event, MessageDelivered | MessagesExpunged)}
                if changes.lagged:
                    changes.lagged = False
                    accounts = {account.id for account in self._store.accounts.all()}
                for account in accounts:
                    try:
                        await self.look(account)
                    except GkError as error:  # removed meanwhile, or nothing can be stored now
                        log.warning("event=quota_not_told account=%d reason=%r", account, str(error))
                    await asyncio.sleep(0)

    async def look(self, account: int) -> None:
        """Warn the user of an account, where that is due. Raises NoSuchAccount, and what the store raises."""
        usage = self._store.accounts.usage(account)
        if not usage.size_limit or not self._percent:
            return
        share = usage.size * 100 // usage.size_limit
        owner = self._store.accounts.by_id(account)
        told = self._notices.told(owner, ABOUT)
        if told and share < self._percent - BACK:
            await self._notices.forget(owner, ABOUT)
        elif not told and share >= self._percent:
            text = (
                f"Your mail takes {_amount(usage.size)} of {_amount(usage.size_limit)}, {share} %. Once that is all,"
                " mail for you is refused.\n\nDelete what you need no longer, and empty the trash.\n"
            )
            await self._notices.tell(owner, ABOUT, f"Your mailbox is {share} % full", text, YEARS)


def _amount(octets: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if octets >= size:
            return f"{octets / size:.1f} {unit}"
    return f"{octets} octets"
