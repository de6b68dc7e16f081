"""Metadata (RFC 5464): named values on a mailbox, or on an account."""

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gk.errors import LimitReached, NoSuchMailbox
from gk.store.values import Annotated, Fact, Mailbox

if TYPE_CHECKING:
    from gk.store.db import Store

ENTRIES = 200  # of one mailbox, or of an account
OCTETS = 1 << 20  # of all their values together


class Metadata:
    """The room of metadata; entries are named by their folded names."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits = store.reader, store.commits

    def of(self, account: int, mailbox: Mailbox | None) -> dict[str, bytes]:
        """The entries of a mailbox, or of the account itself."""
        return dict(
            self._db.execute(
                "SELECT entry, content FROM metadata WHERE account = ? AND mailbox = ?",
                (account, mailbox.id if mailbox else 0),
            ).fetchall()
        )

    async def change(self, account: int, mailbox: Mailbox | None, changes: Mapping[str, bytes | None]) -> None:
        """Set entries, or remove those set to None; all or none. Raises LimitReached, NoSuchMailbox."""
        box = mailbox.id if mailbox else 0
        await self._commits.do(lambda db, facts: _change(db, facts, account, box, changes))


def _change(
    db: sqlite3.Connection, facts: list[Fact], account: int, mailbox: int, changes: Mapping[str, bytes | None]
) -> None:
    """Set entries, remove those set to None."""
    if mailbox and not db.execute("SELECT 1 FROM mailbox WHERE id = ? AND account = ?", (mailbox, account)).fetchone():
        raise NoSuchMailbox("the mailbox was deleted meanwhile")
    db.executemany(
        "INSERT INTO metadata (account, mailbox, entry, content) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (account, mailbox, entry) DO UPDATE SET content = excluded.content",
        [(account, mailbox, name, value) for name, value in changes.items() if value is not None],
    )
    db.executemany(
        "DELETE FROM metadata WHERE account = ? AND mailbox = ? AND entry = ?",
        [(account, mailbox, name) for name, value in changes.items() if value is None],
    )
    count, size = db.execute(
        "SELECT count(*), coalesce(sum(length(content)), 0) FROM metadata WHERE account = ? AND mailbox = ?",
        (account, mailbox),
    ).fetchone()
    if count > ENTRIES or size > OCTETS:
        raise LimitReached(f"at most {ENTRIES} entries with {OCTETS} bytes")
    facts.append(Annotated(account, mailbox, tuple(changes)))
