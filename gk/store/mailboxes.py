"""Mailboxes and the messages in them. Reads are plain calls, writes return after their synced commit."""

import sqlite3
import time
from collections.abc import Sequence
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from gk.errors import NoSuchMailbox
from gk.store import entries, names, removal
from gk.store.chosen import chosen, joined, overlap, uid_ranges
from gk.store.content import Content, Contents
from gk.store.snapshot import Snapshot
from gk.store.values import (
    DELIMITER,
    Arrival,
    Fact,
    Flags,
    Mailbox,
    Status,
    When,
)

if TYPE_CHECKING:
    from gk.store.db import Store

# Spelled out here because `list` is a method below.
Uids = list[int]
Ranges = list[tuple[int, int]]
UidPairs = tuple[list[int], list[int]]
Words = list[str]
Thread = tuple[int, list[tuple[int, int]]]
Rows = list[tuple[Any, ...]]
FoundContents = list[Content | None]

SLICE = 2000  # messages of one unit of EXPUNGE or STORE: what a delivery may have to wait for

COLUMNS = {
    "message": "e.message",
    "internaldate": "e.date",
    "zone": "e.zone",
    "localdate": "e.date + e.zone * 60",
    "flags": "e.flags",
    "modseq": "e.modseq",
    "saved": "e.saved",
    "thread": "e.thread",
    "recipient": "e.recipient",
    "size": "m.size",
    "crc": "m.crc",
    "envelope": "m.envelope",
    "bodystructure": "m.bodystructure",
    "parts": "m.parts",
    "header": "h.content",
}
FEW, MANY = 8, 128  # rows read before their bytes are counted, and once they turned out to be small
SMALL = 4096  # bytes of a row
WIDE = frozenset({"envelope", "bodystructure", "parts", "header"})  # a stranger's mail decides how wide


