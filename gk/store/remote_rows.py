"""Units of work on `remote_message`: taking in, knowing again, flags, and what vanished. Functions of rows.

What a batch is compared with is read once for all of it: conversations, senders, and what waits to be known again.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gk.message.header import fields, unfold
from gk.message.mailboxes import Group, parse_list
from gk.message.text import decode_words
from gk.message.thread import base_subject, message_ids
from gk.store import entries, replies, triages
from gk.store.delivery import Bounds
from gk.store.entries import REFERENCES, New
from gk.store.values import ANSWERED, DELETED, FLAGGED, SEEN, SYSTEM, Arrival, Fact, Flags, ToTriage

MIRRORED = SEEN | ANSWERED | FLAGGED | DELETED  # the flags both sides are to have
DAY = 86_400
RECENT = 30 * DAY  # seconds within which a sender or a conversation counts as known
SENDER = 320  # characters of an address that are kept, RFC 5321 §4.5.3.1
HERE = (  # whether the message of a row `m` stands in a mailbox of an account
    "EXISTS (SELECT 1 FROM entry e JOIN mailbox b ON b.id = e.mailbox WHERE e.message = m.message AND b.account = ?)"
)
_MARKED = (b"message-id", b"date", b"from", b"subject")


@dataclass(frozen=True, slots=True)
class Folder:
    """A mailbox there and the one here; `last` is the highest uid dealt with, `pushed` a modseq of the mailbox here."""

    id: int
    remote: int
    name: str
    account: int
    mailbox: int
    uidvalidity: int
    last: int
    modseq: int
    pushed: int


@dataclass(frozen=True, slots=True)
class Marked:
    """What a header tells: the mark it is known again by, its sender, the hash of its subject, 0 where that is new."""

    mark: int
    sender: str = ""
    subject: int = 0
    answers: bool = False  # its subject is that of an answer
    named: bool = False  # it has a Message-ID


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


_FOLDER = (
    "SELECT f.id, f.remote, f.name, r.account, f.mailbox, f.uidvalidity, f.last, f.modseq, f.pushed"
    " FROM remote_folder f JOIN remote r ON r.id = f.remote WHERE "
)


def folder(db: sqlite3.Connection, remote: int, name: str) -> Folder:
    return Folder(*db.execute(_FOLDER + "f.remote = ? AND f.name = ?", (remote, name)).fetchone())


def by_id(db: sqlite3.Connection, number: int) -> Folder | None:
    row = db.execute(_FOLDER + "f.id = ?", (number,)).fetchone()
    return Folder(*row) if row else None


def every(db: sqlite3.Connection, remote: int) -> list[Folder]:
    return [Folder(*row) for row in db.execute(_FOLDER + "f.remote = ? ORDER BY f.id", (remote,))]


def remove(db: sqlite3.Connection, account: int) -> None:
    """Forget all an account has elsewhere."""
    inside = "folder IN (SELECT f.id FROM remote_folder f JOIN remote r ON r.id = f.remote WHERE r.account = ?)"
    db.execute(f"DELETE FROM remote_message WHERE {inside}", (account,))
    db.execute("DELETE FROM remote_folder WHERE remote IN (SELECT id FROM remote WHERE account = ?)", (account,))
    db.execute("DELETE FROM remote WHERE account = ?", (account,))


def begin(db: sqlite3.Connection, number: int, uidvalidity: int) -> None:
    """The uids of a folder mean nothing any more; its messages wait to be known again."""
    db.execute("DELETE FROM remote_message WHERE folder = ? AND message = 0", (number,))
    db.execute(
        "UPDATE remote_message SET uid = NULL, lost = ? WHERE folder = ? AND uid IS NOT NULL",
        (int(time.time()), number),
    )
    db.execute(
        "UPDATE remote_folder SET uidvalidity = ?, last = 0, modseq = 0, pushed = 0 WHERE id = ?", (uidvalidity, number)
    )


def erased(db: sqlite3.Connection, messages: Sequence[int]) -> None:
    """Messages are erased here: they stay there, which is another's, and do not come again; nothing tells of whom."""
    listed = "message IN (SELECT value FROM json_each(?))"
    given = (json.dumps(list(messages)),)
    db.execute(f"DELETE FROM remote_message WHERE uid IS NULL AND {listed}", given)
    db.execute(f"UPDATE remote_message SET message = 0, apart = 1, sender = '', subject = 0 WHERE {listed}", given)


# --- what a message is known again by ---------------------------------------------------------------------------------


def marked(header: bytes) -> Marked:
    """What the four fields Message-ID, Date, From and Subject tell, from a whole header or only these; any bytes do."""
    found: dict[bytes, bytes] = {}
    for name, start, end in fields(header, 0, len(header)):
        if name in _MARKED:
            found.setdefault(name, unfold(header[start:end]))
    ids = message_ids(found.get(b"message-id", b""), 1)
    whole = [b"".join(ids), *(b" ".join(found.get(name, b"").split()) for name in _MARKED[1:])]
    subject = decode_words(found.get(b"subject", b""))
    base = base_subject(subject)
    return Marked(
        _hash(b"\0".join(whole)),
        _sender(found.get(b"from", b"")),
        _hash(base.encode("utf-8", "replace")) if base else 0,
        bool(base) and base != " ".join(subject.split()).lower(),
        bool(ids),
    )


