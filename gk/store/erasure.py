"""Erasure of a person, by address: every message that holds it, every row that does, and what is left in free pages.

It is looked for where it can be read: in the octets of messages, in their decoded fields and texts, in rows, in
compressed rows. What users configured (rules, scripts, folders) is theirs to change: it is told, not touched.
"""

import asyncio
import json
import re
import sqlite3
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gk.errors import NoSuchQueueItem
from gk.message.address import AddressError, ascii_domain
from gk.message.scan import scan
from gk.message.searched import texts
from gk.message.text import file_names, transfer_decode, walk
from gk.store import remote_rows, removal
from gk.store.directory import connect_reader
from gk.store.packed import READ
from gk.store.values import Fact

if TYPE_CHECKING:
    from gk.store.db import Store

SLICE = 100  # messages removed in one unit, or looked at between two looks at the clock
ROWS = 500  # rows of one unit
PIECE = 1 << 20  # octets of a message or file looked at once
LONGEST = 1024  # octets of an address, however it is spelled
PAGE = "SELECT id, (SELECT max(id) FROM message) FROM message WHERE id > ? ORDER BY id LIMIT ?"

GOES = frozenset((
    "thread", "forward", "suppressed", "verdict", "triage", "routed", "seen_id", "reject", "ban", "attempt",
    "dmarc_policy", "dmarc_result", "tls_result", "sts_policy", "model_answer", "model_use", "reply", "conversation",
    "effect", "confirmation",
))  # fmt: skip
"""Tables whose rows go where they hold the address."""
THEIRS = frozenset((
    "account", "app_password", "mailbox", "subscription", "keyword", "keyword_set", "metadata", "script", "rule",
    "absence", "remote_folder",
))  # fmt: skip
"""Tables of what users configured."""
ELSEWHERE = frozenset((
    "message", "header", "journal", "entry", "filing", "expunged", "outgoing", "outgoing_recipient", "answered",
    "activity", "remote", "remote_message",
))  # fmt: skip
"""Tables that messages and the queue take along, and such that know none, or only hashes of them."""


class Person:
    """An address, and how it is recognised: as a whole, in any case, and as JSON spells it."""

    def __init__(self, address: str) -> None:
        self.spellings = _spellings(address)
        spelled = {form for one in self.spellings for form in (one, json.dumps(one)[1:-1], one.replace("@", "%40"))}
        either = "|".join(re.escape(one) for one in sorted(spelled))
        pattern = rf"(?<![A-Za-z0-9._%+-])(?:{either})(?![A-Za-z0-9-]|\.[A-Za-z0-9])"
        self.address = address
        self._text = re.compile(pattern, re.IGNORECASE)
        self._octets = re.compile(pattern.encode(), re.IGNORECASE)

    def in_octets(self, data: bytes) -> bool:
        return self._octets.search(data) is not None

    def in_value(self, value: object) -> bool:
        """Whether a value of a row holds it, compressed or not."""
        if isinstance(value, str):
            return self._text.search(value) is not None
        if not isinstance(value, bytes):
            return False
        if self.in_octets(value):
            return True
        try:
            return self.in_octets(zlib.decompressobj().decompress(value, READ))
        except zlib.error:
            return False

    def in_message(self, raw: bytes) -> bool:
        """Whether a message holds it, in its octets or decoded."""
        if self.in_octets(raw):
            return True
        tree = scan(raw)
        if any(self._text.search(text) for text in texts(raw, tree, body=True, header=True)):
            return True
        for part in walk(tree):
            # Files in any encoding, and what lies across two pieces of a text; names of files as RFC 2231 writes them.
            encoding = part.encoding.lower()
            encoded = not part.children and encoding in (b"base64", b"quoted-printable")
            if encoded and self.in_octets(transfer_decode(raw[part.body : part.end], encoding)):
                return True
            if any(map(self.in_value, file_names(part))):
                return True
        return False


