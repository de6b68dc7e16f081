"""What accounts may send in a day, whom they wrote to before, and whom nothing is sent to.

Addresses stand here as keyed hashes of eight bytes; in clear only where a person has to see them in the suppression
list. A day is one of UTC. Counting is part of the unit that queues the message: no crash and no race gets past it.
"""

import base64
import hmac
import json
import re
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from gk.errors import SendingLimit
from gk.message.address import AddressError, parse_address
from gk.store.values import Fact

if TYPE_CHECKING:
    from gk.store.db import Store

EVERYBODY = 0  # the account whose suppressions hold for all
DAY = 86_400
REMEMBERED = 400  # days a recipient counts as known after the last message: a newsletter of once a year stays
RENEWED = 30  # days after which it is noted again that somebody was written to
_PLAIN = re.compile(r"[a-z0-9._-]{1,64}@[a-z0-9.-]{1,255}")  # the usual address, which is its own key
LEAVE = "unsubscribe+"  # what the local part of an address to unsubscribe at begins with


@dataclass(frozen=True, slots=True)
class Suppression:
    """One entry of the list; `address` is "" where only its hash is known. `added` in seconds since 1970."""

    account: int
    address: str
    reason: str
    added: int
    cursor: int  # where the next page begins


@dataclass(frozen=True, slots=True)
class Leaver:
    """Who wants no more bulk mail of an account: a recipient, by the hash it has there."""

    account: int
    hash: int


