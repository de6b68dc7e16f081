"""The runner: nothing lost, nothing sent twice, and no clock it believes blindly."""

import asyncio
import contextlib
import dataclasses
import random
import time
from collections.abc import AsyncIterator

import pytest

from gk import metrics
from gk.accounts.aliases import Directory
from gk.bus import Subscription
from gk.events import DeliveryAttempted
from gk.outbound import runner as runner_module
from gk.outbound.answer import Patience
from gk.outbound.relay import Relay, Relays
from gk.outbound.runner import Runner
from gk.outbound.transport import Transport
from gk.service import supervise
from gk.store.queued import QueuedRecipient
from tests.outbound.conftest import CONTENT, Post
from tests.strangers import PATIENCE, MxSession, drop, hang

YEAR = 365 * 86400.0


class Clock:
    """The wall clock of the whole process, which a test can set."""

    def __init__(self) -> None:
        self.offset = 0.0
        self._time = time.time

    def __call__(self) -> float:
        return self._time() + self.offset


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


@dataclasses.dataclass
class Office:
    """A post office: the queue, its runner and what alice hears of it."""

    post: Post
    attempts: Subscription[DeliveryAttempted]
    account: int = 1

    async def queue(self, *recipients: str, content: bytes = CONTENT) -> int:
        queued = [QueuedRecipient(r, r.rpartition("@")[2]) for r in recipients or ("zoe@far.test",)]
        arrival = await self.post.store.prepare(content)
        return await self.post.store.outgoing.add(arrival, "alice@example.test", queued, account=1, origin="user")

    async def outcome(self) -> str:
        return (await asyncio.wait_for(anext(self.attempts), PATIENCE)).outcome

    def recipients(self) -> list[dict[str, object]]:
        return [r for item in self.post.store.outgoing.list() for r in item["recipients"]]

    def reports(self) -> int:
        return self.post.store.mailboxes.status(self.post.store.mailboxes.get(self.account, "INBOX")).messages

    def runner(self) -> Runner:
        store = self.post.store
        directory = Directory(store.accounts, store.mailboxes, ("example.test",), {})
        return Runner(
            store, self.post.courier, directory, self.post.config, store.bus, "mail.example.test", random.Random(1)
        )


@pytest.fixture
async def office(post: Post) -> AsyncIterator[Office]:
    await post.store.accounts.add("alice@example.test", None)
    with post.store.bus.subscribe(DeliveryAttempted) as attempts:
        yield Office(post, attempts)


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 10 * YEAR, -YEAR, 7200.0, -601.0])
async def test_a_clock_that_jumps_expires_nothing(office: Office, clock: Clock, jump: float) -> None:
    await office.post.stranger({"MAIL": b"451 4.3.0 not now\r\n"})
    async with supervise(office.runner()):
        first = await office.queue()
        assert await office.outcome() == "deferred"
        (before,) = office.recipients()
        clock.offset += jump
        await office.queue("yves@far.test")  # wakes the runner, which sees the jump
        assert await office.outcome() == "deferred"
        after, new = office.recipients()
        assert abs(after["due"] - before["due"] - jump) < 5
        assert 100 < new["due"] - time.time() < 140  # what came after the jump stays where it is
        await office.post.store.outgoing.retry(first)
        assert await office.outcome() == "deferred"
        assert 200 < office.recipients()[0]["due"] - time.time() < 280
    assert office.reports() == 0


async def test_a_clock_that_jumps_during_a_delivery_expires_nothing(office: Office, clock: Clock) -> None:
    async def jump(session: MxSession) -> None:
        clock.offset += 10 * YEAR
        session.writer.write(b"451 4.3.0 not now\r\n")

    await office.post.stranger({"MAIL": jump})
    async with supervise(office.runner()):
        await office.queue()
        assert await office.outcome() == "deferred"
        assert 100 < office.recipients()[0]["due"] - time.time() < 140
    assert office.reports() == 0


