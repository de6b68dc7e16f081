"""Units of work that take mail in from elsewhere: a batch at a time, new or known again. Functions of rows.

What a batch is compared with is read once for all of it: conversations, senders, and what waits to be known again.
"""

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gk.store import entries, replies, triages
from gk.store.delivery import Bounds
from gk.store.entries import REFERENCES, New
from gk.store.remote_marks import Marked
from gk.store.remote_rows import HERE, INSERT, Folder, pull
from gk.store.values import ANSWERED, SEEN, Arrival, Fact, ToTriage

DAY = 86_400
RECENT = 30 * DAY  # seconds within which a sender or a conversation counts as known


@dataclass(frozen=True, slots=True)
class Arriving:
    """One message there; without an `arrival` it waits to be known again, or is left there (`apart`)."""

    uid: int
    flags: int
    date: int
    size: int
    marked: Marked
    arrival: Arrival | None = None
    apart: bool = False


@dataclass(slots=True)
class Taken:
    """What became of a batch."""

    new: int = 0
    again: int = 0
    apart: int = 0
    senders: int = 0
    conversations: int = 0
    uids: list[int] = field(default_factory=list)  # of the new ones, in the mailbox here
    missed: list[int] = field(default_factory=list)  # uids there that came without content and are not known again


def arrive(
    db: sqlite3.Connection,
    facts: list[Fact],
    to: Folder,
    batch: Sequence[Arriving],
    bounds: Bounds,
    now: int,
) -> Taken:
    """One commit for a batch; a message that was dealt with already, before a stop, is left alone."""
    limit = bounds.keywords
    there = {
        uid
        for (uid,) in db.execute(
            "SELECT uid FROM remote_message WHERE folder = ? AND uid IN (SELECT value FROM json_each(?))",
            (to.id, json.dumps([one.uid for one in batch])),
        )
    }
    batch = [one for one in batch if one.uid not in there]
    taken, rows = Taken(), []
    waiting = _waiting(db, to, batch)
    fresh: list[Arriving] = []
    for one in batch:
        if again := waiting.get((one.marked.mark, one.size)):
            _known_again(db, facts, to, one, again.pop(0), limit)
            if not again:
                del waiting[one.marked.mark, one.size]
            taken.again += 1
        elif one.arrival is not None and not one.apart:
            fresh.append(one)
        elif one.apart:
            rows.append(_row(to, one, 0, 0))
            taken.apart += 1
        else:
            taken.missed.append(one.uid)
    if fresh:
        rows += _fresh(db, facts, to, fresh, taken, bounds, now)
    db.executemany(INSERT, rows)
    if taken.again:  # whether its flags were changed here meanwhile is looked at once more
        db.execute("UPDATE remote_folder SET pushed = 0 WHERE id = ?", (to.id,))
    done = min(taken.missed) - 1 if taken.missed else max((one.uid for one in batch), default=0)
    db.execute("UPDATE remote_folder SET last = max(last, ?) WHERE id = ?", (done, to.id))
    return taken


def _row(to: Folder, one: Arriving, message: int, local: int) -> tuple[Any, ...]:
    told = one.marked
    return (
        to.id, one.uid, message, local, one.flags, told.mark, one.size, int(not message), told.sender, told.subject,
        one.date, None,
    )  # fmt: skip


def _fresh(
    db: sqlite3.Connection,
    facts: list[Fact],
    to: Folder,
    fresh: Sequence[Arriving],
    taken: Taken,
    bounds: Bounds,
    now: int,
) -> list[tuple[Any, ...]]:
    """Enter new messages into the mailbox here, triage noted, threads found; their rows."""
    arrivals = [one.arrival for one in fresh if one.arrival is not None]
    messages = [entries.add_message(db, arrival) for arrival in arrivals]
    known = _known_senders(db, to, fresh, now)
    threads = _threads(db, to, fresh, messages, now)
    new = [
        New(to.mailbox, message, one.flags, one.date, thread, arrival.size)
        for one, arrival, message, thread in zip(fresh, arrivals, messages, threads, strict=True)
    ]
    taken.uids = entries.add_entries(db, facts, new)
    taken.new = len(new)
    taken.senders = len({one.marked.sender for one in fresh} - known - {""})
    taken.conversations = len({t for t, m in zip(threads, messages, strict=True) if t == m})
    noted = [triages.note(db, to.account, to.mailbox, message) for message in messages] if bounds.triage else []
    if any(noted):
        facts.append(ToTriage())
    for one, message in zip(fresh, messages, strict=True):
        # Only what came just now is answered: not what was there before, nor what somebody has read there.
        if bounds.replies is not None and to.last and one.date > now - DAY and not one.flags & (SEEN | ANSWERED):
            replies.note(db, to.account, to.mailbox, message, 0, bounds.replies, now)
    return [_row(to, one, m, uid) for one, m, uid in zip(fresh, messages, taken.uids, strict=True)]


def _known_senders(db: sqlite3.Connection, to: Folder, fresh: Sequence[Arriving], now: int) -> set[str]:
    """Which of the batch's senders wrote there lately."""
    rows = db.execute(
        "SELECT DISTINCT m.sender FROM remote_message m JOIN remote_folder f ON f.id = m.folder"
        " WHERE m.sender IN (SELECT value FROM json_each(?)) AND f.remote = ? AND m.date > ?",
        (json.dumps(list({one.marked.sender for one in fresh})), to.remote, now - RECENT),
    )
    return {sender for (sender,) in rows}


