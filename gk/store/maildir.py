"""Where things are on disk: Maildir++ that other programs can read.

INBOX is the account's folder itself, `A/B` is `.A.B` in it; a file is `<epoch>.G<email id>U<uid>,S=<size>:2,<flags>`.
These functions are the only ones that make paths from names people chose.
"""

import re
import sqlite3
from pathlib import Path

from gk.message import utf7
from gk.store.values import ANSWERED, DELETED, DELIMITER, DRAFT, FLAGGED, INBOX, KEYWORDS, SEEN, SYSTEM

LONGEST = 255  # bytes of a directory name; beyond, the mailbox id stands for it
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 &+,_-")
_LETTERS = ((DRAFT, "D"), (FLAGGED, "F"), (ANSWERED, "R"), (SEEN, "S"), (DELETED, "T"))
_KEYWORD_LETTERS = "abcdefghijklmnopqrstuvwxyz"  # dovecot-keywords: as many as a file name can carry
FILE = re.compile(r"(\d+)\.G(\d+)U(\d+),S=(\d+):2,([A-Za-z]*)")
KEYWORDS_FILE, MAILBOX_FILE, ACCOUNT_FILE = "dovecot-keywords", "gk-mailbox", "gk-account"


def directory(name: str, mailbox: int) -> str:
    """The directory of a mailbox inside its account's, "" for INBOX; only [A-Za-z0-9 &+,_=.-] occur in it."""
    if name == INBOX:
        return ""
    levels = (
        "".join(chr(b) if b in _PLAIN else f"={b:02X}" for b in utf7.encode(level)) for level in name.split(DELIMITER)
    )
    path = "." + ".".join(levels)
    return path if len(path) <= LONGEST else parking(mailbox)


def _escaped(level: bytes) -> str:
    return "".join(chr(b) if b in _PLAIN else f"={b:02X}" for b in level)


def parking(mailbox: int) -> str:
    """A directory name no mailbox name leads to: `=m` is not one of our escapes."""
    return f".=m{mailbox}"


def file_name(date: int, message: int, uid: int, size: int, letters: str) -> str:
    """The name of a message's file; all but the letters never change."""
    return f"{stem(date, message, uid, size)}{letters}"


def stem(date: int, message: int, uid: int, size: int) -> str:
    return f"{date}.G{message}U{uid},S={size}:2,"


def account_path(data: Path, account: int) -> Path:
    return data / "mail" / str(account)


class Letters:
    """Flags as the letters of a Maildir name, for one mailbox; keywords beyond the 26th stay in the index only."""

    def __init__(self, db: sqlite3.Connection, mailbox: int) -> None:
        self._db, self._mailbox = db, mailbox
        self._known: dict[int, str] = {}
        self._positions: dict[str, int] | None = None

    def of(self, flags: int) -> str:
        """`flags` is a stored value."""
        if flags not in self._known:
            letters = "".join(letter for bit, letter in _LETTERS if flags & bit)
            if flags & ~SYSTEM:
                letters += self._keywords(flags >> KEYWORDS)
            self._known[flags] = letters
        return self._known[flags]

    def _keywords(self, keyword_set: int) -> str:
        if self._positions is None:
            rows = self._db.execute(
                "SELECT word, position FROM keyword WHERE mailbox = ? AND position < 26", (self._mailbox,)
            )
            self._positions = {word.lower(): position for word, position in rows}
        row = self._db.execute("SELECT words FROM keyword_set WHERE id = ?", (keyword_set,)).fetchone()
        words = row[0].lower().split() if row else []
        found = sorted(self._positions[w] for w in words if w in self._positions)
        return "".join(_KEYWORD_LETTERS[i] for i in found)


def parse_letters(letters: str, keywords: dict[int, str]) -> tuple[int, frozenset[str]]:
    """Letters of a name → system bits and keywords; the inverse of `Letters.of`."""
    bits = sum(bit for bit, letter in _LETTERS if letter in letters)
    words = (keywords.get(_KEYWORD_LETTERS.index(c)) for c in letters if c.islower())
    return bits, frozenset(w for w in words if w)


def read_keywords(folder: Path) -> dict[int, str]:
    """The numbered keywords of a folder (dovecot-keywords: `0 word` a line)."""
    try:
        lines = (folder / KEYWORDS_FILE).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.partition(" ") for line in lines)
    return {int(number): word for number, _, word in pairs if number.isascii() and number.isdigit() and word}