class Sending:
    """The room of sending limits and of the suppression list."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits, self._store = store.reader, store.commits, store
        parts = store.reader.execute("SELECT value FROM meta WHERE name LIKE 'sending_' ORDER BY name")
        self._key = b"".join(value.to_bytes(8, "big") for (value,) in parts)

    def hash(self, account: int, address: str) -> int:
        """What stands for an address in the tables of an account; all spellings of one address give the same."""
        mark = blake2b(
            _key(address).encode("utf-8", "replace"),
            key=self._key,
            salt=account.to_bytes(8, "big"),
            person=b"recipient",
            digest_size=8,
        )
        return int.from_bytes(mark.digest(), "big", signed=True)

    # --- limits of a day ----------------------------------------------------------------------------------------------

    def count(self, db: sqlite3.Connection, account: int, hashes: Sequence[int], now: float) -> None:
        """Note, in the unit that queues a message, to whom it goes. Raises SendingLimit where that is too much."""
        day, listed = int(now // DAY), json.dumps(hashes)
        new = db.execute(
            "INSERT INTO sent_to (account, hash, day) SELECT ?, value, ? FROM json_each(?) WHERE 1"
            " ON CONFLICT DO NOTHING",
            (account, day, listed),
        ).rowcount
        if new < len(hashes):
            db.execute(
                "UPDATE sent_to SET day = ? WHERE account = ? AND hash IN (SELECT value FROM json_each(?)) AND day < ?",
                (day, account, listed, day - RENEWED),
            )
        sent, fresh = db.execute(
            "INSERT INTO sent_day (account, day, recipients, fresh) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (account, day) DO UPDATE SET recipients = sent_day.recipients + excluded.recipients,"
            " fresh = sent_day.fresh + excluded.fresh RETURNING recipients, fresh",
            (account, day, len(hashes), new),
        ).fetchone()
        limits = self._store.limits
        for name, number, limit in (
            ("messages_per_day", sent, limits.messages_per_day),
            ("new_recipients_per_day", fresh, limits.new_recipients_per_day),
        ):
            if limit and number > limit:
                raise SendingLimit(
                    f"the account may send to {limit} {'new ' if name != 'messages_per_day' else ''}recipients a day"
                    f" (limits.{name}); the day ends at 00:00 UTC",
                    name,
                )
        if sent == len(hashes):  # the first of the day clears away
            db.execute("DELETE FROM sent_day WHERE account = ? AND abs(day - ?) > 1", (account, day))
            db.execute("DELETE FROM sent_to WHERE account = ? AND day < ?", (account, day - REMEMBERED))

    def knows(self, account: int, address: str) -> bool:
        """Whether the account wrote to that address in the last REMEMBERED days."""
        row = self._db.execute(
            "SELECT 1 FROM sent_to WHERE account = ? AND hash = ?", (account, self.hash(account, address))
        ).fetchone()
        return row is not None

    # --- the suppression list -----------------------------------------------------------------------------------------

    def suppressed(self, account: int, addresses: Iterable[str], *, bulk: bool) -> set[str]:
        """Those of the addresses that nothing is sent to: by nobody, or with `bulk` by this account."""
        listed = list(addresses)
        found: set[str] = set()
        for owner in (EVERYBODY, account) if bulk else (EVERYBODY,):
            hashes = {self.hash(owner, address): address for address in listed}
            rows = self._db.execute(
                "SELECT hash FROM suppressed WHERE account = ? AND hash IN (SELECT value FROM json_each(?))",
                (owner, json.dumps([*hashes])),
            )
            found.update(_key(hashes[row[0]]) for row in rows)
        return {address for address in listed if _key(address) in found}

    def suppressions(self, account: int, after: int | None, limit: int) -> list[Suppression]:
        """A page of the list of an account, or of EVERYBODY; in no order a person knows."""
        rows = self._db.execute(
            "SELECT account, address, reason, added, hash FROM suppressed WHERE account = ?"
            " AND (? IS NULL OR hash > ?) ORDER BY hash LIMIT ?",
            (account, after, after, limit),
        )
        return [Suppression(*row) for row in rows]

    async def suppress(self, account: int, address: str, reason: str) -> bool:
        """Put an address on the list of an account, or of EVERYBODY; false where it is there already."""
        return await self._commits.do(lambda db, facts: self.note(db, account, address, reason))

    async def allow(self, account: int, address: str) -> bool:
        """Take an address off a list; false where it is not there."""
        mark = self.hash(account, address)
        statement = "DELETE FROM suppressed WHERE account = ? AND hash = ?"
        return await self._commits.do(lambda db, facts: db.execute(statement, (account, mark)).rowcount > 0)

    def note(self, db: sqlite3.Connection, account: int, address: str, reason: str) -> bool:
        """The same as `suppress`, within a unit."""
        return _put(db, account, self.hash(account, address), _key(address), reason)

    # --- recipients who leave -----------------------------------------------------------------------------------------

    def leaving(self, account: int, address: str) -> str:
        """The local part at which a recipient of an account's bulk mail unsubscribes: 44 characters, case says nothing.

        It holds the account, the recipient's hash and 64 bits that only this server can make.
        """
        return LEAVE + self._token(Leaver(account, self.hash(account, address)))

    def leaver(self, local: str) -> Leaver | None:
        """Whom such a local part stands for; None where this server did not make it."""
        local = local.lower()
        if not local.startswith(LEAVE) or len(local) != len(LEAVE) + 32:
            return None
        try:
            raw = base64.b32decode(local[len(LEAVE) :].upper())
        except ValueError:
            return None
        leaver = Leaver(int.from_bytes(raw[:4], "big"), int.from_bytes(raw[4:12], "big", signed=True))
        made = LEAVE + self._token(leaver)
        return leaver if hmac.compare_digest(made.encode(), local.encode()) else None

    async def leave(self, leaver: Leaver, sender: str) -> None:
        """Nothing in bulk goes there any more. `sender` wrote, perhaps from the address meant."""
        own = bool(sender) and self.hash(leaver.account, sender) == leaver.hash
        address = _key(sender) if own else ""

        def work(db: sqlite3.Connection, facts: list[Fact]) -> None:
            if db.execute("SELECT 1 FROM account WHERE id = ?", (leaver.account,)).fetchone():
                _put(db, leaver.account, leaver.hash, address, "unsubscribed by mail")

        await self._commits.do(work)

    def _token(self, leaver: Leaver) -> str:
        body = leaver.account.to_bytes(4, "big") + leaver.hash.to_bytes(8, "big", signed=True)
        seal = blake2b(body, key=self._key, person=b"unsubscribe", digest_size=8).digest()
        return base64.b32encode(body + seal).decode().lower()


def _put(db: sqlite3.Connection, account: int, mark: int, address: str, reason: str) -> bool:
    added = db.execute(
        "INSERT INTO suppressed (account, hash, address, reason, added) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (account, mark, address, reason, int(time.time())),
    ).rowcount
    if not added and address:
        db.execute(
            "UPDATE suppressed SET address = ? WHERE account = ? AND hash = ? AND address = ''",
            (address, account, mark),
        )
    return added > 0


def _key(address: str) -> str:
    """What the spellings of an address share."""
    if _PLAIN.fullmatch(address):
        return address
    try:
        return parse_address(address).key
    except AddressError:
        return address.lower()
