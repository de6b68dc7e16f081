"""Delivered messages are judged once, for all who got them, and nothing that goes wrong with one stops the others."""

import asyncio
import io
import json
import os
import signal
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from gk.ai import child, elsewhere
from gk.ai.elsewhere import ANSWERED, ASKED, Elsewhere
from gk.ai.triaging import FEW, MANY, Triaging
from gk.bus import Bus, Subscription
from gk.config import Triage
from gk.events import MessageTriaged
from gk.metrics import REGISTRY
from gk.service import supervise
from gk.store.db import Store
from gk.store.triages import LARGEST, Result, packed
from gk.store.values import DELETED, Flags, Mailbox, Recipient
from tests.store.rooms import ALICE, BOB, account, append, box, configured, deliver, message, opened

PATIENCE = 30.0  # seconds
OUTAGE = (
    b"From: Ann Lee <ann.lee@clinic.test>\r\nSubject: nobody can log in since 8 o'clock\r\n\r\n"
    b"The whole clinic has been locked out since eight. The waiting room is full and nobody can open a file. Nothing "
    b"works, please call me back immediately on 01632 960 123.\r\n\r\nAnn Lee\r\n"
)
TOLD = frozenset({"$gk-support", "$gk-urgent", "$gk-reply"})


@asynccontextmanager
async def judging(store: Store, *, marking: bool = True) -> AsyncIterator[Subscription[MessageTriaged]]:
    """The service on a store, and what the bus hears of it."""
    with store.bus.subscribe(MessageTriaged) as heard:
        async with supervise(Triaging(store, marking=marking)):
            yield heard


async def hears(heard: Subscription[MessageTriaged], count: int) -> list[MessageTriaged]:
    async with asyncio.timeout(PATIENCE):
        return [await anext(heard) for _ in range(count)]


async def worked_off(store: Store) -> None:
    """Until no message waits."""
    async with asyncio.timeout(PATIENCE):
        while store.triages.waiting():
            await asyncio.sleep(0.01)  # nobody is told of what is not judged


async def words(store: Store, mailbox: Mailbox, uid: int) -> frozenset[str]:
    """The flags of a message, as a client sees them."""
    snapshot = await store.mailboxes.open(mailbox)
    try:
        place = snapshot.index(uid)
        assert place is not None
        return frozenset(snapshot.render(snapshot.flags[place]).decode().split()) - {"\\Recent"}
    finally:
        snapshot.close()


async def test_a_delivery_is_judged_once_and_marked_for_all_who_got_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store, judging(store) as heard:
        placed = await deliver(store, OUTAGE, (ALICE, BOB))
        told = await hears(heard, 2)
        assert {(event.mailbox, event.uid) for event in told} == set(placed)
        assert {event.account for event in told} == {account(store).id, account(store, BOB).id}
        for who in (ALICE, BOB):
            assert await words(store, box(store, address=who), 1) == TOLD
        found = store.triages.of(1)
        assert found is not None and (found["category"], found["urgency"]) == ("support", "critical")
        assert not store.triages.waiting()
        assert not store.lessons.open(10), "what a machine says teaches nothing"


