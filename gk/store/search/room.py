"""The room of searches: what search.db knows about the messages of a mailbox, without delay and without doubt.

While there is no index, or none that can be used, everything is `unsure`: the answers stay right, they take longer.
"""

import logging
import sqlite3
import zlib
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from gk.store.search import questions, schema
from gk.store.search.questions import Found, Where
from gk.store.search.readers import Reader, Readers
from gk.store.values import Mailbox

__all__ = ["Found", "Search", "Where"]

log = logging.getLogger(__name__)
T = TypeVar("T")

_NOT_THE_FILE = ("SQLITE_INTERRUPT", "SQLITE_BUSY", "SQLITE_NOMEM")


class Search:
    """Questions about the text of messages, answered off the event loop from search.db as far as it goes."""

    def __init__(self, data: Path) -> None:
        self._data, self._readers = data, Readers(data)
        self.vouched: tuple[int, int] | None = None
        """What search.db looks like, by the word of the process that writes it; None: do not look into it."""
        self.wonder: Callable[[], None] = _silent
        """Called when it looks otherwise: it is just being written, or somebody else wrote to it."""
        self.complain: Callable[[], None] = _silent
        """Called when search.db turns out to be damaged."""

    async def find(self, mailbox: Mailbox, needle: str, where: Where) -> Found:
        """The messages that hold the text: decoded, without regard to case, as a substring.

        Of "header" only candidates, all unsure: the caller knows which field it wants.
        """
        asked = partial(questions.find, mailbox=mailbox, text=needle, where=where)
        return await self._ask(mailbox, asked, lambda db: Found(array("I"), questions.everything(db, mailbox)))

    async def words(self, mailbox: Mailbox, text: str) -> tuple[list[tuple[int, int]], "array[int]"]:
        """(uid, relevancy from 1 to 100) by the words of the text, attachments included, and what is not indexed."""
        asked = partial(questions.words, mailbox=mailbox, text=text)
        return await self._ask(mailbox, asked, lambda db: ([], questions.everything(db, mailbox)))

    async def keys(self, mailbox: Mailbox, uids: Sequence[int], columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """(uid, *columns) by uid of those that are there; columns are those of gk.message.sorting, see KEYS."""
        asked = partial(questions.keys, mailbox=mailbox, uids=uids, columns=columns)
        return await self._ask(mailbox, partial(asked, index=True), partial(asked, index=False))

    async def previews(self, mailbox: Mailbox, uids: Sequence[int]) -> dict[int, str]:
        """The beginning of each message that is indexed, in words (RFC 8970)."""
        asked = partial(questions.previews, mailbox=mailbox, uids=uids)
        return await self._ask(mailbox, asked, lambda db: {})

    def close(self) -> None:
        """Let go of the databases."""
        self._readers.close()

    async def _ask(
        self,
        mailbox: Mailbox,
        asked: Callable[[sqlite3.Connection], T],
        otherwise: Callable[[sqlite3.Connection], T],
    ) -> T:
        """Ask the index; or `otherwise` where there is none, or it is damaged."""
        if self._usable():
            try:
                return await self._readers.run(
                    partial(_of_index, asked, otherwise), index=True, account=mailbox.account
                )
            except (sqlite3.DatabaseError, zlib.error, UnicodeDecodeError) as error:
                name = getattr(error, "sqlite_errorname", None) or type(error).__name__
                if not name.startswith(_NOT_THE_FILE) and self.vouched:
                    log.error("event=search_damaged error=%s", name)
                    self.vouched = None
                    self.complain()
        return await self._readers.run(lambda reader: otherwise(reader.db), index=False, account=mailbox.account)

    def _usable(self) -> bool:
        if self.vouched is None:
            return False
        if schema.looks(self._data) == self.vouched:
            return True
        self.wonder()
        return False


def _of_index(
    asked: Callable[[sqlite3.Connection], T], otherwise: Callable[[sqlite3.Connection], T], reader: Reader
) -> T:
    return asked(reader.db) if reader.index else otherwise(reader.db)


def _silent() -> None:
    """Nobody keeps the index."""
