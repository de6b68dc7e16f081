"""The questions as SQL over gk.db and, as `s`, search.db: run in a thread, on a connection of their own.

Every one of them is limited to the documents of one account, and to the entries of one mailbox.
"""

import hashlib
import json
import re
import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gk.message.sorting import SortKeys, sort_keys
from gk.message.text import fold
from gk.store.chosen import chosen
from gk.store.search import grams
from gk.store.search.schema import BODY_CUT, FIELDS, HEAD_CUT, MESSAGE, document, mark
from gk.store.values import Mailbox

Where = Literal["text", "body", "header", "subject", "from", "to", "cc", "bcc"]

KEYS = ("sent", "subject", "reply", "from", "to", "cc", "display_from", "display_to", "message_id", "references")
# What is kept of a value to compare: characters of a text before its digest, octets of an id, ids of a message.
TEXT, ID, IDS = 200, 80, 20
HEADERS = 200  # headers read at once for messages that are not indexed
EXACT, BEGUN, SUBJECT = 1.0, 0.4, 1.0  # what a word found, a word begun with it and one in the subject count

# The entries of a mailbox with the message of a document; left to itself SQLite may read the whole mailbox each time.
ENTRY = f"CROSS JOIN entry e INDEXED BY entry_message ON e.mailbox = ? AND e.message = {MESSAGE} &"

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Found:
    """`uids` are certain hits, `unsure` what the caller must scan itself; both ascending."""

    uids: "array[int]"
    unsure: "array[int]"


def everything(db: sqlite3.Connection, mailbox: Mailbox) -> "array[int]":
    """All uids of the mailbox."""
    return array("I", [u for (u,) in db.execute("SELECT uid FROM entry WHERE mailbox = ? ORDER BY uid", (mailbox.id,))])


def find(db: sqlite3.Connection, mailbox: Mailbox, text: str, where: Where) -> Found:
    """Which messages hold the text, and which may."""
    needle = fold(text)
    if _SURROGATE.search(needle):  # it stands for itself here, see SEPARATOR
        return Found(array("I"), everything(db, mailbox))
    first, last = _range(mailbox)
    fresh = _not_indexed(db, mailbox)
    if where in FIELDS:
        cut, hits = HEAD_CUT, _in_field(db, mailbox, needle, where)
    elif where == "body":
        cut, hits = BODY_CUT, _in_text(db, mailbox, needle, "body")
    elif where == "header":
        cut, hits = HEAD_CUT, _in_text(db, mailbox, needle, "head")
    else:
        cut, hits = BODY_CUT | HEAD_CUT, _anywhere(db, mailbox, needle)
    rows = db.execute(
        f"SELECT e.uid FROM s.document d {ENTRY} d.id WHERE d.id BETWEEN ? AND ? AND d.cut <> 0 AND d.cut & ?",
        (mailbox.id, first, last, cut),
    )
    fresh.update(uid for (uid,) in rows)
    if where == "header":
        return Found(array("I"), array("I", sorted(fresh | hits)))
    return Found(array("I", sorted(hits)), array("I", sorted(fresh - hits)))


def _range(mailbox: Mailbox) -> tuple[int, int]:
    return document(mailbox.account, 0), document(mailbox.account, MESSAGE)


def _not_indexed(db: sqlite3.Connection, mailbox: Mailbox) -> set[int]:
    rows = db.execute(
        "SELECT uid FROM entry INDEXED BY entry_message WHERE message > ? AND mailbox = ?",
        (mark(db, "s"), mailbox.id),
    )
    return {uid for (uid,) in rows}


def _in_field(db: sqlite3.Connection, mailbox: Mailbox, needle: str, field: str) -> set[int]:
    """The stored values are compared by SQLite, byte by byte: UTF-8 has no false matches."""
    first, last = _range(mailbox)
    octets = needle.encode("utf-8", "surrogatepass")
    if len(needle) < grams.GRAM:
        rows = db.execute(
            f"SELECT e.uid FROM entry e CROSS JOIN s.field f ON f.id = ? + e.message WHERE e.mailbox = ?"
            f' AND instr(f."{field}", ?)',
            (first, mailbox.id, octets),
        )
    else:
        rows = db.execute(
            "SELECT e.uid FROM s.head g CROSS JOIN s.field f ON f.id = g.rowid"
            f" {ENTRY} g.rowid"
            f' WHERE g.head MATCH ? AND g.rowid BETWEEN ? AND ? AND instr(f."{field}", ?)',
            (mailbox.id, grams.match(needle), first, last, octets),
        )
    return {uid for (uid,) in rows}


def _in_text(db: sqlite3.Connection, mailbox: Mailbox, needle: str, table: str, but: Iterable[int] = ()) -> set[int]:
    """The messages whose stored text holds the needle; `table` is head or body."""
    first, last = _range(mailbox)
    if len(needle) < grams.GRAM:
        rows = db.execute(
            f"SELECT e.uid, d.{table} FROM entry e CROSS JOIN s.document d ON d.id = ? + e.message WHERE e.mailbox = ?",
            (first, mailbox.id),
        )
    else:
        rows = db.execute(
            f"SELECT e.uid, d.{table} FROM s.{table} g {ENTRY} g.rowid"
            " CROSS JOIN s.document d ON d.id = g.rowid"
            f" WHERE g.{table} MATCH ? AND g.rowid BETWEEN ? AND ?",
            (mailbox.id, grams.match(needle), first, last),
        )
    return {uid for uid, packed in rows if uid not in but and needle in grams.unpack(packed)}


