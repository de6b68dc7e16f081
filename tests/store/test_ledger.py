"""Calls to models are counted by account and day, and no more of them than allowed."""

from pathlib import Path

import pytest

from gk.store import ledger
from tests.store.rooms import opened


async def test_calls_are_counted_up_to_what_is_allowed(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert [await store.ledger.count(1, 1, 0, 2) for _ in range(3)] == [True, True, False]
        assert await store.ledger.count(1, 0, 50, 2), "tokens come after the call"
        assert await store.ledger.count(2, 1, 9, 2)
        assert store.ledger.of(1) == (2, 50) and store.ledger.of(2) == (1, 9)
    async with opened(tmp_path) as store:
        assert store.ledger.of(1) == (2, 50)
        assert not await store.ledger.count(1, 1, 0, 2)


async def test_a_new_day_begins_anew_and_old_days_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as store:
        await store.ledger.count(1, 2, 5, 2)
        now = ledger.time.time()
        monkeypatch.setattr(ledger.time, "time", lambda: now + ledger.DAY)
        assert await store.ledger.count(1, 1, 5, 2)
        assert store.ledger.of(1) == (1, 5) and store.ledger.of(1, days=2) == (3, 10)
        monkeypatch.setattr(ledger.time, "time", lambda: now + (ledger.KEPT + 2) * ledger.DAY)
        await store.ledger.count(1, 1, 0, 2)
        assert store.ledger.of(1, days=1000) == (1, 0)
