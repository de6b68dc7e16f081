"""What is to be reported: counted by day and domain, never more than its bounds, and erased."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gk.bus import Bus
from gk.config import Config, Limits
from gk.store import reports
from gk.store.db import Store
from gk.store.reports import DmarcResult

DAY = 20_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store.open(Config(data=tmp_path / "data", limits=Limits(free_space_bytes=0)), Bus()) as opened:
        yield opened


def policies(*domains: str, day: int = DAY) -> dict[tuple[int, str], str]:
    return {(day, domain): f"v=DMARC1; p=none; d={domain}" for domain in domains}


async def test_equal_results_are_one_row_and_the_last_policy_counts(store: Store) -> None:
    one, two = DmarcResult(DAY, "a.test", "[1]"), DmarcResult(DAY, "a.test", "[2]")
    await store.reports.count({one: 2, two: 1}, policies("a.test"), DAY)
    await store.reports.count({one: 3}, {(DAY, "a.test"): "v=DMARC1; p=reject"}, DAY)
    assert store.reports.rows(DAY, "a.test") == [("[1]", 5), ("[2]", 1)]
    assert store.reports.policy(DAY, "a.test") == "v=DMARC1; p=reject"
    assert store.reports.due(DAY, 10) == [] and store.reports.due(DAY + 1, 10) == [(DAY, "a.test")]


async def test_what_was_reported_and_what_is_old_is_erased(store: Store) -> None:
    for domain in ("a.test", "b.test"):
        await store.reports.count({DmarcResult(DAY, domain, "[1]"): 1}, policies(domain), DAY)
    await store.reports.forget(DAY, "a.test")
    assert store.reports.due(DAY + 1, 10) == [(DAY, "b.test")]
    assert store.reports.rows(DAY, "a.test") == [] and store.reports.policy(DAY, "a.test") == ""
    late = DAY + reports.DAYS + 1
    await store.reports.count({DmarcResult(late, "c.test", "[1]"): 1}, policies("c.test", day=late), late)
    assert store.reports.due(late + 1, 10) == [(late, "c.test")] and store.reports.rows(DAY, "b.test") == []


async def test_neither_one_domain_nor_all_of_them_fill_the_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "ROWS", 10)
    monkeypatch.setattr(reports, "ROWS_OF_ONE", 4)
    for domain in ("a.test", "b.test", "c.test", "d.test"):
        results = {DmarcResult(DAY, domain, f"[{n}]"): 1 for n in range(6)}
        await store.reports.count(results, policies(domain), DAY)
    assert [len(store.reports.rows(DAY, f"{d}.test")) for d in "abcd"] == [4, 4, 2, 0]
    assert [domain for _, domain in store.reports.due(DAY + 1, 10)] == ["a.test", "b.test", "c.test"]
    await store.reports.count({DmarcResult(DAY, "a.test", "[1]"): 5}, policies("a.test"), DAY)
    assert store.reports.rows(DAY, "a.test")[1] == ("[1]", 6)


async def test_all_is_erased_where_nothing_is_reported_any_more(store: Store) -> None:
    await store.reports.clear()
    await store.reports.count({DmarcResult(DAY, "a.test", "[1]"): 1}, policies("a.test"), DAY)
    await store.reports.clear()
    assert store.reports.due(DAY + 1, 10) == [] and store.reports.rows(DAY, "a.test") == []


async def test_the_day_of_tls_reports_is_remembered(store: Store) -> None:
    assert store.reports.tls_reported() == 0
    for day in (DAY, DAY + 1):
        await store.reports.set_tls_reported(day)
        assert store.reports.tls_reported() == day