async def test_a_small_step_of_the_clock_moves_nothing(office: Office, clock: Clock) -> None:
    await office.post.stranger({"MAIL": b"451 4.3.0 not now\r\n"})
    async with supervise(office.runner()):
        await office.queue()
        await office.outcome()
        (before,) = office.recipients()
        clock.offset += 90
        await office.queue("yves@far.test")
        await office.outcome()
        assert office.recipients()[0]["due"] == before["due"]


async def test_what_a_wrong_clock_put_far_away_is_due_within_the_hour(office: Office, clock: Clock) -> None:
    clock.offset = 10 * YEAR
    await office.queue()
    outgoing = office.post.store.outgoing
    ((claim,), _) = await outgoing.claim(time.time(), 1, {}, 1)
    clock.offset = 0
    await outgoing.recover(time.time(), 3960)
    assert office.recipients()[0]["due"] <= time.time() + 3960
    assert outgoing.get(claim.queue_id)["created"] <= time.time()


async def test_what_a_killed_process_was_sending_is_sent_by_the_next(office: Office) -> None:
    mx = await office.post.stranger()
    await office.queue()
    await office.post.store.outgoing.claim(time.time(), 1, {}, 1)
    assert office.recipients()[0]["status"] == "sending"
    async with supervise(office.runner()):
        assert await office.outcome() == "sent"
    assert len(mx.kept) == 1


async def test_a_delivery_about_to_hear_its_answer_is_waited_for_when_the_server_stops(office: Office) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def wait(session: MxSession) -> None:
        asked.set()
        await answer.wait()
        session.writer.write(b"250 2.0.0 kept\r\n")

    await office.post.stranger({"end": wait})
    await office.queue()
    async with supervise(office.runner()):
        await asked.wait()
        asyncio.get_running_loop().call_later(0.1, answer.set)  # while the runner is stopping
    assert office.recipients() == []


async def test_a_delivery_that_takes_too_long_is_given_up_when_the_server_stops_and_stays_queued(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "GRACE", 0.1)
    mx = await office.post.stranger({"EHLO": hang})
    office.post.courier._transport = Transport("mail.example.test", Patience())
    await office.queue()
    async with supervise(office.runner()):
        async with asyncio.timeout(PATIENCE):
            while not mx.lines:
                await asyncio.sleep(0)
    assert office.recipients()[0]["status"] == "sending"
    del mx.replies["EHLO"]
    async with supervise(office.runner()):
        assert await office.outcome() == "sent"


async def test_a_delivery_is_recorded_as_soon_as_the_store_can_write_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "FAULT", 0.01)
    store = office.post.store

    async def break_store(session: MxSession) -> None:
        store.commits.broken = "for a moment"
        session.writer.write(b"250 2.0.0 kept\r\n")
        asyncio.get_running_loop().call_later(0.1, mend)

    def mend() -> None:
        store.commits.broken = None

    mx = await office.post.stranger({"end": [break_store, b"250 ok\r\n"]})
    async with supervise(office.runner()):
        await office.queue()
        assert await office.outcome() == "sent"
        await office.queue("yves@far.test")
        assert await office.outcome() == "sent"
    assert sum(line == "DATA" for line in mx.lines) == 2  # each was sent once


async def test_a_damaged_message_is_deferred_and_the_others_go_on(office: Office) -> None:
    mx = await office.post.stranger()
    first = await office.queue(content=CONTENT + b"x" * (300 << 10) + b"\r\n")
    for spool in (office.post.store.data / "spool").iterdir():
        spool.write_bytes(b"nothing of the kind")
    async with supervise(office.runner()):
        assert await office.outcome() == "deferred"
        await office.queue()
        assert await office.outcome() == "sent"
    assert office.post.store.outgoing.get(first)["recipients"][0]["status"] == "pending"
    assert len(mx.kept) == 1


async def test_a_fault_of_our_own_defers_one_message_and_ends_no_other(office: Office) -> None:
    mx = await office.post.stranger()
    office.post.zone.domain("odd.test", "127.0.0.2")

    async def stop_here(*args: object) -> None:
        raise ZeroDivisionError

    over = office.post.courier._over

    async def sometimes(link, key, claim, *args):  # type: ignore[no-untyped-def]
        return await (stop_here() if claim.domain == "odd.test" else over(link, key, claim, *args))

    office.post.courier._over = sometimes  # type: ignore[method-assign]
    async with supervise(office.runner()):
        await office.queue("zoe@odd.test")
        assert await office.outcome() == "deferred"
        await office.queue()
        assert await office.outcome() == "sent"
    assert office.recipients()[0]["reply"] == "internal error"
    assert len(mx.kept) == 1