def _spellings(address: str) -> list[str]:
    """The address with its domain as U-labels and as A-labels (RFC 5890 §2.3.2.1), composed and decomposed."""
    local, _, domain = address.rpartition("@")
    domains = {domain, domain.lower()}  # octets beyond ASCII have no case
    try:
        domains.add(ascii_domain(domain))
        domains.add(".".join(map(_unicode_label, domain.lower().split("."))))
    except (AddressError, UnicodeError):
        pass  # a domain without the other form
    every = {f"{name}@{one}" for one in domains for name in (local, local.lower())}
    return sorted({unicodedata.normalize(form, one) for one in every for form in ("NFC", "NFD")})


def _unicode_label(label: str) -> str:
    return label[4:].encode("ascii").decode("punycode") if label[:4].lower() == "xn--" else label


@dataclass(frozen=True, slots=True)
class Found:
    """What holds the address: ids of messages and of what is queued, rows by table, and places users configured."""

    messages: Sequence[int]
    queued: Sequence[int]
    rows: dict[str, list[tuple[Any, ...]]]
    theirs: Sequence[str]


class Erasure:
    """The room of erasure."""

    def __init__(self, store: "Store") -> None:
        self._store, self._commits = store, store.commits

    async def find(self, person: Person, progress: Callable[[int, int], None]) -> Found:
        """Everything that holds the address; every message is read, which takes its time."""
        messages = await self._messages(person, progress)
        return await asyncio.to_thread(_look, self._store.data, person, messages)

    async def _messages(self, person: Person, progress: Callable[[int, int], None]) -> list[int]:
        found: list[int] = []
        last = 0
        # Page by page: nobody waits for a long list, and what arrives meanwhile is looked at, too.
        while page := self._store.reader.execute(PAGE, (last, SLICE)).fetchall():
            progress(last, page[-1][1])
            for number, _ in page:
                content = await self._store.mailboxes.content_of(number)
                if content is not None:
                    try:
                        raw = await asyncio.to_thread(content.read, 0, content.size)
                    finally:
                        content.close()
                    if await asyncio.to_thread(person.in_message, raw):
                        found.append(number)
                last = number
        progress(last, last)
        return found

    async def erase(self, found: Found, person: Person) -> None:
        """Take it all away: messages from every mailbox, the queue, the rows; then the files are waited for."""
        for number in found.queued:
            try:
                await self._store.outgoing.remove(number)
            except NoSuchQueueItem:
                continue
        for start in range(0, len(found.messages), SLICE):
            await self._commits.do(partial(_remove, messages=found.messages[start : start + SLICE]))
        for table, keys in found.rows.items():
            for start in range(0, len(keys), ROWS):
                await self._commits.do(partial(_drop, table=table, keys=keys[start : start + ROWS]))
        await self._forgotten(person)
        await self._store.filer.rest()

    async def _forgotten(self, person: Person) -> None:
        """The hashes that stand for the address: whom users wrote to, and whom their absence answered."""
        accounts = [account.id for account in self._store.accounts.all()]
        marks = [(id_, self._store.sending.hash(id_, one)) for id_ in accounts for one in person.spellings]
        spelled = json.dumps([one.lower() for one in person.spellings])

        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            for table in ("sent_to", "answered", "suppressed"):
                db.executemany(f"DELETE FROM {table} WHERE account = ? AND hash = ?", marks)
            among = "IN (SELECT value FROM json_each(?))"
            db.execute(f"UPDATE remote_message SET sender = '' WHERE sender {among}", (spelled,))
            db.execute(f"UPDATE entry SET recipient = NULL WHERE lower(recipient) {among}", (spelled,))

        await self._commits.do(work)

    async def left(self, person: Person, progress: Callable[[int, int], None]) -> list[str]:
        """Files of the data directory that hold the address still, by their path in it."""
        data = self._store.data
        files = await asyncio.to_thread(lambda: sorted(p for p in data.rglob("*") if p.is_file()))
        found = []
        for done, path in enumerate(files):
            if await asyncio.to_thread(_file_holds, path, person):
                found.append(str(path.relative_to(data)))
            if done % SLICE == 0:
                progress(done, len(files))
        return found