async def test_what_waits_outlives_a_stop(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for n in range(FEW + 3):
            await deliver(store, message(n))
        assert store.triages.waiting() == FEW + 3
    async with opened(tmp_path) as store, judging(store) as heard:
        told = await hears(heard, FEW + 3)
        assert [event.uid for event in told] == list(range(1, FEW + 4)), "each once, the oldest first"
        assert not store.triages.waiting()


async def test_a_copy_by_hand_an_append_and_junk_are_not_judged(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        inbox, junk, me = box(store), box(store, "Junk"), account(store).id
        await append(store, inbox, message(1))
        await store.mailboxes.copy(inbox, [1], box(store, "Archive"))
        arrival = await store.prepare(message(2))
        await store.deliver(arrival, [Recipient(me, junk.id, ALICE)])
        arrival = await store.prepare(message(3))
        await store.deliver(arrival, [Recipient(me, inbox.id, ALICE, use="\\Junk")])
        assert store.mailboxes.status(junk).messages == 2
        assert not store.triages.waiting()


async def test_what_was_expunged_meanwhile_leaves_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        inbox = box(store)
        for n in range(3):
            await deliver(store, message(n))
        await store.mailboxes.store_flags(inbox, [1, 2], "add", Flags(DELETED))
        await store.mailboxes.expunge(inbox, [1])
        assert store.triages.open(10) == [2, 3], "the row went with the message"
        async with judging(store) as heard:
            assert [event.uid for event in await hears(heard, 1)] == [3]
        assert await words(store, inbox, 2) == {"\\Deleted"}
        await store.mailboxes.store_flags(inbox, [3], "add", Flags(DELETED))
        await store.mailboxes.expunge(inbox, None)
        assert store.triages.of(2) is None and store.triages.of(3) is None
        (kept,) = store.reader.execute("SELECT count(*) FROM triage").fetchone()
        assert not kept


async def test_a_result_of_a_message_that_went_while_it_was_judged_is_not_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await deliver(store, OUTAGE)
        inbox = box(store)
        await store.mailboxes.store_flags(inbox, [1], "add", Flags(DELETED))
        await store.mailboxes.expunge(inbox, None)
        await store.triages.keep([Result(1, packed({"category": "support"}), TOLD)])
        assert store.reader.execute("SELECT count(*) FROM triage").fetchone() == (0,)
        assert store.mailboxes.keywords(inbox) == []


async def test_a_moved_message_is_marked_where_it_stands(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        inbox, archive, trash = box(store), box(store, "Archive"), box(store, "Trash")
        for _ in range(2):
            await deliver(store, OUTAGE)
        await store.mailboxes.move(inbox, [1], archive)
        await store.mailboxes.move(inbox, [2], trash)
        async with judging(store) as heard:
            (event,) = await hears(heard, 1)
            assert event.mailbox == archive.id
            await worked_off(store)
        assert await words(store, archive, 1) == TOLD
        assert await words(store, trash, 1) == frozenset()


async def test_an_account_that_went_takes_its_rows_along(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await deliver(store, OUTAGE, (ALICE, BOB))
        await store.accounts.remove(BOB)
        async with judging(store) as heard:
            (event,) = await hears(heard, 1)
            assert event.account == account(store).id
            assert not store.triages.waiting()


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\xff\r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x",
        b"Content-Type: text/plain; charset=nobody-knows\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!\r\n",
        b"Subject: =?utf-8?b?" + b"w" * 5_000 + b"?=\r\n\r\n" + b"a " * 100_000 + b"\r\n",
        b"no header at all\r\n",
    ],
    ids=["octets", "boundaries", "charset", "words", "headless"],
)
async def test_broken_messages_are_judged_and_the_next_one_too(tmp_path: Path, content: bytes) -> None:
    async with opened(tmp_path) as store, judging(store) as heard:
        await deliver(store, content)
        await deliver(store, OUTAGE)
        assert [event.uid for event in await hears(heard, 2)] == [1, 2]
        assert store.triages.of(1) is not None
        assert await words(store, box(store), 2) == TOLD


async def test_a_message_whose_file_is_damaged_stays_unjudged_and_stops_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await deliver(store, message(1))
        await store.commits.do(lambda db, facts: db.execute("UPDATE message SET crc = crc + 1"))
        await deliver(store, OUTAGE)
        async with judging(store) as heard:
            assert [event.uid for event in await hears(heard, 1)] == [2]
        assert store.triages.of(1) is None and not store.triages.waiting()


async def test_a_mailbox_full_of_keywords_goes_without(tmp_path: Path) -> None:
    async with opened(tmp_path, keywords=1) as store, judging(store) as heard:
        inbox = box(store)
        await append(store, inbox, message(1), Flags(0, frozenset({"mine"})))
        await deliver(store, OUTAGE)
        (event,) = await hears(heard, 1)
        assert await words(store, inbox, event.uid) == frozenset()
        assert store.triages.of(2) is not None


async def test_without_keywords_the_result_is_kept_and_flags_are_left_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as store, judging(store, marking=False) as heard:
        await deliver(store, OUTAGE)
        await hears(heard, 1)
        assert await words(store, box(store), 1) == frozenset()
        assert store.triages.of(1) is not None


async def test_switched_off_nothing_waits(tmp_path: Path) -> None:
    config = replace(configured(tmp_path), triage=Triage(enabled=False))
    async with Store.open(config, Bus()) as store:
        await store.accounts.add(ALICE, None)
        await deliver(store, OUTAGE)
        assert not store.triages.waiting()


async def test_results_are_counted_by_category(tmp_path: Path) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("gk_triaged_total", {"category": "support"}) or 0.0

    before = counted()
    async with opened(tmp_path) as store, judging(store) as heard:
        await deliver(store, OUTAGE)
        await hears(heard, 1)
    assert counted() == before + 1
    assert b"gk_triage_seconds_bucket" in generate_latest(REGISTRY)


def noise(count: int) -> Sequence[str]:
    return [f"{n * 2_654_435_761 % 2**32:08x}{n * 40_503 % 2**16:04x}" for n in range(count)]


def test_a_result_that_is_too_large_loses_of_its_lists() -> None:
    found = {"category": "other", "evidence": noise(3_000), "entities": noise(50), "keywords": [], "summary": "x" * 500}
    assert len(packed(found)) <= LARGEST
    assert len(packed(found | {"evidence": []})) > 100, "and a small one is whole"


async def test_a_damaged_result_is_none(tmp_path: Path) -> None:
    async with opened(tmp_path) as store, judging(store) as heard:
        await deliver(store, OUTAGE)
        await hears(heard, 1)
        for damaged in (b"", b"x", packed({"a": 1})[:-8], packed({})[:3]):
            statement = "UPDATE triage SET content = ?"
            await store.commits.do(lambda db, facts, s=statement, d=damaged: db.execute(s, (d,)))
            assert store.triages.of(1) is None


async def fill(store: Store, count: int) -> None:
    """Deliver so many messages."""
    for n in range(count):
        await deliver(store, message(n))


async def test_many_are_judged_in_a_process_with_the_same_result(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await deliver(store, OUTAGE)
        await fill(store, MANY)
        service = Triaging(store, marking=True)
        with store.bus.subscribe(MessageTriaged) as heard:
            async with supervise(service):
                await hears(heard, MANY + 1)
                pid = service._elsewhere.pid
                assert pid, "it stays for a while"
        assert await words(store, box(store), 1) == TOLD
        kept = store.triages.of(1)
        assert kept is not None and kept["category"] == "support"
        assert not Path(f"/proc/{pid}").exists(), "and ends with the service"


async def test_where_the_process_cannot_start_threads_do_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "CHILD", "gk.nothing_of_that_name")
    async with opened(tmp_path) as store:
        await fill(store, MANY)
        async with judging(store) as heard:
            await hears(heard, MANY)
        assert store.triages.of(MANY) is not None


async def test_a_process_that_dies_is_replaced(tmp_path: Path) -> None:
    asked = Elsewhere()
    try:
        first = await asked.judge([OUTAGE])
        assert first and first[0] and (first[0].category, first[0].keywords) == ("support", TOLD)
        pid = asked.pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        assert await asked.judge([OUTAGE]) is None
        again = await asked.judge([OUTAGE] * 3)
        assert again and [one and one.category for one in again] == ["support"] * 3
        assert asked.pid != pid
    finally:
        await asked.end()


def test_the_process_answers_in_order_and_ends_with_its_input() -> None:
    frames = b"".join(ASKED.pack(len(raw)) + raw for raw in (OUTAGE, b"", b"\xff\x00"))
    target = io.BytesIO()
    child.serve(io.BytesIO(frames + b"\x00"), target)
    told, categories = target.getvalue(), []
    while told:
        words, length, _ = ANSWERED.unpack(told[: ANSWERED.size])
        told = told[ANSWERED.size :]
        categories.append(told[:words].decode().split(" ")[0])
        json.loads(zlib.decompress(told[words : words + length]))
        told = told[words + length :]
    assert len(categories) == 3 and categories[0] == "support"


def test_a_message_that_cannot_be_judged_has_an_empty_answer() -> None:
    assert elsewhere.answer(None) == ANSWERED.pack(0, 0, 0.0)
