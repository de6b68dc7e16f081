"""Limits of a day, the list of those nothing is sent to, and addresses to unsubscribe at."""

import asyncio
import string
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.errors import SendingLimit
from gk.metrics import REGISTRY
from gk.store.db import Store
from gk.store.queued import QueuedRecipient
from gk.store.sending import DAY, EVERYBODY, LEAVE, Leaver
from gk.store.values import Recipient
from tests.message.fuzz import examples
from tests.store.rooms import ALICE, BOB, account, box, message, opened

NOON = 20_000 * DAY + DAY // 2


class Clock:
    """A wall clock a test sets."""

    def __init__(self) -> None:
        self.now = float(NOON)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    limits = {"messages_per_day": 10, "new_recipients_per_day": 4, "free_space_bytes": 0}
    async with opened(tmp_path / "data", **limits) as made:
        yield made


async def send(store: Store, *recipients: str, who: int | None = 1, origin: str = "user", size: int = 0) -> int:
    to = [QueuedRecipient(r, r.rpartition("@")[2]) for r in recipients]
    return await store.outgoing.add(
        await store.prepare(message(1, size)), ALICE, to, account=who, origin=origin,
        local=[(await store.prepare(message(2)), [Recipient(2, box(store, address=BOB).id, BOB)])],
    )  # fmt: skip


def people(count: int, start: int = 0) -> list[str]:
    return [f"u{n}@far.test" for n in range(start, start + count)]


def refusals(limit: str) -> float:
    return REGISTRY.get_sample_value("gk_refused_total", {"protocol": "send", "reason": limit}) or 0.0


async def test_each_recipient_elsewhere_counts_and_the_next_day_begins_anew(store: Store, clock: Clock) -> None:
    for _ in range(5):
        await send(store, *people(2))
    before = refusals("messages_per_day")
    with pytest.raises(SendingLimit, match=r"10 recipients a day \(limits.messages_per_day\)") as refused:
        await send(store, "u0@far.test")
    assert refused.value.limit == "messages_per_day" and refusals("messages_per_day") == before + 1
    assert await send(store, "u0@far.test", who=2), "another account has its own day"
    clock.now = NOON + DAY / 2 - 1
    with pytest.raises(SendingLimit):
        await send(store, "u0@far.test")
    clock.now += 1
    assert await send(store, "u0@far.test")


@pytest.mark.parametrize("size", [0, 400_000])
async def test_what_is_refused_is_neither_queued_nor_delivered_nor_counted(
    store: Store, clock: Clock, size: int
) -> None:
    with pytest.raises(SendingLimit):
        await send(store, *people(5), size=size)
    await store.filer.rest()
    assert store.outgoing.list() == [] and store.outgoing.count == 0
    assert store.mailboxes.status(box(store, address=BOB)).messages == 0
    assert list((store.data / "spool").iterdir()) == []
    await send(store, *people(4), size=size)
    assert len(store.outgoing.list()) == store.mailboxes.status(box(store, address=BOB)).messages == 1


async def test_who_was_written_to_before_is_not_new(store: Store, clock: Clock) -> None:
    await send(store, "a@far.test", "b@far.test", "c@far.test")
    await send(store, "A@FAR.test", "d@far.test")
    with pytest.raises(SendingLimit, match="4 new recipients a day"):
        await send(store, "a@far.test", "e@far.test")
    await send(store, "b@far.test", "d@far.test")
    clock.now += DAY
    await send(store, *people(4))
    with pytest.raises(SendingLimit):
        await send(store, "e@far.test")
    assert await send(store, "e@far.test", who=2), "new to one account is new to it alone"


async def test_reports_and_mail_that_stays_here_do_not_count(store: Store) -> None:
    for number in range(12):
        await send(store)
        await send(store, f"u{number}@far.test", origin="dsn")
        await send(store, f"u{number}@far.test", who=None)
    assert await send(store, *people(4))


async def test_no_limit_is_no_limit(tmp_path: Path) -> None:
    limits = {"messages_per_day": 0, "new_recipients_per_day": 0, "free_space_bytes": 0}
    async with opened(tmp_path / "data", **limits) as store:
        for start in (0, 1000):
            assert await send(store, *people(1000, start))


async def test_many_at_once_get_no_more_through_than_one_after_the_other(store: Store) -> None:
    results = await asyncio.gather(*(send(store, "a@far.test") for _ in range(40)), return_exceptions=True)
    assert sum(isinstance(r, int) for r in results) == len(store.outgoing.list()) == 10
    assert all(isinstance(r, int | SendingLimit) for r in results)
    results = await asyncio.gather(*(send(store, r, who=2) for r in people(40)), return_exceptions=True)
    assert sum(isinstance(r, int) for r in results) == 4


async def test_what_was_counted_is_known_after_a_restart(tmp_path: Path) -> None:
    limits = {"messages_per_day": 3, "new_recipients_per_day": 1, "free_space_bytes": 0}
    async with opened(tmp_path / "data", **limits) as store:
        await send(store, "a@far.test")
    async with opened(tmp_path / "data", **limits) as store:
        await send(store, "a@far.test")
        with pytest.raises(SendingLimit, match="new recipients"):
            await send(store, "b@far.test")
        await send(store, "a@far.test")
        with pytest.raises(SendingLimit, match="3 recipients"):
            await send(store, "a@far.test")


