"""Answers of language models that are remembered: the same question of the same user is not paid for twice."""

import json
import sqlite3
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gk.store.packed import small, unpacked

if TYPE_CHECKING:
    from gk.store.db import Store

MOST = 2000  # answers of one account; the oldest go first


class Known:
    """The room of remembered answers; `key` is a hash of all that was asked."""

    def __init__(self, store: "Store") -> None:
        self._db, self._commits = store.reader, store.commits

    def get(self, account: int, key: bytes, seconds: int) -> tuple[str, dict[str, Any]] | None:
        """(model, fields) of an answer not older than that."""
        row = self._db.execute(
            "SELECT content FROM model_answer WHERE account = ? AND key = ? AND at >= ?",
            (account, key, int(time.time()) - seconds),
        ).fetchone()
        found = unpacked(row[0]) if row else None
        return (found["model"], found["fields"]) if found else None

    async def put(self, account: int, key: bytes, model: str, fields: Mapping[str, Any], seconds: int) -> None:
        """Remember it, and forget the account's that are older than `seconds`, or too many."""
        content = small(json.dumps({"model": model, "fields": dict(fields)}).encode())
        await self._commits.do(lambda db, facts: _put(db, account, key, content, seconds))


def _put(db: sqlite3.Connection, account: int, key: bytes, content: bytes, seconds: int) -> None:
    now = int(time.time())
    db.execute("DELETE FROM model_answer WHERE account = ? AND at < ?", (account, now - seconds))
    db.execute("DELETE FROM model_answer WHERE account = ? AND key = ?", (account, key))
    db.execute(
        "DELETE FROM model_answer WHERE account = ?1 AND key IN"
        " (SELECT key FROM model_answer WHERE account = ?1 ORDER BY at DESC LIMIT -1 OFFSET ?2)",
        (account, MOST - 1),
    )
    db.execute("INSERT INTO model_answer (account, key, at, content) VALUES (?, ?, ?, ?)", (account, key, now, content))
