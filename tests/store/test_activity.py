"""What is done is counted by the hour; a restart forgets nothing of it."""

from pathlib import Path

from gk import metrics
from gk.store.activity import HOUR, KEPT
from gk.store.counting import KINDS, Activity, counted
from tests.store.rooms import opened

NOW = 1_800_000_000.0


async def test_what_was_done_since_the_last_look_is_added_to_its_hour(tmp_path: Path) -> None:
    clock = [NOW]
    async with opened(tmp_path) as store:
        watching = Activity(store, lambda: clock[0])
        metrics.attempts.labels("mx", "sent").inc(3)
        metrics.attempts.labels("mx", "failed").inc()
        metrics.refused.labels("smtp", "5.1.1").inc(2)
        metrics.refused.labels("imap", "banned").inc()
        await watching.note()
        clock[0] += HOUR
        metrics.attempts.labels("local", "sent").inc()
        await watching.note()
        await watching.note()
    async with opened(tmp_path) as store:
        hour = int(NOW) // HOUR
        assert store.activity.since(hour) == [
            (hour + 1, "sent", 1.0), (hour, "failed", 1.0), (hour, "refused", 2.0), (hour, "sent", 3.0),
        ]  # fmt: skip
        assert len(store.activity.since(hour + 1)) == 1
        await store.activity.add(NOW + (KEPT + 2) * HOUR, {"sent": 1.0})
        assert len(store.activity.since(0)) == 1, "what is old goes"


async def test_what_was_judged_is_counted_by_category(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        watching = Activity(store, lambda: NOW)
        metrics.triaged.labels("billing").inc(2)
        metrics.triaged.labels("spam").inc()
        await watching.note()
        hour = int(NOW) // HOUR
        assert store.activity.since(hour) == [
            (hour, "triaged", 3.0), (hour, "triaged_billing", 2.0), (hour, "triaged_spam", 1.0),
        ]  # fmt: skip


def test_every_kind_is_a_counter_that_is_there() -> None:
    names = {sample.name for family in metrics.REGISTRY.collect() for sample in family.samples}
    families = {f"{family.name}_total" for family in metrics.REGISTRY.collect()} | names
    assert all(name in families for name, _, _ in KINDS.values())
    assert counted().keys() == KINDS.keys()