async def test_a_crashed_runner_starts_again_and_takes_everything_up(office: Office) -> None:
    await office.post.stranger({"MAIL": [drop, b"250 ok\r\n"]})
    runner = office.runner()
    for _ in range(2):
        task = asyncio.ensure_future(runner.run(asyncio.Event()))
        await office.queue()
        await office.outcome()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    async with supervise(runner):
        for number in [item["id"] for item in office.post.store.outgoing.list()]:
            await office.post.store.outgoing.retry(number)
        assert await office.outcome() == "sent"
    assert office.recipients() == []


async def test_no_domain_gets_more_than_its_share_of_one_claim(office: Office) -> None:
    for n in range(10):
        await office.queue(f"u{n}@far.test")
    await office.queue("zoe@near.test")
    claims, _ = await office.post.store.outgoing.claim(time.time(), 10, {}, 3)
    assert [claim.domain for claim in claims] == ["far.test"] * 3 + ["near.test"]
    more, _ = await office.post.store.outgoing.claim(time.time(), 10, {"far.test": 1}, 3)
    assert [claim.domain for claim in more] == ["far.test"] * 2
    none, due = await office.post.store.outgoing.claim(time.time(), 10, {"far.test": 3}, 3)
    assert (none, due) == ([], None)


async def test_a_claim_that_finds_nothing_says_when_there_will_be_something(office: Office) -> None:
    await office.queue()
    ((claim,), _) = await office.post.store.outgoing.claim(time.time(), 10, {}, 3)
    assert claim.recipients[0].last_attempt is None
    assert await office.post.store.outgoing.claim(time.time(), 10, {}, 3) == ([], None)
    await office.post.store.outgoing.recover(time.time(), 60)
    assert await office.post.store.outgoing.claim(0.0, 10, {}, 3) == ([], office.recipients()[0]["due"])


async def test_the_urgent_leaves_first(office: Office) -> None:
    arrival = await office.post.store.prepare(CONTENT)
    for priority in (0, 0, 5, 1):
        await office.post.store.outgoing.add(
            arrival, "", [QueuedRecipient("zoe@far.test", "far.test")], account=1, origin="user", priority=priority
        )
    claims, _ = await office.post.store.outgoing.claim(time.time(), 10, {}, 20)
    assert [claim.queue_id for claim in claims] == [3, 4, 1, 2]


async def test_the_queue_is_listed_in_pages(office: Office) -> None:
    for n in range(5):
        await office.queue(f"a{n}@far.test", f"b{n}@near.test")
    outgoing = office.post.store.outgoing
    page = outgoing.list(limit=3)
    assert [item["id"] for item in page] == [1, 2, 3]
    assert [[r["address"] for r in item["recipients"]] for item in page][1] == ["a1@far.test", "b1@near.test"]
    assert [item["id"] for item in outgoing.list(after=3, limit=3)] == [4, 5]
    assert outgoing.count == 5


async def test_many_dead_domains_do_not_delay_a_living_one(office: Office) -> None:
    office.post.courier._transport = Transport("mail.example.test", Patience())
    dead = await office.post.mx("127.0.0.2", {"banner": hang})
    for n in range(15):
        office.post.zone.domain(f"dead{n}.test", "127.0.0.2")
    office.post.zone.domain("alive.test", "127.0.0.3")
    alive = await office.post.mx("127.0.0.3")
    arrival = await office.post.store.prepare(CONTENT)
    add = office.post.store.outgoing.add
    for n in range(15):
        queued = [QueuedRecipient(f"zoe@dead{n}.test", f"dead{n}.test")]
        await asyncio.gather(*(add(arrival, "", queued, account=1, origin="user") for _ in range(30)))
    runner = office.runner()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner_module, "GRACE", 0.0)
        async with supervise(runner):
            async with asyncio.timeout(PATIENCE):
                while dead.open < 2:
                    await asyncio.sleep(0)
            began = time.monotonic()
            await office.queue("zoe@alive.test")
            await alive.message()
            assert time.monotonic() - began < 10
    assert dead.most == 2


