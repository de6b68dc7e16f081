"""Talks with the assistant: what was said, what it did and how that is taken back, and what waits for a yes.

A confirmation is bound to one action with exact arguments, holds for ten minutes and once. Of its word only a hash is
kept. What was said and done goes when `retention.conversations` says, or with the account.
"""

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gk.store.packed import small, unpacked

if TYPE_CHECKING:
    from gk.store.db import Store

VALID = 600  # seconds of a confirmation
MOST = 200  # conversations of an account
WAITING = 20  # confirmations of an account
LENGTH = 128 << 10  # octets of what is kept of one conversation, its last questions; far less than can be read again
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

Plain = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Effect:
    """Something the assistant did for an account: `undo` holds the actions that take it back, none where none can."""

    id: int
    at: int
    words: str
    undo: Sequence[Plain]
    undone: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What was confirmed: one action with its arguments, and the words it was asked with."""

    action: str
    arguments: Plain
    words: str


class Conversations:
    """The room of talks."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits = store.reader, store.commits

    def turns(self, account: int, conversation: int) -> list[dict[str, Any]]:
        """What was said; [] where there is no such conversation of the account."""
        row = self._db.execute(
            "SELECT turns FROM conversation WHERE id = ? AND account = ?", (conversation, account)
        ).fetchone()
        found = unpacked(row[0]) if row else None
        return list(found["turns"]) if found else []

    async def keep(self, account: int, conversation: int, turns: Sequence[Plain]) -> int:
        """Add what was said, from a question on; the number of the conversation, a new one for 0.

        What others add to it meanwhile stays. The oldest questions go where there is no room for all.
        """
        now = int(time.time())
        return await self._commits.do(lambda db, facts: _keep(db, account, conversation, turns, now))

    async def did(self, account: int, words: str, undo: Sequence[Plain]) -> int:
        """Note an effect; its number."""
        row = (account, int(time.time()), words, json.dumps(list(undo)))

        def work(db: sqlite3.Connection, facts: object) -> int:
            made = db.execute("INSERT INTO effect (account, at, words, undo) VALUES (?, ?, ?, ?)", row)
            return int(made.lastrowid or 0)

        return await self._commits.do(work)

    def effects(self, account: int, most: int = 20) -> list[Effect]:
        """The last of them, the newest first."""
        rows = self._db.execute(
            "SELECT id, at, words, undo, undone FROM effect WHERE account = ? ORDER BY id DESC LIMIT ?",
            (account, most),
        )
        return [Effect(id, at, words, json.loads(undo), bool(undone)) for id, at, words, undo, undone in rows]

    async def undone(self, account: int, effect: int) -> bool:
        """It is taken back from now on; False where it was already."""
        return await self._commits.do(
            lambda db, facts: bool(
                db.execute(
                    "UPDATE effect SET undone = 1 WHERE id = ? AND account = ? AND undone = 0", (effect, account)
                ).rowcount
            )
        )

    async def ask(self, account: int, action: str, arguments: Plain, words: str) -> str:
        """Keep what needs a yes; the word that is one."""
        word = "".join(secrets.choice(_LETTERS) for _ in range(8))
        now, given = int(time.time()), json.dumps(dict(arguments))

        def work(db: sqlite3.Connection, facts: object) -> None:
            db.execute("DELETE FROM confirmation WHERE until < ?", (now,))
            db.execute(
                "DELETE FROM confirmation WHERE account = ?1 AND hash IN (SELECT hash FROM confirmation"
                " WHERE account = ?1 ORDER BY until DESC LIMIT -1 OFFSET ?2)",
                (account, WAITING - 1),
            )
            db.execute(
                "INSERT INTO confirmation (hash, account, until, action, arguments, words) VALUES (?, ?, ?, ?, ?, ?)",
                (_hash(account, word), account, now + VALID, action, given, words),
            )

        await self._commits.do(work)
        return word

    async def confirmed(self, account: int, word: str) -> Asked | None:
        """What the word says yes to, which it does once; None where it is none, or too late."""
        key, now = _hash(account, word.strip().upper()), int(time.time())

        def work(db: sqlite3.Connection, facts: object) -> Asked | None:
            row = db.execute(
                "SELECT action, arguments, words FROM confirmation WHERE hash = ? AND account = ? AND until >= ?",
                (key, account, now),
            ).fetchone()
            db.execute("DELETE FROM confirmation WHERE hash = ? AND account = ?", (key, account))
            return Asked(row[0], json.loads(row[1]), row[2]) if row else None

        return await self._commits.do(work)


def _keep(db: sqlite3.Connection, account: int, conversation: int, turns: Sequence[Plain], now: int) -> int:
    row = db.execute("SELECT turns FROM conversation WHERE id = ? AND account = ?", (conversation, account)).fetchone()
    before = (unpacked(row[0]) or {"turns": []})["turns"] if row else []
    content = small(json.dumps({"turns": _last([*before, *turns])}).encode())
    if row:
        db.execute("UPDATE conversation SET turns = ?, last = ? WHERE id = ?", (content, now, conversation))
        return conversation
    db.execute(
        "DELETE FROM conversation WHERE account = ?1 AND id IN"
        " (SELECT id FROM conversation WHERE account = ?1 ORDER BY last DESC LIMIT -1 OFFSET ?2)",
        (account, MOST - 1),
    )
    made = db.execute("INSERT INTO conversation (account, last, turns) VALUES (?, ?, ?)", (account, now, content))
    return int(made.lastrowid or 0)


def _last(turns: Sequence[Plain]) -> Sequence[Plain]:
    """The last questions with all that followed, as many as there is room for; the very last in any case."""
    begin, room = 0, LENGTH
    for at in range(len(turns) - 1, -1, -1):
        room -= len(json.dumps(turns[at]))
        if turns[at]["who"] == "user":
            if room < 0 and begin:
                break
            begin = at
    return turns[begin:]


def _hash(account: int, word: str) -> bytes:
    return hashlib.sha256(f"{account} {word}".encode()).digest()