def _anywhere(db: sqlite3.Connection, mailbox: Mailbox, needle: str) -> set[int]:
    """In the header or in the body. Only a needle with a line end can begin in the one and end in the other."""
    if "\n" not in needle:
        found = _in_text(db, mailbox, needle, "head")
        return found | _in_text(db, mailbox, needle, "body", found)
    rows = db.execute(
        "SELECT e.uid, d.cut, d.head, d.body FROM entry e CROSS JOIN s.document d ON d.id = ? + e.message"
        " WHERE e.mailbox = ?",
        (_range(mailbox)[0], mailbox.id),
    )
    found = set()
    for uid, cut, packed_head, packed_body in rows:
        head, body = grams.unpack(packed_head), grams.unpack(packed_body)
        if needle in head or needle in body or (not cut & HEAD_CUT and needle in _border(head, body, len(needle))):
            found.add(uid)
    return found


def _border(head: str, body: str, length: int) -> str:
    return head[-length:] + body[:length]


def words(db: sqlite3.Connection, mailbox: Mailbox, text: str) -> tuple[list[tuple[int, int]], "array[int]"]:
    """(uid, relevancy) of messages with most of the words, and the uids that are not indexed."""
    asked = grams.words(text)
    scores: defaultdict[int, float] = defaultdict(float)
    for word in asked:
        _score(db, mailbox, word, scores)
    best = (EXACT + SUBJECT) * len(asked)
    enough = EXACT * len(asked) / 2 if len(asked) > 1 else 0.0
    found = [(uid, max(1, min(100, round(100 * score / best)))) for uid, score in scores.items() if score >= enough]
    return sorted(found), array("I", sorted(_not_indexed(db, mailbox)))


def _score(db: sqlite3.Connection, mailbox: Mailbox, word: str, scores: "defaultdict[int, float]") -> None:
    """Add what each message gains by one word: the word itself counts more than one that begins with it."""
    first, last = _range(mailbox)
    begun: dict[int, float] = {}
    for question, gain in ((grams.quoted(word) + "*", BEGUN), (grams.quoted(word), EXACT)):
        try:
            rows = db.execute(
                f"SELECT e.uid, instr(f.subject, ?) FROM s.word w {ENTRY} w.rowid"
                " CROSS JOIN s.field f ON f.id = w.rowid"
                " WHERE w.word MATCH ? AND w.rowid BETWEEN ? AND ?",
                (word.encode(), mailbox.id, question, first, last),
            ).fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_ERROR":
                raise
            return  # its tokenizer sees several words in this one, or none
        begun.update((uid, gain + SUBJECT * bool(there)) for uid, there in rows)
    for uid, gain in begun.items():
        scores[uid] += gain


def keys(
    db: sqlite3.Connection, mailbox: Mailbox, uids: Sequence[int], columns: tuple[str, ...], *, index: bool
) -> list[tuple[Any, ...]]:
    """(uid, *columns) by uid; what the index has not is read from the header."""
    if not len(uids):
        return []
    condition, values = chosen(uids)
    wanted = "".join(f', k."{KEYS[KEYS.index(column)]}"' for column in columns)
    rows: list[tuple[Any, ...]] = []
    if index:
        found = db.execute(
            f"SELECT e.uid{wanted} FROM entry e CROSS JOIN s.key k ON k.id = ? + e.message"
            f" WHERE e.mailbox = ? AND e.{condition} ORDER BY e.uid",
            (_range(mailbox)[0], mailbox.id, *values),
        )
        rows = [(uid, *map(_short, columns, row)) for uid, *row in found]
    (count,) = db.execute(
        f"SELECT count(*) FROM entry e WHERE e.mailbox = ? AND e.{condition}", (mailbox.id, *values)
    ).fetchone()
    if count == len(rows):
        return rows
    known = {row[0] for row in rows}
    missing = [uid for uid in uids if uid not in known]
    for start in range(0, len(missing), HEADERS):
        headers = db.execute(
            "SELECT e.uid, h.content FROM entry e JOIN header h ON h.message = e.message"
            " WHERE e.mailbox = ? AND e.uid IN (SELECT value FROM json_each(?)) ORDER BY e.uid",
            (mailbox.id, json.dumps(missing[start : start + HEADERS])),
        )
        rows += [(uid, *_picked(sort_keys(content), columns)) for uid, content in headers]
    rows.sort(key=_uid)
    return rows


def _uid(row: tuple[Any, ...]) -> int:
    return int(row[0])


def _picked(found: SortKeys, columns: tuple[str, ...]) -> list[Any]:
    return [_short(column, getattr(found, "sender" if column == "from" else column)) for column in columns]


def _short(column: str, value: Any) -> Any:
    """A value as it is compared, bounded: equal values stay equal, and few texts or ids are longer than is kept."""
    if isinstance(value, str):
        return value if len(value) <= TEXT else value[:TEXT] + _digest(value.encode("utf-8", "surrogatepass")).hex()
    if column == "references":
        ids: Sequence[bytes] = value if isinstance(value, tuple) else value.split(b"\n") if value else ()
        return tuple(map(_short_id, ids if len(ids) <= IDS else (ids[0], *ids[1 - IDS :])))
    return _short_id(value) if isinstance(value, bytes) else value


def _short_id(name: bytes) -> bytes:
    return name if len(name) <= ID else b"<%b>" % _digest(name)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def previews(db: sqlite3.Connection, mailbox: Mailbox, uids: Sequence[int]) -> dict[int, str]:
    """The previews of those that are indexed and could be read."""
    if not len(uids):
        return {}
    condition, values = chosen(uids)
    rows = db.execute(
        "SELECT e.uid, d.preview FROM entry e CROSS JOIN s.document d ON d.id = ? + e.message"
        f" WHERE e.mailbox = ? AND e.{condition} AND (d.cut <> ? OR length(d.head) > 0)",
        (_range(mailbox)[0], mailbox.id, *values, BODY_CUT | HEAD_CUT),
    )
    return dict(rows.fetchall())