async def test_the_crowd_of_a_silent_domain_waits_together(office: Office) -> None:
    """Nobody listens at dead.test: after a few attempts all its mail is put off, and no attempt is counted for it."""
    mx = await office.post.stranger()
    office.post.zone.domain("dead.test", "127.0.0.4")
    for _ in range(60):
        await office.queue("zoe@dead.test")
    await office.queue()
    async with supervise(office.runner()):
        await mx.message()
        while any(r["attempts"] == 0 and r["due"] < time.time() + 60 for r in office.recipients()):
            await office.outcome()
    tried = [r["attempts"] for r in office.recipients()]
    assert max(tried) == 1 and 10 <= sum(tried) <= 40, "only those under way were tried"


async def test_a_full_queue_is_claimed_from_without_walking_through_it(office: Office) -> None:
    outgoing = office.post.store.outgoing
    for number in range(300):
        await office.queue(f"zoe@{'crowd' if number else 'other'}.test")
    await office.queue("zoe@late.test")
    claims, due = await outgoing.claim(1e12 - 1, 10, {"crowd.test": 20, "other.test": 20}, 20)
    assert [claim.domain for claim in claims] == ["late.test"] and due is None
    claims, due = await outgoing.claim(1e12 - 1, 10, {"crowd.test": 20, "other.test": 20}, 20)
    assert claims == [] and due is None, "nobody else waits"


async def test_a_held_message_is_not_in_the_way(office: Office) -> None:
    outgoing = office.post.store.outgoing
    first = await office.queue("zoe@held.test")
    await outgoing.hold(first, True)
    await outgoing.recover(time.time(), 3600.0)
    assert (await outgoing.claim(time.time() + 86400 * 365, 10, {}, 20))[0] == []
    await outgoing.hold(first, False)
    ((claim,), _) = await outgoing.claim(time.time() + 1, 10, {}, 20)
    assert claim.queue_id == first


def counted(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


async def test_attempts_are_counted_by_outcome_and_by_the_way_they_took(office: Office) -> None:
    relay = Relay("127.0.0.3", office.post.port, "none", None)
    office.post.courier._relays = Relays({"near.test": relay})
    await office.post.stranger({"RCPT": [b"451 4.3.0 later\r\n", b"550 5.1.1 who?\r\n", b"250 ok\r\n"]})
    await office.post.mx("127.0.0.3")
    seen = [("mx", "deferred"), ("mx", "failed"), ("mx", "sent"), ("route", "sent")]

    def totals() -> list[list[float]]:
        return [
            [
                counted("gk_delivery_attempts_total", destination=to, outcome=outcome),
                counted("gk_delivery_attempt_seconds_count", destination=to, outcome=outcome),
                counted("gk_queue_seconds_count", destination=to, outcome=outcome),
            ]
            for to, outcome in seen
        ]

    before = totals()
    await office.queue("a@far.test", "b@far.test", "c@far.test", "d@far.test", "yves@near.test")
    async with supervise(office.runner()):
        outcomes = [await office.outcome() for _ in range(5)]
    assert sorted(outcomes) == ["deferred", "failed", "sent", "sent", "sent"]
    grown = [[now - then for now, then in zip(*pair, strict=True)] for pair in zip(totals(), before, strict=True)]
    assert grown == [[1, 1, 0], [1, 1, 1], [2, 1, 2], [1, 1, 1]]


def test_the_labels_of_outgoing_mail_are_few() -> None:
    for metric in (metrics.attempts, metrics.attempt_seconds, metrics.queue_seconds):
        for family in metric.collect():
            for sample in family.samples:
                assert sample.labels["destination"] in ("mx", "route", "local")
                assert sample.labels["outcome"] in ("sent", "deferred", "failed")
