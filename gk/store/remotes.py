"""What is in step with mailboxes elsewhere: which message here is which there, and what both sides agreed on last.

A row of `remote_message` is written in the unit that takes the message in, so a stop leaves neither a second copy nor
a gap. `flags` is what both sides had last: whatever differs from it on one side was changed there.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from gk.errors import MailboxExists, Refused
from gk.store import names, remote_rows, remote_taking
from gk.store.directory import connect_reader
from gk.store.remote_rows import HERE, MIRRORED, Folder
from gk.store.remote_taking import Arriving, Taken
from gk.store.values import Fact, Mailbox

if TYPE_CHECKING:
    from gk.store.db import Store

WINDOW = 2000  # rows looked at before others get their turn
KEPT = 30 * 86_400  # seconds a row without its message there is kept, so that it is known again


@dataclass(frozen=True, slots=True)
class Known:
    """How an account elsewhere was last seen; `synced` in seconds since 1970, 0: never. `messages` in its mailboxes."""

    id: int
    account: int
    name: str
    synced: int
    error: str
    messages: int


@dataclass(frozen=True, slots=True)
class Change:
    """A message whose flags here are not what both sides had: `add` and `remove` are bits the other side is to get."""

    row: int
    uid: int
    add: int
    remove: int


@dataclass(frozen=True, slots=True)
class Missing:
    """A message that left its mailbox here; `now` are (mailbox, uid, special use) where it is by now."""

    row: int
    uid: int
    message: int
    mark: int
    size: int
    now: tuple[tuple[int, int, str], ...]


@dataclass(slots=True)
class Compared:
    """Uids that were dealt with, the (mark, size) of what is there already or waits to be known again.

    `others` are the (folder, uid) of messages that look the same and were last seen in another folder.
    """

    uids: set[int] = field(default_factory=set)
    present: set[tuple[int, int]] = field(default_factory=set)
    waiting: set[tuple[int, int]] = field(default_factory=set)
    others: set[tuple[int, int]] = field(default_factory=set)


class Remotes:
    """The room of what is in step."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits, self._store = store.reader, store.commits, store

    # --- accounts and folders -----------------------------------------------------------------------------------------

    async def open(self, account: int, name: str, place: str) -> int:
        """The id of an account elsewhere; at another `place` than before none of its uids mean anything."""

        def work(db: sqlite3.Connection, facts: list[Fact]) -> int:
            db.execute(
                "INSERT INTO remote (account, name, place) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (account, name, place),
            )
            remote, before = db.execute(
                "SELECT id, place FROM remote WHERE account = ? AND name = ?", (account, name)
            ).fetchone()
            if before != place:
                db.execute("UPDATE remote SET place = ? WHERE id = ?", (place, remote))
                for (folder,) in db.execute("SELECT id FROM remote_folder WHERE remote = ?", (remote,)).fetchall():
                    remote_rows.begin(db, folder, 0)
            return int(remote)

        return await self._commits.do(work)

    def known(self) -> list[Known]:
        """Every account elsewhere there ever was."""
        rows = self._db.execute(
            "SELECT r.id, r.account, r.name, r.synced, r.error,"
            " (SELECT coalesce(sum(b.messages), 0) FROM remote_folder f JOIN mailbox b ON b.id = f.mailbox"
            " WHERE f.remote = r.id AND b.account = r.account AND b.special_use IS NULL) FROM remote r ORDER BY r.name"
        )
        return [Known(*row) for row in rows]

    async def tell(self, remote: int, *, synced: int | None = None, error: str = "") -> None:
        """Write down that all is in step, or why it is not."""
        await self._commits.do(
            lambda db, facts: db.execute(
                "UPDATE remote SET synced = coalesce(?, synced), error = ? WHERE id = ?", (synced, error, remote)
            )
        )

    async def retire(self, kept: Sequence[int]) -> int:
        """Forget messages of accounts that are not kept in step any more, once they are not here either; how many."""
        work = partial(remote_rows.retire, kept=list(kept), most=WINDOW)
        gone = 0
        while some := await self._commits.do(work):
            gone += some
        return gone

    async def folder(self, remote: int, account: int, name: str, mailbox: str | Mailbox) -> Folder:
        """The folder of that name there, in step with this mailbox here, which is made where it is not there.

        It stays with its mailbox when that is renamed; where that was deleted, it begins anew. Raises Refused.
        """
        limit = self._store.limits.mailboxes
        name = name.encode("utf-8", "replace").decode()
        here = names.canonical(mailbox) if isinstance(mailbox, str) else mailbox.name

        def work(db: sqlite3.Connection, facts: list[Fact]) -> Folder:
            found = db.execute(
                "SELECT f.id, b.id FROM remote_folder f LEFT JOIN mailbox b ON b.id = f.mailbox AND b.account = ?"
                " WHERE f.remote = ? AND f.name = ?",
                (account, remote, name),
            ).fetchone()
            if found and found[1]:  # whatever it is called by now
                return remote_rows.folder(db, remote, name)
            row = db.execute("SELECT id FROM mailbox WHERE account = ? AND name = ?", (account, here)).fetchone()
            if row is None:
                row = (names.create(db, facts, account, here, None, limit).id,)
                names.subscribe(db, facts, account, here, True)
            taken = db.execute(
                "SELECT 1 FROM remote_folder WHERE mailbox = ? AND (remote <> ? OR name <> ?)", (row[0], remote, name)
            ).fetchone()
            if taken and isinstance(mailbox, str):  # several may have their Trash in one here
                raise MailboxExists(f"the mailbox {here} is in step with another one elsewhere")
            if found is None:
                db.execute("INSERT INTO remote_folder (remote, name, mailbox) VALUES (?, ?, ?)", (remote, name, row[0]))
            else:
                db.execute("DELETE FROM remote_message WHERE folder = ?", (found[0],))
                db.execute(
                    "UPDATE remote_folder SET mailbox = ?, uidvalidity = 0, last = 0, modseq = 0, pushed = 0"
                    " WHERE id = ?",
                    (row[0], found[0]),
                )
            return remote_rows.folder(db, remote, name)

        return await self._commits.do(work)

    def at(self, folder: int) -> Folder | None:
        """A folder as it is by now."""
        return remote_rows.by_id(self._db, folder)

    async def uids(self, folder: int) -> list[int]:
        """Every uid that is known there, in order."""
        statement = "SELECT uid FROM remote_message WHERE folder = ? AND uid IS NOT NULL ORDER BY uid"
        return [uid for (uid,) in await asyncio.to_thread(self._aside, statement, folder)]

    async def count(self, folder: int) -> int:
        """How many messages are known there."""
        statement = "SELECT count(*) FROM remote_message WHERE folder = ? AND uid IS NOT NULL"
        rows = await asyncio.to_thread(self._aside, statement, folder)
        return int(rows[0][0])

    def _aside(self, statement: str, folder: int) -> list[tuple[int]]:
        """Ask by a connection of its own, in a thread: the answer may be long."""
        with closing(connect_reader(self._store.data)) as db:
            return db.execute(statement, (folder,)).fetchall()

    # --- what happened there ------------------------------------------------------------------------------------------

    async def begin(self, folder: int, uidvalidity: int) -> None:
        """There are new uids (RFC 3501 §2.3.1.1): what is here waits to be known again."""
        await self._commits.do(lambda db, facts: remote_rows.begin(db, folder, uidvalidity))

    async def adopt(self, folder: Folder) -> int:
        """Note what stands in the mailbox here and is in step with nothing, so that it is known again; how many."""
        found = 0
        last = 0
        while True:
            rows = self._db.execute(
                "SELECT e.uid, e.message, e.flags, e.date, m.size, h.content FROM entry e"
                " JOIN message m ON m.id = e.message JOIN header h ON h.message = e.message"
                " WHERE e.mailbox = ? AND e.uid > ? AND NOT EXISTS"
                " (SELECT 1 FROM remote_message r WHERE r.folder = ? AND r.local = e.uid) ORDER BY e.uid LIMIT 50",
                (folder.mailbox, last, folder.id),
            ).fetchall()
            if not rows:
                return found
            last, found = rows[-1][0], found + len(rows)
            made = await asyncio.to_thread(remote_rows.adopted, rows)
            await self._commits.do(lambda db, facts, made=made: remote_rows.insert(db, folder.id, made))  # type: ignore[misc]

    async def arrive(self, folder: Folder, batch: Sequence[Arriving]) -> Taken:
        """Take a batch in: known again, kept apart, or new; one commit. Raises OverQuota, DiskFull, ReadOnly."""
        fresh = [one.arrival for one in batch if one.arrival is not None]
        self._store.accounts.check_room(folder.account, len(fresh), sum(arrival.size for arrival in fresh))
        await self._store.space.room()
        bounds, now = self._store.delivering, int(time.time())
        return await self._store.keep_all(
            fresh, lambda db, facts: remote_taking.arrive(db, facts, folder, batch, bounds, now)
        )

    def compare(self, folder: Folder, uids: Sequence[int], marks: Sequence[tuple[int, int]]) -> Compared:
        """What is known of messages that seem new, by (mark, size): in one look for all of them."""
        found, asked = Compared(), set(marks)
        rows = self._db.execute(
            "SELECT m.folder, m.uid, m.mark, m.size FROM remote_message m JOIN remote_folder f ON f.id = m.folder"
            " WHERE m.mark IN (SELECT value FROM json_each(?)) AND f.remote = ?"
            f" AND (m.uid IS NOT NULL OR {HERE})",
            (json.dumps([mark for mark, _ in marks]), folder.remote, folder.account),
        )
        for number, uid, mark, size in rows:
            if number != folder.id and uid is not None and (mark, size) in asked:
                found.others.add((number, uid))
            else:
                (found.waiting if uid is None else found.present).add((mark, size))
        rows = self._db.execute(
            "SELECT uid FROM remote_message WHERE folder = ? AND uid IN (SELECT value FROM json_each(?))",
            (folder.id, json.dumps(list(uids))),
        )
        found.uids |= {uid for (uid,) in rows}
        return found

    def settled(self, folder: Folder) -> bool:
        """Whether nothing here changed since the other side was told."""
        row = self._db.execute("SELECT modseq FROM mailbox WHERE id = ?", (folder.mailbox,)).fetchone()
        now = self.at(folder.id)
        return row is None or now is None or row[0] == now.pushed

    def folders(self, remote: int) -> list[Folder]:
        """All folders of an account elsewhere that were ever in step."""
        return remote_rows.every(self._db, remote)

    async def advance(self, folder: int, *, last: int = 0, modseq: int | None = None) -> None:
        """All up to this uid was dealt with, all flags up to this modseq are known."""
        await self._commits.do(
            lambda db, facts: db.execute(
                "UPDATE remote_folder SET last = max(last, ?1), modseq = coalesce(?2, modseq)"
                " WHERE id = ?3 AND (last < ?1 OR modseq <> coalesce(?2, modseq))",
                (last, modseq, folder),
            )
        )

    async def vanish(self, folder: Folder, uids: Sequence[int]) -> int:
        """These are no longer there: what nobody touched here goes to Trash, the rest stays. How many went."""
        gone = 0
        for start in range(0, len(uids), WINDOW):
            part = list(uids[start : start + WINDOW])
            gone += await self._commits.do(
                lambda db, facts, part=part: remote_rows.vanish(db, facts, folder, part, self._store.limits.keywords)  # type: ignore[misc]
            )
        return gone

    async def lose(self, folder: int, uids: Sequence[int]) -> None:
        """These are no longer there; they wait to be known again elsewhere."""
        listed = json.dumps(list(uids))
        await self._commits.do(
            lambda db, facts: db.execute(
                "UPDATE remote_message SET uid = NULL, lost = ? WHERE folder = ?"
                " AND uid IN (SELECT value FROM json_each(?))",
                (int(time.time()), folder, listed),
            )
        )

    async def flagged(self, folder: Folder, found: Sequence[tuple[int, int]]) -> int:
        """Take over what changed of (uid, flags there); how many messages did."""
        if not found:
            return 0
        limit = self._store.limits.keywords
        return await self._commits.do(lambda db, facts: remote_rows.flagged(db, facts, folder, found, limit))

    # --- what happened here -------------------------------------------------------------------------------------------

    async def changes(self, folder: Folder) -> tuple[list[Change], list[Missing], int] | None:
        """What the other side has to be told, and the modseq to note once it was; None where there is nothing.

        Raises Refused where the mailbox here was deleted: that says nothing about the messages there.
        """
        row = self._db.execute(
            "SELECT modseq, (SELECT max(local) FROM remote_message WHERE folder = ?) FROM mailbox"
            " WHERE id = ? AND account = ?",
            (folder.id, folder.mailbox, folder.account),
        ).fetchone()
        if row is None:
            raise Refused("the mailbox here was deleted")
        modseq, highest = row
        if modseq == folder.pushed:
            return None
        changed: list[Change] = []
        missing: list[Missing] = []
        for start in range(0, (highest or 0) + 1, WINDOW):
            # One statement, so that a mailbox deleted meanwhile never looks like one whose messages were.
            rows = self._db.execute(
                "SELECT r.id, r.uid, r.message, r.mark, r.size, r.flags, e.flags FROM mailbox b"
                " JOIN remote_message r ON r.folder = ? AND r.local BETWEEN ? AND ?"
                " LEFT JOIN entry e ON e.mailbox = b.id AND e.uid = r.local"
                " WHERE b.id = ? AND b.account = ? AND r.uid IS NOT NULL AND r.apart = 0"
                " AND (e.uid IS NULL OR e.modseq > ?)",
                (folder.id, start, start + WINDOW - 1, folder.mailbox, folder.account, folder.pushed),
            ).fetchall()
            for number, uid, message, mark, size, before, now in rows:
                if now is None:
                    missing.append(Missing(number, uid, message, mark, size, self._places(folder.account, message)))
                elif differs := (before ^ now) & MIRRORED:
                    changed.append(Change(number, uid, now & differs, before & differs))
            await asyncio.sleep(0)
        return changed, missing, modseq

    def _places(self, account: int, message: int) -> tuple[tuple[int, int, str], ...]:
        rows = self._db.execute(
            "SELECT e.mailbox, e.uid, coalesce(b.special_use, '') FROM entry e JOIN mailbox b ON b.id = e.mailbox"
            " WHERE e.message = ? AND b.account = ? ORDER BY e.mailbox, e.uid LIMIT 20",
            (message, account),
        )
        return tuple(rows)

    async def told(self, changes: Sequence[Change]) -> None:
        """The other side has these flags now."""
        rows = [(change.add, change.remove, change.row) for change in changes]
        await self._commits.do(
            lambda db, facts: db.executemany("UPDATE remote_message SET flags = (flags | ?) & ~? WHERE id = ?", rows)
        )

    async def moved(self, row: int, folder: Folder, local: int, uid: int | None) -> None:
        """The message is in another folder now, on both sides; None: its uid there will be found out."""

        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            if uid is not None:  # it was seen there before it was known to be this one
                db.execute("DELETE FROM remote_message WHERE folder = ? AND uid = ? AND id <> ?", (folder.id, uid, row))
            db.execute(
                "UPDATE remote_message SET folder = ?, local = ?, uid = ?, apart = 0 WHERE id = ?",
                (folder.id, local, uid, row),
            )

        await self._commits.do(work)

    async def part(self, rows: Sequence[int]) -> None:
        """What happens to these messages on one side is nothing to the other from now on."""
        listed = json.dumps(list(rows))
        await self._commits.do(
            lambda db, facts: db.execute(
                "UPDATE remote_message SET apart = 1 WHERE id IN (SELECT value FROM json_each(?))", (listed,)
            )
        )

    async def forget(self, rows: Sequence[int]) -> None:
        """These messages are on neither side."""
        listed = json.dumps(list(rows))
        await self._commits.do(
            lambda db, facts: db.execute(
                "DELETE FROM remote_message WHERE id IN (SELECT value FROM json_each(?))", (listed,)
            )
        )

    async def pushed(self, folder: int, modseq: int) -> None:
        """The other side was told of all changes up to this modseq."""
        await self._commits.do(
            lambda db, facts: db.execute("UPDATE remote_folder SET pushed = ? WHERE id = ?", (modseq, folder))
        )

    async def prune(self, folder: int) -> None:
        """Forget what is no longer there and was not known again for a long time, or is not here either."""
        await self._commits.do(
            lambda db, facts: db.execute(
                "DELETE FROM remote_message WHERE folder = ? AND uid IS NULL AND (lost < ?"
                " OR NOT EXISTS (SELECT 1 FROM entry e WHERE e.message = remote_message.message))",
                (folder, int(time.time()) - KEPT),
            )
        )