class Mailboxes:
    """The room of mailboxes; everything in it is asked for with its account."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits, self._limits = store.reader, store.commits, store.limits
        self._store = store
        self._contents = Contents(store.data, store.reader, store.filer.round)

    def begin(self) -> None:
        """Go on with what a stop interrupted."""
        self._leftover = [m for (m,) in self._db.execute("SELECT id FROM mailbox WHERE account < 0")]

    async def purge_leftovers(self) -> None:
        """Finish the deletion of mailboxes that a stop interrupted."""
        for mailbox in self._leftover:
            await self.purge(mailbox)

    # --- names --------------------------------------------------------------------------------------------------------

    def find(self, account: int, name: str) -> Mailbox | None:
        """The mailbox of that name; INBOX in any case."""
        if name.upper().startswith("INBOX"):
            first, slash, rest = name.partition("/")
            name = (first.upper() if first.upper() == "INBOX" else first) + slash + rest
        row = self._db.execute(
            "SELECT id, account, name, uidvalidity, special_use FROM mailbox WHERE account = ? AND name = ?",
            (account, _text(name)),
        ).fetchone()
        return Mailbox(*row) if row else None

    def find_folded(self, account: int, name: str) -> Mailbox | None:
        """The mailbox of that name, or one whose name differs in the case of ASCII letters only."""
        row = self._db.execute(
            "SELECT id, account, name, uidvalidity, special_use FROM mailbox"
            " WHERE account = ? AND lower(name) = lower(?) ORDER BY name <> ?, name LIMIT 1",
            (account, _text(name), _text(name)),
        ).fetchone()
        return Mailbox(*row) if row else None

    def by_id(self, account: int, number: int) -> Mailbox | None:
        """The mailbox of that id, if it is the account's."""
        row = self._db.execute(
            "SELECT id, account, name, uidvalidity, special_use FROM mailbox WHERE id = ? AND account = ?",
            (number, account),
        ).fetchone()
        return Mailbox(*row) if row else None

    def with_use(self, account: int, use: str) -> Mailbox | None:
        """The mailbox with a special use, like \\Sent (RFC 6154)."""
        row = self._db.execute(
            "SELECT id, account, name, uidvalidity, special_use FROM mailbox WHERE account = ? AND special_use = ?",
            (account, use),
        ).fetchone()
        return Mailbox(*row) if row else None

    def get(self, account: int, name: str) -> Mailbox:
        """The same; raises NoSuchMailbox."""
        mailbox = self.find(account, name)
        if mailbox is None:
            raise NoSuchMailbox("there is no mailbox of that name")
        return mailbox

    def list(self, account: int) -> list[Mailbox]:
        """All mailboxes of the account by name, INBOX first."""
        rows = self._db.execute(
            "SELECT id, account, name, uidvalidity, special_use FROM mailbox WHERE account = ?"
            " ORDER BY name <> 'INBOX', name",
            (account,),
        )
        return [Mailbox(*row) for row in rows]

    def has_children(self, mailbox: Mailbox) -> bool:
        """Whether there are mailboxes below it."""
        first = mailbox.name + DELIMITER
        return (
            self._db.execute(
                "SELECT 1 FROM mailbox WHERE account = ? AND name >= ? AND name < ? LIMIT 1",
                (mailbox.account, first, mailbox.name + chr(ord(DELIMITER) + 1)),
            ).fetchone()
            is not None
        )

    def subscribed(self, account: int) -> set[str]:
        return {n for (n,) in self._db.execute("SELECT name FROM subscription WHERE account = ?", (account,))}

    def status(self, mailbox: Mailbox) -> Status:
        row = self._db.execute(
            "SELECT messages, unseen, deleted, size, recent, uidnext, uidvalidity, modseq FROM mailbox WHERE id = ?",
            (mailbox.id,),
        ).fetchone()
        if row is None:
            raise NoSuchMailbox("the mailbox was deleted meanwhile")
        messages, unseen, deleted, size, recent, uidnext, uidvalidity, modseq = row
        snapshot = self._store.snapshots.get(mailbox.id)
        first = recent if snapshot is None else max(recent, snapshot.recent_from)
        (count,) = self._db.execute(
            "SELECT count(*) FROM entry WHERE mailbox = ? AND uid >= ?", (mailbox.id, first)
        ).fetchone()
        return Status(messages, unseen, deleted, size, count, uidnext, uidvalidity, modseq)

    def deleted_size(self, mailbox: Mailbox) -> int:
        """Octets of the messages that are \\Deleted."""
        (size,) = self._db.execute(
            "SELECT coalesce(sum(m.size), 0) FROM entry e INDEXED BY entry_deleted"
            " JOIN message m ON m.id = e.message WHERE e.mailbox = ? AND e.flags & 8",
            (mailbox.id,),
        ).fetchone()
        return int(size)

    def keywords(self, mailbox: Mailbox) -> Words:
        """The keywords ever used in the mailbox, oldest first."""
        rows = self._db.execute("SELECT word FROM keyword WHERE mailbox = ? ORDER BY position", (mailbox.id,))
        return [word for (word,) in rows]

    async def create(self, account: int, name: str, special_use: str | None = None) -> Mailbox:
        """Raises MailboxExists, BadName, LimitReached, Refused."""
        name, limit = names.canonical(name), self._limits.mailboxes
        return await self._commits.do(lambda db, facts: names.create(db, facts, account, name, special_use, limit))

    async def delete(self, account: int, name: str, *, empty: bool = False) -> None:
        """Raises NoSuchMailbox, Refused; with `empty` also where it has messages.

        Gone for everybody at once; its messages follow in slices.
        """
        name = names.canonical(name)
        await self.purge(await self._commits.do(lambda db, facts: names.delete(db, facts, account, name, empty=empty)))

    async def purge(self, mailbox: int) -> None:
        """Remove what is left of a deleted mailbox."""
        while not await self._commits.do(lambda db, facts: names.purge(db, facts, mailbox)):
            pass

    async def rename(self, account: int, old: str, new: str) -> None:
        """Raises NoSuchMailbox, MailboxExists, BadName, Refused."""
        old, new = names.canonical(old), names.canonical(new)
        limit = self._limits.mailboxes
        await self._commits.do(lambda db, facts: names.rename(db, facts, account, old, new, limit))

    async def subscribe(self, account: int, name: str, on: bool) -> None:
        name = names.canonical(name)
        await self._commits.do(lambda db, facts: names.subscribe(db, facts, account, name, on))

    async def open(self, mailbox: Mailbox) -> Snapshot:
        """The shared state of a mailbox; `close()` it when done. Raises NoSuchMailbox."""
        return await self._store.snapshots.open(mailbox)

    # --- messages -----------------------------------------------------------------------------------------------------

    def rows(self, mailbox: Mailbox, uids: Sequence[int], columns: tuple[str, ...], enough: int | None = None) -> Rows:
        """(uid, *columns) of each uid that is there, by uid; columns are keys of COLUMNS. Ask for slices of 500.

        Once the rows hold `enough` bytes they end early: ask again for the uids after the last.
        """
        if not len(uids):
            return []
        wanted = ", ".join(COLUMNS[c] for c in columns)
        tables = "entry e"
        if any(COLUMNS[c][0] == "m" for c in columns):
            tables += " JOIN message m ON m.id = e.message"
        if "header" in columns:
            tables += " JOIN header h ON h.message = e.message"
        condition, values = chosen(uids)
        cursor = self._db.execute(
            f"SELECT e.uid{', ' if wanted else ''}{wanted} FROM {tables} WHERE e.mailbox = ? AND e.{condition}"
            " ORDER BY e.uid",
            (mailbox.id, *values),
        )
        wide = [itemgetter(place) for place, column in enumerate(columns, 1) if column in WIDE]
        if enough is None or not wide:
            return cursor.fetchall()
        rows: Rows = []
        few = FEW
        while enough > 0 and (read := cursor.fetchmany(few)):
            rows += read
            size = sum(sum(map(len, map(column, read))) for column in wide)
            enough -= size
            few = FEW if size > SMALL * len(read) else min(2 * few, MANY)
        cursor.close()
        return rows

    async def contents(self, mailbox: Mailbox, uids: Sequence[int]) -> FoundContents:
        """The messages' bytes, None for those expunged meanwhile; ask for at most 100. Raises Damaged."""
        return await self._contents.of(mailbox, uids)

    async def content_of(self, message: int) -> Content | None:
        """A message's bytes by its id, wherever it stands: for the queue."""
        return await self._contents.of_message(message)

    def thread(self, account: int, message: int, most: int) -> Thread:
        """The thread of a message in an account, 0 where it stands nowhere there, and its last messages.

        Each is (id, when it came), the oldest first; that message is among them. What is in Junk, Trash and Drafts
        belongs to none.
        """
        rows = self._db.execute(
            "SELECT o.message, min(o.date), o.thread FROM entry e JOIN mailbox b ON b.id = e.mailbox AND b.account = ?1"
            " JOIN entry o ON o.thread = e.thread JOIN mailbox c ON c.id = o.mailbox AND c.account = ?1"
            " WHERE e.message = ?2 AND (o.message = ?2 OR"
            " coalesce(c.special_use, '') NOT IN ('\\Junk', '\\Trash', '\\Drafts'))"
            " GROUP BY o.message ORDER BY o.message = ?2 DESC, 2 DESC, 1 DESC LIMIT ?3",
            (account, message, most),
        ).fetchall()
        found = sorted((number, date) for number, date, _ in rows)
        return (rows[0][2] if rows else 0), sorted(found, key=itemgetter(1))

    def vanished(self, mailbox: Mailbox, since: int, among: Ranges | None = None) -> Ranges:
        """The uids expunged after the modseq `since`, as ordered ranges; of `among`, ordered ranges, where given.

        Where that is longer ago than the log reaches, every uid that is not there is told (RFC 7162 §3.2.5.2).
        """
        forgotten, uidnext = self._db.execute(
            "SELECT forgotten, uidnext FROM mailbox WHERE id = ?", (mailbox.id,)
        ).fetchone() or (0, 1)
        gone: list[tuple[int, int]] = []
        if since >= forgotten:
            for (text,) in self._db.execute(
                "SELECT uids FROM expunged WHERE mailbox = ? AND modseq > ?", (mailbox.id, since)
            ):
                gone += uid_ranges(text)
            gone = joined(gone)
        else:
            last = 0
            for (uid,) in self._db.execute("SELECT uid FROM entry WHERE mailbox = ? ORDER BY uid", (mailbox.id,)):
                if uid > last + 1:
                    gone.append((last + 1, uid - 1))
                last = uid
            if uidnext > last + 1:
                gone.append((last + 1, uidnext - 1))
        return gone if among is None else overlap(gone, among)

    async def append(self, mailbox: Mailbox, arrivals: Sequence[tuple[Arrival, Flags, When | int | None]]) -> Uids:
        """Add messages with their flags and internal dates (an int: in UTC; None: now); their uids."""
        self._store.accounts.check_room(mailbox.account, len(arrivals), sum(a.size for a, _, _ in arrivals))
        await self._store.space.room()
        now = int(time.time())
        dated = [(a, f, d if isinstance(d, When) else When(now if d is None else d)) for a, f, d in arrivals]
        return await self._store.keep_all(
            [a for a, _, _ in arrivals],
            lambda db, facts: entries.append(db, facts, mailbox.id, mailbox.account, dated, self._limits.keywords),
        )

    async def store_flags(
        self,
        mailbox: Mailbox,
        uids: Sequence[int],
        mode: Literal["add", "remove", "set"],
        flags: Flags,
        unchanged_since: int | None = None,
    ) -> Uids:
        """Change flags; the uids left alone because of `unchanged_since`. Raises LimitReached."""
        if not len(uids):
            return []
        return await self._commits.do(
            lambda db, facts: entries.store_flags(
                db, facts, mailbox.id, uids, mode, flags, unchanged_since, self._limits.keywords
            )
        )

    async def copy(self, source: Mailbox, uids: Sequence[int], target: Mailbox) -> UidPairs:
        """Copy; the source uids that were there and the new ones, in the same order."""
        if not len(uids):
            return [], []
        self._check_copy(source, uids, target)
        await self._store.space.room_for_copies()
        return await self._commits.do(
            lambda db, facts: entries.copy(db, facts, source.id, uids, target.id, self._limits.keywords)
        )

    async def move(self, source: Mailbox, uids: Sequence[int], target: Mailbox) -> UidPairs:
        """Move in one commit; as `copy`."""
        if not len(uids):
            return [], []
        return await self._commits.do(
            lambda db, facts: entries.move(db, facts, source.id, uids, target.id, self._limits.keywords)
        )

    async def expunge(self, mailbox: Mailbox, uids: Sequence[int] | None) -> Uids:
        """Remove messages that are \\Deleted, all or those of `uids`; the uids that went."""
        if uids is None:
            rows = self._db.execute(
                "SELECT uid FROM entry INDEXED BY entry_deleted WHERE mailbox = ? AND flags & 8 ORDER BY uid",
                (mailbox.id,),
            )
            uids = [uid for (uid,) in rows]
        gone: Uids = []
        for start in range(0, len(uids), SLICE):
            part = uids[start : start + SLICE]
            gone += await self._commits.do(partial(_remove, mailbox.id, part))
        return gone

    def _check_copy(self, source: Mailbox, uids: Sequence[int], target: Mailbox) -> None:
        """The same for messages that are to be copied."""
        condition, values = chosen(uids)
        (size,) = self._db.execute(
            "SELECT coalesce(sum(m.size), 0) FROM entry e JOIN message m ON m.id = e.message"
            f" WHERE e.mailbox = ? AND e.{condition}",
            (source.id, *values),
        ).fetchone()
        self._store.accounts.check_room(target.account, len(uids), size)


def _text(name: str) -> str:
    """Lone surrogates cannot be stored, so no mailbox has them."""
    return name.encode("utf-8", "replace").decode()


def _remove(mailbox: int, uids: Sequence[int], db: sqlite3.Connection, facts: list[Fact]) -> Uids:
    return removal.remove(db, facts, mailbox, uids)