def _file_holds(path: Path, person: Person) -> bool:
    """Whether the octets of a file hold the address; a file that went meanwhile does not."""
    try:
        with open(path, "rb") as file:
            rest = b""
            while piece := file.read(PIECE):
                if person.in_octets(rest + piece):
                    return True
                rest = piece[-LONGEST:]
    except FileNotFoundError:
        pass
    return False


def _look(data: Path, person: Person, messages: Sequence[int]) -> Found:
    """The rows that hold the address, by their keys."""
    db = connect_reader(data)
    try:
        rows: dict[str, list[tuple[Any, ...]]] = {}
        theirs = []
        for table in sorted(GOES | THEIRS):
            keys, texts_ = _columns(db, table)
            for row in db.execute(f"SELECT {', '.join((*keys, *texts_))} FROM {table}"):
                if any(person.in_value(value) for value in row[len(keys) :]) or any(map(person.in_value, row)):
                    if table in GOES:
                        rows.setdefault(table, []).append(tuple(row[: len(keys)]))
                    else:
                        theirs.append(_place(db, table, dict(zip((*keys, *texts_), row, strict=True))))
        listed = json.dumps(list(messages))
        queued = {
            number
            for number, sender, message in db.execute(
                "SELECT id, sender, message IN (SELECT value FROM json_each(?)) FROM outgoing", (listed,)
            )
            if message or person.in_value(sender)
        }
        queued |= {
            number
            for number, *values in db.execute("SELECT outgoing, address, orcpt, reply FROM outgoing_recipient")
            if any(map(person.in_value, values))
        }
        return Found(messages, sorted(queued), rows, theirs)
    finally:
        db.close()


def _columns(db: sqlite3.Connection, table: str) -> tuple[list[str], list[str]]:
    """(key columns, other columns that hold text or octets) of a table."""
    info = db.execute(f"PRAGMA table_info({table})").fetchall()
    keys = [row[1] for row in sorted(info, key=lambda row: row[5]) if row[5]] or ["rowid"]
    return keys, [row[1] for row in info if row[1] not in keys and row[2] in ("TEXT", "BLOB")]


def _place(db: sqlite3.Connection, table: str, row: dict[str, Any]) -> str:
    """Where a user configured it, in words without what it says."""
    account = row.get("account") or row.get("id") if table == "account" else row.get("account")
    if account is None and row.get("mailbox"):
        account = next((r[0] for r in db.execute("SELECT account FROM mailbox WHERE id = ?", (row["mailbox"],))), None)
    whose = next((r[0] for r in db.execute("SELECT address FROM account WHERE id = ?", (account,))), "")
    return f"{table} of {whose}" if whose else table


def _remove(db: sqlite3.Connection, facts: list[Fact], messages: Sequence[int]) -> None:
    rows = db.execute(
        "SELECT mailbox, uid FROM entry WHERE message IN (SELECT value FROM json_each(?)) ORDER BY mailbox, uid",
        (json.dumps(list(messages)),),
    ).fetchall()
    remote_rows.erased(db, messages)
    places: dict[int, list[int]] = {}
    for mailbox, uid in rows:
        places.setdefault(mailbox, []).append(uid)
    for mailbox, uids in places.items():
        removal.remove(db, facts, mailbox, uids, only_deleted=False)
    removal.forget(db, messages)


def _drop(db: sqlite3.Connection, facts: list[Fact], table: str, keys: Sequence[tuple[Any, ...]]) -> None:
    names, _ = _columns(db, table)
    condition = " AND ".join(f"{name} = ?" for name in names)
    db.executemany(f"DELETE FROM {table} WHERE {condition}", keys)
