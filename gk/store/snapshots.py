"""The snapshots of mailboxes, one for all sessions of each, kept in step with every commit; and who watches them."""

import asyncio
import sqlite3
from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gk.errors import NoSuchMailbox
from gk.store import keywords
from gk.store.directory import connect_reader
from gk.store.snapshot import Snapshot
from gk.store.values import Added, Expunged, Fact, Filing, Flagged, Mailbox, Queued, Renamed, ToTriage, Triaged

if TYPE_CHECKING:
    from gk.store.db import Store

KEPT = 64  # snapshots without a session that stay for the next SELECT
KEPT_MESSAGES = 2_000_000  # and the messages in them, 16 bytes each
LOADED_IN_LOOP = 20_000  # messages of a mailbox read in the event loop (8 ms); a larger one in a thread


class _Loading:
    """A large snapshot being read, and what was committed since that began."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.facts: list[Added | Flagged | Expunged] = []


class Snapshots:
    """All that are in memory."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits, self._data = store.reader, store.commits, store.data
        self._snapshots: OrderedDict[int, Snapshot] = OrderedDict()
        self._loading: dict[int, _Loading] = {}
        self._changed: set[int] = set()
        self._watchers: dict[int, set[Callable[[Fact], None]]] = {}

    def get(self, mailbox: int) -> Snapshot | None:
        """The snapshot if it is in memory."""
        return self._snapshots.get(mailbox)

    async def open(self, mailbox: Mailbox) -> Snapshot:
        """The shared state of a mailbox; `close()` it when done. Raises NoSuchMailbox."""
        while mailbox.id in self._loading:
            await self._loading[mailbox.id].done.wait()
        snapshot = self._snapshots.get(mailbox.id)
        if snapshot is None:  # an empty one is false
            snapshot = await self._load(mailbox)
        self._snapshots.move_to_end(mailbox.id)
        snapshot.users += 1
        self._forget_some()
        return snapshot

    async def _load(self, mailbox: Mailbox) -> Snapshot:
        row = self._db.execute(
            "SELECT uidnext, modseq, recent, messages FROM mailbox WHERE id = ? AND account = ?",
            (mailbox.id, mailbox.account),
        ).fetchone()
        if row is None:
            raise NoSuchMailbox("the mailbox was deleted meanwhile")
        uidnext, modseq, recent, messages = row
        if messages <= LOADED_IN_LOOP:
            columns = _columns(self._db, mailbox.id)
            late: list[Added | Flagged | Expunged] = []
        else:  # off the loop, by a connection of its own; what is committed meanwhile is applied after it
            loading = self._loading[mailbox.id] = _Loading()
            try:
                (uidnext, modseq, recent, _), columns = await asyncio.to_thread(self._load_large, mailbox.id)
            finally:
                del self._loading[mailbox.id]
                loading.done.set()
            late = loading.facts
        snapshot = Snapshot(
            mailbox,
            *columns,
            uidnext=uidnext,
            modseq=modseq,
            recent_from=recent,
            words_of=lambda value: keywords.words_of(self._db, value),
        )
        for fact in late:
            snapshot.apply(fact)
        self._snapshots[mailbox.id] = snapshot
        return snapshot

    def _load_large(
        self, mailbox: int
    ) -> tuple[tuple[int, int, int, int], "tuple[array[int], array[int], array[int]]"]:
        db = connect_reader(self._data)
        try:
            db.execute("BEGIN")  # counters and rows of the same moment
            row = db.execute(
                "SELECT uidnext, modseq, recent, messages FROM mailbox WHERE id = ?", (mailbox,)
            ).fetchone()
            return row, _columns(db, mailbox)
        finally:
            db.close()

    def _forget_some(self) -> None:
        unused = [m for m, s in self._snapshots.items() if not s.users]
        kept = sum(len(self._snapshots[m]) for m in unused)
        for mailbox in unused:
            if len(unused) <= KEPT and kept <= KEPT_MESSAGES:
                break
            kept -= len(self._snapshots.pop(mailbox))
            unused = unused[1:]

    async def save_recent(self, snapshot: Snapshot) -> None:
        """Remember over a restart which messages sessions were told of."""
        mailbox, recent = snapshot.mailbox.id, snapshot.recent_from
        await self._commits.do(
            lambda db, facts: db.execute(
                "UPDATE mailbox SET recent = ? WHERE id = ? AND recent < ?", (recent, mailbox, recent)
            )
        )

    def apply(self, fact: Added | Flagged | Expunged) -> None:
        """A committed change: keep the snapshot in step."""
        if fact.mailbox in self._loading:
            self._loading[fact.mailbox].facts.append(fact)
        snapshot = self._snapshots.get(fact.mailbox)
        if snapshot is not None:
            snapshot.apply(fact)
            self._changed.add(fact.mailbox)

    def renamed(self, fact: Renamed) -> None:
        snapshot = self._snapshots.get(fact.mailbox)
        if snapshot is not None and fact.deleted:
            snapshot.mark_deleted()
            self._changed.add(fact.mailbox)

    def watch(self, account: int, heard: Callable[[Fact], None]) -> Callable[[], None]:
        """Call `heard` with every committed change of an account's mailboxes; return what ends that."""
        watchers = self._watchers.setdefault(account, set())
        watchers.add(heard)

        def end() -> None:
            watchers.discard(heard)
            if not watchers:
                self._watchers.pop(account, None)

        return end

    def announce(self, facts: Sequence[Fact] = ()) -> None:
        """Tell who watches an account, and wake the sessions of every mailbox that changed, once each."""
        if self._watchers:
            for fact in facts:
                if not isinstance(fact, Queued | Filing | ToTriage | Triaged):
                    for heard in list(self._watchers.get(fact.account, ())):
                        heard(fact)
        changed, self._changed = self._changed, set()
        for mailbox in changed:
            snapshot = self._snapshots.get(mailbox)
            if snapshot is not None:
                snapshot.announce()
                if snapshot.deleted:
                    del self._snapshots[mailbox]


def _columns(db: sqlite3.Connection, mailbox: int) -> "tuple[array[int], array[int], array[int]]":
    rows = db.execute("SELECT uid, flags, modseq FROM entry WHERE mailbox = ? ORDER BY uid", (mailbox,)).fetchall()
    if not rows:
        return array("I"), array("I"), array("Q")
    uids, flags, modseqs = zip(*rows, strict=True)
    return array("I", uids), array("I", flags), array("Q", modseqs)