def rows(store: Store, table: str) -> list[tuple[int, ...]]:
    return store.reader.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()


async def test_old_rows_are_cleared_away_and_recipients_in_use_stay(store: Store, clock: Clock) -> None:
    await send(store, "old@far.test", "kept@far.test")
    for _ in range(5):
        clock.now += 100 * DAY
        await send(store, "kept@far.test")
        assert len(rows(store, "sent_day")) == 1
    assert [(mark, day) for _, mark, day in rows(store, "sent_to")] == [
        (store.sending.hash(1, "kept@far.test"), clock.now // DAY)
    ]
    clock.now -= 30 * DAY
    await send(store, "kept@far.test")
    assert rows(store, "sent_day") == [(1, clock.now // DAY, 1, 0)], "a clock set back leaves nothing behind"


async def test_no_address_stands_in_the_tables_in_clear(store: Store, tmp_path: Path) -> None:
    await send(store, "zoe@far.test")
    ((_, mark, _),) = rows(store, "sent_to")
    assert -(1 << 63) <= mark < 1 << 63 and mark != store.sending.hash(2, "zoe@far.test")
    async with opened(tmp_path / "other", free_space_bytes=0) as other:
        assert other.sending.hash(1, "zoe@far.test") != mark, "the key is each server's own"


# --- the suppression list ---------------------------------------------------------------------------------------------


async def test_an_address_on_a_list_is_found_however_it_is_spelled(store: Store) -> None:
    room = store.sending
    assert await room.suppress(1, "Zoe@Far.test", "asked")
    assert not await room.suppress(1, "zoe@far.test", "again")
    await room.suppress(EVERYBODY, "trap@bücher.example", "spam trap")
    asked = ["ZOE@far.test", "trap@xn--bcher-kva.example", "yan@far.test"]
    assert room.suppressed(1, asked, bulk=True) == set(asked[:2])
    assert room.suppressed(1, asked, bulk=False) == {asked[1]}
    assert room.suppressed(2, asked, bulk=True) == {asked[1]}
    (entry,) = room.suppressions(1, None, 10)
    assert (entry.account, entry.address, entry.reason) == (1, "zoe@far.test", "asked")
    assert await room.allow(1, "zoe@FAR.test") and not await room.allow(1, "zoe@far.test")
    assert room.suppressed(1, asked, bulk=True) == {asked[1]}


async def test_a_long_list_is_read_in_pages(store: Store) -> None:
    await asyncio.gather(*(store.sending.suppress(1, address, "") for address in people(25)))
    found: list[str] = []
    after: int | None = None
    while page := store.sending.suppressions(1, after, 10):
        found += [entry.address for entry in page]
        after = page[-1].cursor
    assert sorted(found) == sorted(people(25))


# --- who unsubscribes -------------------------------------------------------------------------------------------------


async def test_who_unsubscribes_is_on_the_list_whatever_the_address_it_is_done_from(store: Store) -> None:
    room = store.sending
    for sender, known in (("zoe@far.test", "zoe@far.test"), ("other@far.test", ""), ("", "")):
        leaver = room.leaver(room.leaving(1, "Zoe@far.test").upper())
        assert leaver is not None
        await room.leave(leaver, sender)
        assert room.suppressed(1, ["zoe@far.test"], bulk=True) == {"zoe@far.test"}
        assert room.suppressed(2, ["zoe@far.test"], bulk=True) == set()
        assert not room.suppressed(1, ["other@far.test"], bulk=True), "nobody unsubscribes somebody else"
        (entry,) = room.suppressions(1, None, 10)
        assert (entry.address, entry.reason) == (known, "unsubscribed by mail")
        await room.allow(1, "zoe@far.test")


async def test_an_address_learned_later_is_shown(store: Store) -> None:
    leaver = store.sending.leaver(store.sending.leaving(1, "zoe@far.test"))
    assert leaver is not None
    for sender in ("", "zoe@far.test", ""):
        await store.sending.leave(leaver, sender)
    assert [entry.address for entry in store.sending.suppressions(1, None, 10)] == ["zoe@far.test"]


async def test_an_account_that_is_gone_keeps_no_list(store: Store) -> None:
    leaver = store.sending.leaver(store.sending.leaving(7, "zoe@far.test"))
    assert leaver == Leaver(7, store.sending.hash(7, "zoe@far.test"))
    await store.sending.leave(leaver, "zoe@far.test")
    assert store.sending.suppressions(7, None, 10) == []


ALPHABET = string.ascii_lowercase + "234567"


async def test_no_other_token_is_believed(store: Store) -> None:
    room = store.sending
    made = room.leaving(account(store).id, "zoe@far.test")
    assert len(made) <= 64 and made.startswith(LEAVE)

    @examples
    @given(st.one_of(st.text(), st.text(ALPHABET, min_size=32, max_size=32).map(LEAVE.__add__), st.just(made)))
    def strangers(text: str) -> None:
        found = room.leaver(text)
        assert (found is not None) == (text.lower() == made)

    strangers()
    for place in range(len(LEAVE), len(made)):
        for letter in ALPHABET:
            other = made[:place] + letter + made[place + 1 :]
            assert (room.leaver(other) is None) == (other != made)
