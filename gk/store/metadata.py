"""Units of work on metadata (RFC 5464): named values on a mailbox, or on an account."""

import sqlite3
from collections.abc import Mapping

from gk.errors import LimitReached, NoSuchMailbox
from gk.store.values import Annotated, Fact

ENTRIES = 200  # of one mailbox, or of an account
OCTETS = 1 << 20  # of all their values together


def change(
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
