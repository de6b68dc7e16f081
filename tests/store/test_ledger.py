"""Calls to models are counted by account, day and model, and no more of them, nor more money, than allowed."""

import sqlite3
from pathlib import Path

import pytest

from gk.store import known, ledger, schema
from gk.store.db import Store
from tests.store.rooms import opened


def totals(store: Store, account: int, days: int = 1) -> tuple[int, int, int]:
    """(calls, tokens, price)."""
    rows = store.ledger.of(account, days)
    return sum(r.calls for r in rows), sum(r.asked + r.said for r in rows), sum(r.price for r in rows)


async def test_calls_are_counted_up_to_what_is_allowed(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert [await store.ledger.reserve(1, name, 0, 2, 0) for name in ("a", "b", "a")] == [True, True, False]
        await store.ledger.settle(1, "a", 0, 1, 30, 20, 1500)
        assert await store.ledger.reserve(2, "a", 0, 2, 0)
        assert totals(store, 1) == (2, 50, 0) and totals(store, 2) == (1, 0, 0)
        (a, b) = store.ledger.of(1)
        assert (a.model, a.failed, a.milliseconds, b.model, b.failed) == ("a", 1, 1500, "b", 0)
        assert len(store.ledger.of()) == 3
    async with opened(tmp_path) as store:
        assert not await store.ledger.reserve(1, "c", 0, 2, 0)


async def test_what_is_reserved_counts_until_it_is_settled(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert await store.ledger.reserve(1, "a", 60, 9, 100)
        assert not await store.ledger.reserve(1, "b", 60, 9, 100), "both could cost more than there is"
        await store.ledger.settle(1, "a", 25 - 60, 0, 1, 1, 1)
        assert await store.ledger.reserve(1, "b", 60, 9, 100)
        assert totals(store, 1) == (2, 2, 85)


async def test_what_was_set_aside_before_midnight_is_no_money_of_the_new_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as store:
        midnight = (ledger.time.time() // ledger.DAY + 1) * ledger.DAY
        monkeypatch.setattr(ledger.time, "time", lambda: midnight - 2)
        assert await store.ledger.reserve(1, "a", 90, 9, 100)
        monkeypatch.setattr(ledger.time, "time", lambda: midnight + 2)
        await store.ledger.settle(1, "a", 10 - 90, 0, 1, 1, 3500)
        assert totals(store, 1) == (0, 0, 0) and totals(store, 1, days=2) == (1, 2, 10)
        assert not await store.ledger.reserve(1, "a", 101, 9, 100)


async def test_a_new_day_begins_anew_and_old_days_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as store:
        await store.ledger.reserve(1, "a", 5, 1, 0)
        now = ledger.time.time()
        monkeypatch.setattr(ledger.time, "time", lambda: now + ledger.DAY)
        assert await store.ledger.reserve(1, "a", 5, 1, 0)
        assert totals(store, 1) == (1, 0, 5) and totals(store, 1, days=2) == (2, 0, 10)
        monkeypatch.setattr(ledger.time, "time", lambda: now + (ledger.KEPT + 2) * ledger.DAY)
        await store.ledger.reserve(1, "a", 1, 1, 0)
        assert totals(store, 1, days=1000) == (1, 0, 1)


def test_what_was_counted_before_models_had_names_is_kept() -> None:
    db = sqlite3.connect(":memory:")
    for migration in schema.MIGRATIONS[: schema.MIGRATIONS.index(schema.m015_models) + 1]:
        if migration is schema.m015_models:
            db.execute("INSERT INTO model_day (account, day, calls, tokens) VALUES (1, 20000, 3, 70)")
        migration(db)
    assert db.execute("SELECT day, model, calls, asked + said FROM model_use").fetchall() == [(20000, "", 3, 70)]


async def test_answers_are_remembered_by_account_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as store:
        await store.known.put(1, b"k", "small", {"summary": "It leaks.", "sure": 0.5}, 100)
        assert store.known.get(1, b"k", 100) == ("small", {"summary": "It leaks.", "sure": 0.5})
        assert store.known.get(2, b"k", 100) is None and store.known.get(1, b"x", 100) is None
        monkeypatch.setattr(known, "MOST", 3)
        now = known.time.time()
        for number in range(5):
            monkeypatch.setattr(known.time, "time", lambda at=now + number: at)
            await store.known.put(1, bytes([number]), "small", {}, 100)
        assert [store.known.get(1, bytes([n]), 100) is not None for n in range(5)] == [False, False, True, True, True]
        monkeypatch.setattr(known.time, "time", lambda: now + 200)
        assert store.known.get(1, b"\4", 100) is None
        await store.known.put(1, b"z", "small", {}, 100)
        assert store.reader.execute("SELECT count(*) FROM model_answer").fetchone() == (1,), "what is old goes"


async def test_with_the_account_its_answers_and_counts_go(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        account = await store.accounts.add("ann@example.test", None)
        await store.known.put(account.id, b"k", "small", {}, 100)
        await store.ledger.reserve(account.id, "small", 0, 9, 0)
        await store.accounts.remove("ann@example.test")
        assert not store.ledger.of() and store.known.get(account.id, b"k", 100) is None
