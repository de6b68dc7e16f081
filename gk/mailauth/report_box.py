"""The mailbox others' reports come to, read newest first; nothing of it is kept elsewhere."""

import asyncio
from collections.abc import AsyncIterator

from gk.accounts.aliases import Directory
from gk.config import Reports
from gk.errors import Refused
from gk.mailauth import reports
from gk.mailauth.reports import Report
from gk.mailauth.unpacked import ReportError
from gk.message.address import parse_address
from gk.store.content import Content
from gk.store.db import Store
from gk.store.values import Mailbox

MESSAGES = 500  # that are looked at, the newest
SLICE = 50  # whose contents are open at once

Found = Report | ReportError


class ReportBox:
    """The mailbox [reports] of the configuration names."""

    def __init__(self, store: Store, directory: Directory, config: Reports) -> None:
        self._store, self._directory, self._config = store, directory, config

    async def newest(self) -> AsyncIterator[tuple[int, Found]]:
        """(uid, report, or why it cannot be read) of the reports among the newest messages. Raises Refused."""
        mailbox, rooms = self._mailbox(), self._store.mailboxes
        snapshot = await rooms.open(mailbox)
        try:
            uids = list(snapshot.uids[-MESSAGES:])
        finally:
            snapshot.close()
        for start in range(0, len(uids), SLICE):
            chosen = uids[max(len(uids) - start - SLICE, 0) : len(uids) - start]
            for uid, found in reversed(await self._read(mailbox, chosen)):
                yield uid, found

    async def one(self, uid: int) -> Report:
        """A report by its uid. Raises Refused where there is none, or none that can be read."""
        found = await self._read(self._mailbox(), [uid])
        if not found:
            raise Refused(f"there is no report {uid}; «gk reports list» shows those there are")
        if isinstance(found[0][1], ReportError):
            raise Refused(f"the report cannot be read: {found[0][1]}")
        return found[0][1]

    def _mailbox(self) -> Mailbox:
        address = self._config.address
        if not address:
            raise Refused("no address is named for reports; set reports.address in gk.toml")
        found = self._directory.resolve(parse_address(address))
        if not found:
            raise Refused(f"reports.address, {address}, is no account here")
        return self._store.mailboxes.get(found[0].account, self._config.mailbox)

    async def _read(self, mailbox: Mailbox, uids: list[int]) -> list[tuple[int, Found]]:
        """The reports among these messages, by uid."""
        sizes = self._store.mailboxes.rows(mailbox, uids, ("size",))
        small = [uid for uid, size in sizes if size <= reports.LARGEST]
        contents = await self._store.mailboxes.contents(mailbox, small)
        found: list[tuple[int, Found]] = []
        try:
            for uid, content in zip(small, contents, strict=True):
                report = await asyncio.to_thread(_read, content) if content is not None else None
                if report is not None:
                    found.append((uid, report))
        finally:
            for content in contents:
                if content is not None:
                    content.close()
        return found


def _read(content: Content) -> Found | None:
    try:
        return reports.read(content.read())
    except ReportError as error:
        return error
