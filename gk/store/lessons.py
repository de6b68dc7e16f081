"""What users teach by moving mail in and out of Junk: lessons, and the counts of signs that came of them.

A lesson is written in the unit that moves the message, so no crash loses it; the counts follow later. The account 0
is the base all accounts have in common.
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gk.store.values import ANSWERED, Fact, Taught

if TYPE_CHECKING:
    from gk.store.db import Store

BASE = 0  # the account of what all have in common
AT_ONCE = 1000  # lessons of one move: the first messages of a move of a whole archive are as good as all
LEAST = 200_000  # signs of an account beyond which those seen once are forgotten
JUNK, TRASH = "\\Junk", "\\Trash"
_IS_JUNK, _IS_WANTED = frozenset({"$junk", "junk"}), frozenset({"$notjunk", "nonjunk", "notjunk"})


@dataclass(frozen=True, slots=True)
class Lesson:
    """A message an account says is junk or wanted; `before` is what was learnt from it already."""

    account: int
    message: int
    junk: bool
    before: bool | None


@dataclass(frozen=True, slots=True)
class Totals:
    """How many messages of each kind an account has taught."""

    junk: int = 0
    wanted: int = 0


class Lessons:
    """The room of what is learnt about junk."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits = store.reader, store.commits
        self._totals: dict[int, Totals] = {}
        self._new = asyncio.Event()
        self._new.set()  # what a stop left

    def begin(self) -> None:
        """Read the totals."""
        rows = self._db.execute("SELECT account, junk, wanted FROM learnt")
        self._totals = {account: Totals(junk, wanted) for account, junk, wanted in rows}

    def taught(self) -> None:
        """There are new lessons."""
        self._new.set()

    async def some(self) -> None:
        """Wait until there may be lessons to learn."""
        await self._new.wait()
        self._new.clear()

    def open(self, most: int) -> list[Lesson]:
        """Lessons that are not learnt yet."""
        rows = self._db.execute(
            "SELECT account, message, junk, learnt FROM lesson WHERE learnt IS NOT junk LIMIT ?", (most,)
        )
        return [Lesson(a, m, bool(j), None if before is None else bool(before)) for a, m, j, before in rows]

    def waiting(self) -> int:
        """How many lessons are not learnt yet."""
        (count,) = self._db.execute("SELECT count(*) FROM lesson WHERE learnt IS NOT junk").fetchone()
        return int(count)

    def totals(self, account: int) -> Totals:
        return self._totals.get(account, Totals())

    def counts(self, account: int, signs: Iterable[int]) -> dict[int, tuple[int, int]]:
        """(junk, wanted) of those signs the account has taught."""
        rows = self._db.execute(
            "SELECT sign, junk, wanted FROM sign WHERE account = ? AND sign IN (SELECT value FROM json_each(?))",
            (account, json.dumps(list(signs))),
        )
        return {sign: (junk, wanted) for sign, junk, wanted in rows}

    def base(self) -> tuple[list[tuple[int, int, int]], Totals]:
        """All (sign, junk, wanted) of the base, and its totals."""
        rows = self._db.execute("SELECT sign, junk, wanted FROM sign WHERE account = ?", (BASE,)).fetchall()
        return rows, self.totals(BASE)

    async def learn(self, lesson: Lesson, signs: Sequence[int]) -> bool:
        """Count the signs of a lesson; False where it was withdrawn or changed meanwhile."""
        done = await self._commits.do(lambda db, facts: _learn(db, lesson, signs))
        if done is None:
            return False
        self._totals[lesson.account] = done
        return True

    async def skip(self, lesson: Lesson) -> None:
        """Take a lesson off that cannot be learnt: the message is gone."""
        await self._commits.do(lambda db, facts: _skip(db, lesson))

    async def teach_base(self, kind: str, counts: Mapping[int, int], messages: int) -> None:
        """Add `messages` messages of a kind, "junk" or "wanted", to the base, with their signs."""
        self._totals[BASE] = await self._commits.do(lambda db, facts: _teach(db, kind, counts, messages))
        self.taught()

    async def forget(self, account: int) -> None:
        """Forget all that an account taught."""
        await self._commits.do(lambda db, facts: _forget(db, account))
        self._totals.pop(account, None)
        self.taught()


# --- units ------------------------------------------------------------------------------------------------------------


