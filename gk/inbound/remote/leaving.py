"""What happened here, told there: flags, moves and deletions.

Before a message is moved or deleted there it is looked at: the UIDVALIDITY is the one its uid belongs to, and it has
the header and the size it had when it came. What is not the same message is left alone from then on.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import TypeVar

from gk.errors import Refused
from gk.inbound.remote.parsing import Listed
from gk.inbound.remote.session import RANGE, Session
from gk.store.db import Store
from gk.store.remote_marks import marked
from gk.store.remote_rows import Folder
from gk.store.remotes import Change, Missing
from gk.store.values import DELETED

T = TypeVar("T")
log = logging.getLogger(__name__)

Targets = dict[int, tuple[Listed, str]]  # by mailbox here: what it is there, and its special use


class Departures:
    """Tells the selected folder there what changed in the mailbox here."""

    def __init__(
        self, store: Store, session: Session, folder: Folder, targets: Targets, trash: Listed | None, own: Listed
    ) -> None:
        self._store, self._session, self._folder = store, session, folder
        self._targets, self._trash, self._own = targets, trash, own

    async def tell(self) -> int:
        """Tell all of it; how many messages were told of. Raises what the session and the store raise."""
        found = await self._store.remotes.changes(self._folder)
        if found is None:
            return 0
        changed, missing, modseq = found
        await self._flags(changed)
        await self._gone(missing)
        await self._store.remotes.pushed(self._folder.id, modseq)
        return len(changed) + len(missing)

    async def _flags(self, changed: Sequence[Change]) -> None:
        groups: dict[tuple[int, int], list[Change]] = {}
        for change in sorted(changed, key=lambda change: change.uid):
            groups.setdefault((change.add, change.remove), []).append(change)
        for (add, remove), group in groups.items():
            for part in _parts(group):
                uids = [change.uid for change in part]
                try:
                    if add:
                        await self._session.store(uids, "+", add)
                    if remove:
                        await self._session.store(uids, "-", remove)
                except Refused:  # what is not allowed there is taken back here, when its flags are looked at
                    log.info("event=remote_flags_refused folder=%d", self._folder.id)
                await self._store.remotes.told(part)

    async def _gone(self, missing: Sequence[Missing]) -> None:
        moves: dict[int, list[tuple[Missing, int]]] = {}
        deleted: list[Missing] = []
        apart: list[int] = []
        for one in missing:
            back = next((uid for mailbox, uid, _ in one.now if mailbox == self._folder.mailbox), None)
            target = next(((mailbox, uid) for mailbox, uid, _ in one.now if mailbox in self._targets), None)
            if back is not None:
                await self._store.remotes.moved(one.row, self._folder, back, one.uid)
            elif target is not None:
                moves.setdefault(target[0], []).append((one, target[1]))
            elif one.now:
                apart.append(one.row)
            else:
                deleted.append(one)
        if apart:
            await self._store.remotes.part(apart)
        for mailbox, going in moves.items():
            for part in _parts(going):
                await self._move(mailbox, part)
        for ones in _parts(deleted):
            await self._delete(ones)

    async def _same(self, missing: Sequence[Missing]) -> list[Missing]:
        """Those that are there and the same; the others are noted as gone, or left alone."""
        found = await self._session.look([one.uid for one in missing])
        same, gone, others = [], [], []
        for one in missing:
            there = found.get(one.uid)
            if there is None:
                gone.append(one.uid)
            elif there.size == one.size and marked(there.header or b"").mark == one.mark:
                same.append(one)
            else:
                others.append(one.row)
        if gone:
            await self._store.remotes.vanish(self._folder, gone)
        if others:
            log.warning("event=remote_other_message folder=%d count=%d", self._folder.id, len(others))
            await self._store.remotes.part(others)
        return same

    async def _move(self, mailbox: int, going: Sequence[tuple[Missing, int]]) -> None:
        there, _ = self._targets[mailbox]
        places = {one.row: uid for one, uid in going}
        same = await self._same(sorted((one for one, _ in going), key=lambda one: one.uid))
        if not same:
            return
        if there.raw == self._own.raw:
            await self._store.remotes.part([one.row for one in same])
            return
        try:
            validity, after = await self._taken_to(there, [one.uid for one in same])
        except Refused:  # no such right there, or no room: the message stays there as it is
            log.info("event=remote_move_refused folder=%d count=%d", self._folder.id, len(same))
            await self._store.remotes.part([one.row for one in same])
            return
        here = self._store.mailboxes.by_id(self._folder.account, mailbox)
        if here is None:
            return
        target = await self._store.remotes.folder(self._folder.remote, self._folder.account, there.name, here)
        if validity and target.uidvalidity != validity:
            await self._store.remotes.begin(target.id, validity)
        known = target.mailbox == mailbox  # else it is in step with another one here, where it will be found again
        for one in same:
            await self._store.remotes.moved(one.row, target, places[one.row], after.get(one.uid) if known else None)

    async def _taken_to(self, there: Listed, uids: Sequence[int]) -> tuple[int, dict[int, int]]:
        if self._session.has("MOVE"):
            return await self._session.move(uids, there.raw)
        copied = await self._session.copy(uids, there.raw)
        await self._session.store(uids, "+", DELETED)
        if self._session.has("UIDPLUS"):
            await self._session.expunge(uids)
        return copied

    async def _delete(self, missing: Sequence[Missing]) -> None:
        """To Trash there, or what is in it or has none: for good, where these messages alone can be named."""
        same = await self._same(sorted(missing, key=lambda one: one.uid))
        if not same:
            return
        uids, rows = [one.uid for one in same], [one.row for one in same]
        try:
            if self._trash is not None and self._trash.raw != self._own.raw:
                await self._taken_to(self._trash, uids)
            else:
                await self._session.store(uids, "+", DELETED)
                if not self._session.has("UIDPLUS"):  # EXPUNGE would take what others marked (RFC 3501 §6.4.3)
                    await self._store.remotes.part(rows)
                    return
                await self._session.expunge(uids)
        except Refused:
            log.info("event=remote_delete_refused folder=%d count=%d", self._folder.id, len(rows))
            await self._store.remotes.part(rows)
            return
        await self._store.remotes.forget(rows)


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + RANGE] for start in range(0, len(items), RANGE))
