"""The process that fills search.db: `python -m gk.store.search.child DATA`, started by the Indexer alone.

A byte on its standard input means there is something new; `R` that the index is damaged, `E` that nothing may be left
of what was forgotten; its end means stop. On its standard output it says, a line each: `mark N SIZE TIME` for what is
indexed and how the file looks since, `forgot ACCOUNT MESSAGE …` for what need not be remembered as dropped, `renewed`
when it begins anew, `erased`. It may be killed at any moment.
"""

import logging
import os
import select
import sqlite3
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

from gk.log import setup
from gk.message.extract import attached_text
from gk.service import behave_as_child
from gk.store.search import schema
from gk.store.search.index import Index, Superseded, is_damage, open_index
from gk.store.search.source import Batch, Source

log = logging.getLogger(__name__)

NICE = 5  # whoever reads and writes mail goes first
MEMORY = 2 << 30  # bytes of address space: a hostile attachment fails alone
RENEW, ERASE = b"R", b"E"
UNREADABLE = (zlib.error, UnicodeDecodeError)  # a stored text that is not what was stored
TOLD = 10_000  # forgotten documents remembered until the parent has cleared them


class Stop(Exception):
    """The parent is gone, or wants no more."""


class Child:
    """One run: everything there is, then whatever comes."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._source = Source(data, attached_text)
        self._index = self._opened()
        self._told: set[tuple[int, int]] = set()
        self._erasing = False
        self._looks = (0, 0)

    def _opened(self) -> Index:
        return open_index(self._data, self._source.identity, self._source.newest())

    def run(self) -> None:
        """Until the standard input ends."""
        try:
            self._mark()
            while True:
                self._work()
                if self._erasing:
                    self._index.erase()
                    self._erasing = False
                    self._mark()
                    self._tell("erased")
                self._obey(self._wait())
        except Stop:
            pass
        self._index.close()
        self._source.close()
        schema.stamp(self._data)

    def _work(self) -> None:
        """Batches until nothing is left."""
        renewed = False
        if schema.looks(self._data) != self._looks:
            log.error("event=search_damaged error=written-by-another")
            self._renew()
        while True:
            batch = self._source.batch(self._index.mark, self._told)
            if not batch.dropped and batch.mark == self._index.mark:
                return
            try:
                self._index.add(batch.entries, batch.dropped, batch.mark)
            except (sqlite3.DatabaseError, *UNREADABLE) as error:
                if renewed or (isinstance(error, sqlite3.Error) and not is_damage(error)):
                    raise
                log.error("event=search_damaged error=%s", type(error).__name__)
                self._renew()
                renewed = True
            else:
                renewed = False
                self._report(batch)
            self._check()

    def _renew(self) -> None:
        """The index is damaged: begin anew."""
        self._index.abandon()
        schema.remove(self._data)
        self._index = self._opened()
        self._told.clear()
        self._tell("renewed")
        self._mark()

    def _report(self, batch: Batch) -> None:
        if batch.dropped:
            if len(self._told) > TOLD:
                self._told.clear()  # told twice does no harm
            self._told.update(batch.dropped)
            self._tell("forgot " + " ".join(f"{account} {message}" for account, message in batch.dropped))
        self._mark()

    def _mark(self) -> None:
        self._looks = schema.looks(self._data)
        self._tell(f"mark {self._index.mark} {self._looks[0]} {self._looks[1]}")

    def _tell(self, line: str) -> None:
        try:
            os.write(1, line.encode() + b"\n")
        except BrokenPipeError:
            raise Stop from None

    def _check(self) -> None:
        """Raise Stop when the parent is gone; what it asked for meanwhile is being done."""
        if select.select([0], [], [], 0)[0]:
            self._obey(self._wait())

    def _obey(self, asked: bytes) -> None:
        if RENEW in asked:
            self._renew()
        self._erasing |= ERASE in asked

    @staticmethod
    def _wait() -> bytes:
        asked = os.read(0, 4096)
        if not asked:
            raise Stop
        return asked


def main(arguments: Sequence[str]) -> int:
    """Run for the data directory named first."""
    behave_as_child(MEMORY, NICE)
    setup("info", "json" if "json" in arguments[1:] else "text")
    try:
        Child(Path(arguments[0])).run()
    except Superseded:
        return 75
    except Stop:
        return 0
    except (sqlite3.Error, OSError) as error:
        log.error("event=search_stopped error=%s", getattr(error, "sqlite_errorname", None) or type(error).__name__)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