def _threads(
    db: sqlite3.Connection, to: Folder, fresh: Sequence[Arriving], messages: Sequence[int], now: int
) -> list[int]:
    """The thread of each: of what it names or what named it (RFC 8474 §5.2), else of the last mail it seems to answer.

    What is known of all references and subjects is read at once; the batch adds to it as it is gone through.
    """
    keys = [_references(one.arrival) for one in fresh]
    listed = list({key for some in keys for key in some})
    marks = ",".join("?" * len(listed))
    known: dict[bytes, int] = dict(
        db.execute(
            f"SELECT reference, thread FROM thread WHERE account = ? AND reference IN ({marks})", (to.account, *listed)
        ).fetchall()
        if listed
        else ()
    )
    before = set(known)
    subjects = _subjects(db, to, fresh, now)
    threads = []
    for one, some, message in zip(fresh, keys, messages, strict=True):
        named = [known[key] for key in some if key in known]
        alone = len(some) < 2  # it names no other
        subject = subjects.get(one.marked.subject) if one.marked.answers and alone else None
        thread = min(named) if named else subject or message
        for key in some:
            known.setdefault(key, thread)
        if one.marked.subject:
            subjects[one.marked.subject] = thread
        threads.append(thread)
    db.executemany(
        "INSERT INTO thread (account, reference, thread) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(to.account, key, thread) for key, thread in known.items() if key not in before],
    )
    return threads


def _references(arrival: Arrival | None) -> list[bytes]:
    if arrival is None:
        return []
    ids = arrival.parsed.references[-REFERENCES:]
    if arrival.parsed.message_id:
        ids = (*ids, arrival.parsed.message_id)
    return [hashlib.blake2b(one, digest_size=8).digest() for one in ids]


def _subjects(db: sqlite3.Connection, to: Folder, fresh: Sequence[Arriving], now: int) -> dict[int, int]:
    """The threads of the last weeks by the hash of their subjects, for those that are answered in the batch."""
    asked = {one.marked.subject for one in fresh if one.marked.answers}
    if not asked:
        return {}
    rows = db.execute(
        "SELECT m.subject, e.thread FROM remote_message m JOIN remote_folder f ON f.id = m.folder"
        " JOIN entry e ON e.mailbox = f.mailbox AND e.uid = m.local"
        " WHERE m.folder = ? AND m.subject IN (SELECT value FROM json_each(?)) AND m.date > ? ORDER BY m.date",
        (to.id, json.dumps(list(asked)), now - RECENT),
    )
    return dict(rows.fetchall())


# --- knowing again ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A row whose message is here and was not there."""

    row: int
    folder: int
    message: int
    local: int
    flags: int
    apart: bool


def _waiting(db: sqlite3.Connection, to: Folder, batch: Sequence[Arriving]) -> dict[tuple[int, int], list[_Waiting]]:
    """What waits to be known again in all folders of the account elsewhere, those of this one first.

    Only what still is here somewhere: what was thrown away here comes again rather than to be thrown away there.
    """
    found: dict[tuple[int, int], list[_Waiting]] = {}
    for mark, size, *row in db.execute(
        "SELECT m.mark, m.size, m.id, m.folder, m.message, m.local, m.flags, m.apart FROM remote_message m"
        " JOIN remote_folder f ON f.id = m.folder WHERE m.uid IS NULL AND f.remote = ?"
        f" AND m.mark IN (SELECT value FROM json_each(?)) AND {HERE} ORDER BY m.folder <> ?, m.local",
        (to.remote, json.dumps([one.marked.mark for one in batch]), to.account, to.id),
    ):
        found.setdefault((mark, size), []).append(_Waiting(*row))
    return found


def _known_again(
    db: sqlite3.Connection, facts: list[Fact], to: Folder, one: Arriving, was: _Waiting, limit: int
) -> None:
    """A message that is here already is there (again): it is put into the mailbox of that folder, not a second time.

    Where a person put it elsewhere here it stays there.
    """
    local, apart = was.local, int(was.apart)
    place = db.execute(
        "SELECT e.mailbox, e.uid, coalesce(b.special_use, '') FROM entry e JOIN mailbox b ON b.id = e.mailbox"
        " WHERE e.message = ? AND b.account = ? ORDER BY e.mailbox <> ?, e.uid <> ? LIMIT 1",
        (was.message, to.account, to.mailbox, was.local),
    ).fetchone()
    if place[0] == to.mailbox:
        local, apart = place[1], 0
    else:
        source = db.execute("SELECT mailbox FROM remote_folder WHERE id = ?", (was.folder,)).fetchone()[0]
        if place[2] == "\\Trash" or place[0] == source:  # where this put it, or where it left it
            _, (local,) = entries.move(db, facts, place[0], [place[1]], to.mailbox, limit)
            apart = 0
        else:
            apart = 1
    db.execute(
        "UPDATE remote_message SET folder = ?, uid = ?, local = ?, apart = ?, lost = NULL WHERE id = ?",
        (to.id, one.uid, local, apart, was.row),
    )
    pull(db, facts, to, [(was.row, local, was.flags, one.flags)], limit)
