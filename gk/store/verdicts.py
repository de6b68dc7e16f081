"""Why a message is where it is: the verdict on it with its evidence, one row a message, gone with the message."""

import json
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gk.store.packed import small, unpacked

if TYPE_CHECKING:
    from gk.store.db import Store

LARGEST = 16 << 10  # octets of a stored verdict


def packed(evidence: Mapping[str, Any]) -> bytes:
    """A verdict as it is stored: JSON, compressed; the last of its `findings` are left out where it is too large."""
    findings = evidence["findings"]
    while True:
        content = small(json.dumps({**evidence, "findings": findings}).encode())
        if len(content) <= LARGEST or not findings:
            return content
        findings = findings[: len(findings) // 2]


def add(db: sqlite3.Connection, message: int, evidence: Mapping[str, Any]) -> None:
    """A part of a unit of work: the writer packs, for the event loop would have to wait for its turn after it."""
    db.execute("INSERT INTO verdict (message, content) VALUES (?, ?)", (message, packed(evidence)))


class Verdicts:
    """The room of verdicts; whoever asks names the account the message is looked for in."""

    def __init__(self, store: "Store") -> None:
        self._db = store.reader

    def of(self, message: int) -> dict[str, Any] | None:
        """The verdict on a message, by its id; None where none was made, or it cannot be read."""
        row = self._db.execute("SELECT content FROM verdict WHERE message = ?", (message,)).fetchone()
        return None if row is None else unpacked(row[0])

    def places(self, message: int, account: int | None = None) -> list[tuple[int, int, int]]:
        """(account, mailbox, uid) of each place where a message stands, of one account or of all."""
        return self._db.execute(
            "SELECT m.account, e.mailbox, e.uid FROM entry e JOIN mailbox m ON m.id = e.mailbox"
            " WHERE e.message = ?1 AND m.account > 0 AND (?2 IS NULL OR m.account = ?2) ORDER BY e.mailbox, e.uid",
            (message, account),
        ).fetchall()
