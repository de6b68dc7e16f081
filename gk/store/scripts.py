"""Sieve scripts, rules and absences of accounts, and what their runs must remember.

What an account has of these is read with every message it gets, so it is kept in memory; all writing goes through here.
Senders who were answered stand here as keyed hashes, ids of messages as the digests they are given as.
"""

import json
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gk.errors import LimitReached, NoSuchAccount, NoSuchScript, ScriptActive, ScriptExists
from gk.store.values import Fact

if TYPE_CHECKING:
    from gk.store.db import Store

KEPT = 1_000  # accounts whose filing is in memory
ANSWERED = 10_000  # senders of one account that are remembered
IDS = 10_000  # ids of one account that are remembered
RULES = 256 << 10  # characters of an account's rules as JSON: they are compiled together, some 4 ms each 1,000


@dataclass(frozen=True, slots=True)
class ScriptName:
    """One script in the list; `size` in octets of UTF-8."""

    name: str
    size: int
    active: bool


@dataclass(frozen=True, slots=True)
class Filing:
    """What decides about the mail of an account: its rules in their order, the text of its active script, its absence.

    Rules and absence are plain values, as JSON has them; what they mean is not for the store to know.
    """

    rules: tuple[Any, ...] = ()
    script: str | None = None
    absence: Any = None


