"""Keywords: a numbered list for each mailbox, and interned sets that a flags value names by their id."""

import sqlite3
from collections.abc import Iterable

from gk.errors import LimitReached
from gk.store.values import KEYWORDS, Flags


def flags_value(db: sqlite3.Connection, mailbox: int, flags: Flags, limit: int) -> int:
    """The stored value of flags: system bits, and the id of the keyword set above them."""
    return flags.system | keyword_set(db, known_words(db, mailbox, flags.keywords, limit)) << KEYWORDS


def known_words(db: sqlite3.Connection, mailbox: int, words: Iterable[str], limit: int) -> frozenset[str]:
    """The words as the mailbox spells them, new ones added; raise LimitReached beyond `limit` of them."""
    if not words:
        return frozenset()
    known = {w.lower(): w for (w,) in db.execute("SELECT word FROM keyword WHERE mailbox = ?", (mailbox,))}
    for word in sorted(words):
        if word.lower() not in known:
            if len(known) >= limit:
                raise LimitReached(f"a mailbox has at most {limit} keywords")
            db.execute("INSERT INTO keyword (mailbox, position, word) VALUES (?, ?, ?)", (mailbox, len(known), word))
            known[word.lower()] = word
    return frozenset(known[w.lower()] for w in words)


def keyword_set(db: sqlite3.Connection, words: Iterable[str]) -> int:
    """The id of a set of keywords, 0 for none."""
    text = " ".join(sorted(words))
    if not text:
        return 0
    db.execute("INSERT INTO keyword_set (words) VALUES (?) ON CONFLICT DO NOTHING", (text,))
    return int(db.execute("SELECT id FROM keyword_set WHERE words = ?", (text,)).fetchone()[0])


def words_of(db: sqlite3.Connection, value: int) -> frozenset[str]:
    """The keywords in a stored flags value."""
    if not value >> KEYWORDS:
        return frozenset()
    row = db.execute("SELECT words FROM keyword_set WHERE id = ?", (value >> KEYWORDS,)).fetchone()
    return frozenset(row[0].split()) if row else frozenset()