def _hash(text: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big", signed=True)


def _sender(value: bytes) -> str:
    """The first address of From in lower case, "" where there is none."""
    for item in parse_list(value):
        if not isinstance(item, Group) and item.domain:
            return (item.local + b"@" + item.domain).decode("utf-8", "replace").lower()[:SENDER]
    return ""


# --- taking in --------------------------------------------------------------------------------------------------------

_INSERT = (
    "INSERT INTO remote_message (folder, uid, message, local, flags, mark, size, apart, sender, subject, date, lost)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


def adopted(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows for messages that stand here already: (uid, message, flags, date, size, header) of each."""
    made = []
    for uid, message, flags, date, size, header in rows:
        told = marked(header)
        made.append((None, message, uid, flags & SYSTEM, told.mark, size, 0, told.sender, told.subject, date))
    return made


def insert(db: sqlite3.Connection, number: int, rows: Sequence[tuple[Any, ...]]) -> None:
    now = int(time.time())
    db.executemany(_INSERT, [(number, *row, now) for row in rows])


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
    db.executemany(_INSERT, rows)
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
    _pull(db, facts, to, [(was.row, local, was.flags, one.flags)], limit)


# --- flags and what vanished ------------------------------------------------------------------------------------------


def flagged(db: sqlite3.Connection, facts: list[Fact], to: Folder, found: Sequence[tuple[int, int]], limit: int) -> int:
    """Take over what changed there since both sides had the same; how many messages that are."""
    flags: Mapping[int, int] = dict(found)
    rows = db.execute(
        "SELECT id, local, flags, uid FROM remote_message WHERE folder = ? AND apart = 0"
        " AND uid IN (SELECT value FROM json_each(?))",
        (to.id, json.dumps(list(flags))),
    ).fetchall()
    return _pull(db, facts, to, [(number, local, base, flags[uid]) for number, local, base, uid in rows], limit)


def _pull(
    db: sqlite3.Connection, facts: list[Fact], to: Folder, rows: Iterable[tuple[int, int, int, int]], limit: int
) -> int:
    """The same for (row, uid here, flags both had, flags there): one change here for each kind of it."""
    add: dict[int, list[int]] = {}
    clear: dict[int, list[int]] = {}
    bases = []
    for number, local, base, now in rows:
        changed = (base ^ now) & MIRRORED
        if not changed:
            continue
        bases.append(((base & ~MIRRORED) | (now & MIRRORED), number))
        if changed & now:
            add.setdefault(changed & now, []).append(local)
        if changed & base:
            clear.setdefault(changed & base, []).append(local)
    db.executemany("UPDATE remote_message SET flags = ? WHERE id = ?", bases)
    for bits, uids in add.items():
        entries.store_flags(db, facts, to.mailbox, sorted(uids), "add", Flags(bits), None, limit)
    for bits, uids in clear.items():
        entries.store_flags(db, facts, to.mailbox, sorted(uids), "remove", Flags(bits), None, limit)
    return len(bases)


def vanish(db: sqlite3.Connection, facts: list[Fact], to: Folder, uids: Sequence[int], limit: int) -> int:
    """Messages that are not there any more: to Trash here unless their flags were changed here; how many moved.

    Nothing is expunged: what another server says is no reason to throw the last copy away.
    """
    rows = db.execute(
        "SELECT r.id, r.local, r.flags, e.flags FROM remote_message r"
        " LEFT JOIN entry e ON e.mailbox = ? AND e.uid = r.local"
        " WHERE r.folder = ? AND r.uid IN (SELECT value FROM json_each(?)) AND r.message <> 0 AND r.apart = 0",
        (to.mailbox, to.id, json.dumps(list(uids))),
    ).fetchall()
    trash = db.execute("SELECT id FROM mailbox WHERE account = ? AND special_use = '\\Trash'", (to.account,)).fetchone()
    going = sorted(local for _, local, base, now in rows if now is not None and not (base ^ now) & MIRRORED)
    if trash is not None and trash[0] != to.mailbox and going:
        entries.move(db, facts, to.mailbox, going, trash[0], limit)
    else:
        going = []
    listed = json.dumps(list(uids))
    chosen = "folder = ? AND uid IN (SELECT value FROM json_each(?))"
    db.execute(f"DELETE FROM remote_message WHERE {chosen} AND message = 0", (to.id, listed))
    db.execute(f"UPDATE remote_message SET uid = NULL, lost = ? WHERE {chosen}", (int(time.time()), to.id, listed))
    return len(going)