class Scripts:
    """The room of what users say about where their mail goes."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits, self._limits, self._store = store.reader, store.commits, store.limits, store
        self._kept: OrderedDict[int, Filing] = OrderedDict()

    def filing(self, account: int) -> Filing:
        """All that decides about an account's mail."""
        found = self._kept.get(account)
        if found is None:
            rules = self._db.execute("SELECT content FROM rule WHERE account = ? ORDER BY position", (account,))
            script = self._db.execute("SELECT content FROM script WHERE account = ? AND active = 1", (account,))
            absence = self._db.execute("SELECT content FROM absence WHERE account = ?", (account,)).fetchone()
            row = script.fetchone()
            found = self._kept[account] = Filing(
                tuple(json.loads(content) for (content,) in rules),
                row[0] if row else None,
                json.loads(absence[0]) if absence else None,
            )
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(account)
        return found

    # --- scripts ------------------------------------------------------------------------------------------------------

    def names(self, account: int) -> list[ScriptName]:
        """The scripts of an account by name."""
        rows = self._db.execute(
            "SELECT name, length(CAST(content AS BLOB)), active FROM script WHERE account = ? ORDER BY name", (account,)
        )
        return [ScriptName(name, size, bool(active)) for name, size, active in rows]

    def get(self, account: int, name: str) -> str:
        """The text of a script. Raises NoSuchScript."""
        row = self._db.execute("SELECT content FROM script WHERE account = ? AND name = ?", (account, name)).fetchone()
        if row is None:
            raise NoSuchScript("there is no script of that name")
        return str(row[0])

    async def put(self, account: int, name: str, content: str) -> None:
        """Keep a script in place of the one of that name. Raises LimitReached."""

        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            _there(db, account)
            db.execute(
                "INSERT INTO script (account, name, content, active) VALUES (?, ?, ?, 0)"
                " ON CONFLICT (account, name) DO UPDATE SET content = excluded.content",
                (account, name, content),
            )
            (count,) = db.execute("SELECT count(*) FROM script WHERE account = ?", (account,)).fetchone()
            if count > self._limits.scripts:
                raise LimitReached(f"an account has at most {self._limits.scripts} scripts")

        await self._commits.do(work)
        self._kept.pop(account, None)

    async def activate(self, account: int, name: str | None) -> None:
        """Have a script decide about the mail from now on, or with None no script. Raises NoSuchScript."""

        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            db.execute("UPDATE script SET active = 0 WHERE account = ? AND active = 1", (account,))
            if (
                name is not None
                and not db.execute(
                    "UPDATE script SET active = 1 WHERE account = ? AND name = ?", (account, name)
                ).rowcount
            ):
                raise NoSuchScript("there is no script of that name")

        await self._commits.do(work)
        self._kept.pop(account, None)

    async def delete(self, account: int, name: str) -> None:
        """Raises NoSuchScript, ScriptActive (RFC 5804 §2.10)."""

        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            row = db.execute("SELECT active FROM script WHERE account = ? AND name = ?", (account, name)).fetchone()
            if row is None:
                raise NoSuchScript("there is no script of that name")
            if row[0]:
                raise ScriptActive("the active script cannot be deleted")
            db.execute("DELETE FROM script WHERE account = ? AND name = ?", (account, name))

        await self._commits.do(work)

    async def rename(self, account: int, old: str, new: str) -> None:
        """Raises NoSuchScript, ScriptExists."""

        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            rows = db.execute("SELECT name FROM script WHERE account = ? AND name IN (?, ?)", (account, old, new))
            names = {name for (name,) in rows}
            if old not in names:
                raise NoSuchScript("there is no script of that name")
            if new in names:
                raise ScriptExists("a script of that name is there already")
            db.execute("UPDATE script SET name = ? WHERE account = ? AND name = ?", (new, account, old))

        await self._commits.do(work)

    # --- rules and absences -------------------------------------------------------------------------------------------

    async def set_rules(self, account: int, rules: Sequence[Any]) -> None:
        """Have these rules in place of those there are. Raises LimitReached."""
        await self.change_rules(account, lambda before: rules)

    async def change_rules(self, account: int, change: Callable[[list[Any]], Sequence[Any]]) -> None:
        """Have the rules that `change` makes of those there are. Raises LimitReached, and what `change` raises."""

        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            _there(db, account)
            rows = db.execute("SELECT content FROM rule WHERE account = ? ORDER BY position", (account,))
            rules = [json.dumps(rule) for rule in change([json.loads(content) for (content,) in rows])]
            if len(rules) > self._limits.rules:
                raise LimitReached(f"an account has at most {self._limits.rules} rules")
            if sum(map(len, rules)) > RULES:
                raise LimitReached(f"the rules of an account have at most {RULES:,} characters together")
            db.execute("DELETE FROM rule WHERE account = ?", (account,))
            db.executemany(
                "INSERT INTO rule (account, position, content) VALUES (?, ?, ?)",
                [(account, position, rule) for position, rule in enumerate(rules)],
            )

        await self._commits.do(work)
        self._kept.pop(account, None)

    async def set_absence(self, account: int, absence: Any) -> None:
        """Answer senders from now on as `absence` says, or with None no longer; who was answered is forgotten."""

        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            _there(db, account)
            db.execute("DELETE FROM absence WHERE account = ?", (account,))
            if absence is not None:
                db.execute("INSERT INTO absence (account, content) VALUES (?, ?)", (account, json.dumps(absence)))

        await self._commits.do(work)
        self._kept.pop(account, None)

    # --- what runs remember -------------------------------------------------------------------------------------------

    async def answer(self, account: int, handle: str, sender: str, seconds: int) -> bool:
        """Whether a sender is to be answered now under that handle; then it is not again for so long.

        False as well once 10,000 others are remembered (RFC 5230 §4.2 asks for memory, not for all of it).
        """
        mark, now = self._store.sending.hash(account, sender), int(time.time())

        def work(db: sqlite3.Connection, facts: list[Fact]) -> bool:
            _there(db, account)
            db.execute("DELETE FROM answered WHERE account = ? AND until <= ?", (account, now))
            (count,) = db.execute("SELECT count(*) FROM answered WHERE account = ?", (account,)).fetchone()
            if count >= ANSWERED:
                return False
            return (
                db.execute(
                    "INSERT INTO answered (account, handle, hash, until) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (account, handle, mark, now + seconds),
                ).rowcount
                > 0
            )

        return await self._commits.do(work)

    def was_answered(self, account: int, handle: str, sender: str) -> bool:
        """Whether `answer` would say no for that sender; a look, which promises nothing."""
        mark, now = self._store.sending.hash(account, sender), int(time.time())
        row = self._db.execute(
            "SELECT 1 FROM answered WHERE account = ? AND handle = ? AND hash = ? AND until > ?",
            (account, handle, mark, now),
        ).fetchone()
        return row is not None

    async def forget(self, account: int, handle: str) -> None:
        """Forget who was answered under a handle."""
        await self._commits.do(
            lambda db, facts: db.execute("DELETE FROM answered WHERE account = ? AND handle = ?", (account, handle))
        )

    def knows(self, account: int, handle: str, id: str) -> bool:
        """Whether an id is remembered under a handle (RFC 7352)."""
        row = self._db.execute(
            "SELECT 1 FROM seen_id WHERE account = ? AND handle = ? AND id = ? AND until > ?",
            (account, handle, id, int(time.time())),
        ).fetchone()
        return row is not None

    async def remember(self, account: int, ids: Sequence[tuple[str, str, int, bool]]) -> None:
        """Keep (handle, id, seconds, whether to renew one that is known); beyond 10,000 the oldest go."""
        now = int(time.time())
        rows = [(account, handle, id, now + seconds, int(renew), now) for handle, id, seconds, renew in ids]

        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            _there(db, account)
            db.executemany(
                "INSERT INTO seen_id (account, handle, id, until) VALUES (?1, ?2, ?3, ?4) ON CONFLICT"
                " (account, handle, id) DO UPDATE SET until = excluded.until WHERE ?5 = 1 OR seen_id.until <= ?6",
                rows,
            )
            db.execute("DELETE FROM seen_id WHERE account = ? AND until <= ?", (account, now))
            (count,) = db.execute("SELECT count(*) FROM seen_id WHERE account = ?", (account,)).fetchone()
            if count > IDS:
                db.execute(
                    "DELETE FROM seen_id WHERE account = ? AND (handle, id) IN"
                    " (SELECT handle, id FROM seen_id WHERE account = ? ORDER BY until LIMIT ?)",
                    (account, account, count - IDS),
                )

        await self._commits.do(work)


def _there(db: sqlite3.Connection, account: int) -> None:
    if not db.execute("SELECT 1 FROM account WHERE id = ?", (account,)).fetchone():
        raise NoSuchAccount("the account was removed meanwhile")