def moved(db: sqlite3.Connection, facts: list[Fact], source: int, target: int, messages: Sequence[int]) -> None:
    """Note what a move or copy from mailbox to mailbox teaches.

    Into Junk says junk; out of it anywhere but to Trash says wanted, and so does filing from INBOX.
    """
    rows = db.execute("SELECT id, account, name, special_use FROM mailbox WHERE id IN (?, ?)", (source, target))
    known = {row[0]: row[1:] for row in rows}
    if len(known) < 2 or known[source][0] != known[target][0]:
        return
    (account, name, use), (_, _, onto) = known[source], known[target]
    if onto == JUNK:
        note(db, facts, account, messages, junk=True)
    elif onto != TRASH and (use == JUNK or (name == "INBOX" and use is None)):
        note(db, facts, account, messages, junk=False)


def flagged(
    db: sqlite3.Connection, facts: list[Fact], mailbox: int, uids: Sequence[int], system: int, words: Iterable[str]
) -> None:
    """Note what flags teach that are set: $Junk, $NotJunk and their like, \\Answered."""
    said = {word.lower() for word in words}
    junk = bool(said & _IS_JUNK)
    if junk or said & _IS_WANTED or system & ANSWERED:
        rows = db.execute(
            "SELECT m.account, e.message FROM entry e JOIN mailbox m ON m.id = e.mailbox"
            " WHERE e.mailbox = ? AND e.uid IN (SELECT value FROM json_each(?))",
            (mailbox, json.dumps(list(uids[:AT_ONCE]))),
        ).fetchall()
        if rows:
            note(db, facts, rows[0][0], [row[1] for row in rows], junk=junk)


def note(db: sqlite3.Connection, facts: list[Fact], account: int, messages: Sequence[int], *, junk: bool) -> None:
    """Note that an account says of messages that they are junk, or wanted."""
    changed = db.execute(
        "INSERT INTO lesson (account, message, junk) SELECT ?1, value, ?2 FROM json_each(?3) WHERE 1"
        " ON CONFLICT (account, message) DO UPDATE SET junk = ?2 WHERE junk IS NOT ?2",
        (account, int(junk), json.dumps(list(messages[:AT_ONCE]))),
    ).rowcount
    if changed:
        facts.append(Taught(account))


def _learn(db: sqlite3.Connection, lesson: Lesson, signs: Sequence[int]) -> Totals | None:
    now = db.execute(
        "UPDATE lesson SET learnt = junk WHERE account = ? AND message = ? AND junk = ? AND learnt IS ? RETURNING 1",
        (lesson.account, lesson.message, lesson.junk, lesson.before),
    ).fetchone()
    if now is None:
        return None
    new, old = ("junk", "wanted") if lesson.junk else ("wanted", "junk")
    if lesson.before is not None:
        db.executemany(
            f"UPDATE sign SET {old} = max(0, {old} - 1) WHERE account = ? AND sign = ?",
            [(lesson.account, sign) for sign in signs],
        )
        db.execute(f"UPDATE learnt SET {old} = max(0, {old} - 1) WHERE account = ?", (lesson.account,))
    return _add(db, lesson.account, new, [(sign, 1) for sign in signs], 1)


def _teach(db: sqlite3.Connection, kind: str, counts: Mapping[int, int], messages: int) -> Totals:
    return _add(db, BASE, "junk" if kind == "junk" else "wanted", list(counts.items()), messages)


def _add(db: sqlite3.Connection, account: int, kind: str, counts: Sequence[tuple[int, int]], messages: int) -> Totals:
    db.executemany(
        f"INSERT INTO sign (account, sign, {kind}) VALUES (?1, ?2, ?3)"
        f" ON CONFLICT (account, sign) DO UPDATE SET {kind} = {kind} + ?3",
        [(account, sign, count) for sign, count in counts],
    )
    junk, wanted = db.execute(
        f"INSERT INTO learnt (account, {kind}) VALUES (?1, ?2)"
        f" ON CONFLICT (account) DO UPDATE SET {kind} = {kind} + ?2 RETURNING junk, wanted",
        (account, messages),
    ).fetchone()
    if account != BASE and (junk + wanted) % 100 == 0:  # from time to time
        (held,) = db.execute("SELECT count(*) FROM sign WHERE account = ?", (account,)).fetchone()
        if held > LEAST:
            db.execute("DELETE FROM sign WHERE account = ? AND junk + wanted <= 1", (account,))
    return Totals(junk, wanted)


def _skip(db: sqlite3.Connection, lesson: Lesson) -> None:
    db.execute("DELETE FROM lesson WHERE account = ? AND message = ?", (lesson.account, lesson.message))


def _forget(db: sqlite3.Connection, account: int) -> None:
    for table in ("sign", "learnt", "lesson"):
        db.execute(f"DELETE FROM {table} WHERE account = ?", (account,))
