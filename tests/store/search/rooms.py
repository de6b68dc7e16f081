"""A store and the child that indexes it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from gk.service import supervise
from gk.store.db import Store
from gk.store.search.indexer import Indexer
from tests.store.rooms import opened


@asynccontextmanager
async def indexing(data: Path) -> AsyncIterator[tuple[Store, Indexer]]:
    """A store, and its index being kept; a child that was killed is started again at once."""
    async with opened(data) as store:
        indexer = Indexer(store)
        async with supervise(indexer, sleep=lambda pause: asyncio.sleep(0)):
            yield store, indexer


def rows(data: Path, query: str) -> list[tuple[int, ...]]:
    """What search.db holds."""
    with closing(sqlite3.connect(data / "search.db")) as db:
        return db.execute(query).fetchall()
