"""Rows of answers: noted with the delivery, one commit for the answer and its state, stopped at once, bounded."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gk.bus import Bus
from gk.config import Replies, ReplyRule
from gk.errors import LimitReached
from gk.store.db import Store
from gk.store.replies import Caps, Job, Outcome, Superseded
from gk.store.values import ANSWERED, DELETED, Flags, Recipient
from tests.store.rooms import ALICE, BOB, account, append, box, configured, deliver, message, read

CAPS = Caps(100, 20, 7)
OUTCOME = Outcome("all", "draft", "support mail", "default", "small", 0.9, "Zoe@far.test")
ANSWER = message(99, From=ALICE)


@asynccontextmanager
async def opened(data: Path, *users: str, rules: bool = True) -> AsyncIterator[Store]:
    """A store where the mail of these users may be answered, or of all; triage is off."""
    config = configured(data)
    table = Replies(rules=(ReplyRule("all", users=users),) if rules else ())
    config = replace(config, replies=table, triage=replace(config.triage, enabled=False))
    async with Store.open(config, Bus()) as store:
        for address in (ALICE, BOB):
            if store.accounts.by_address(address) is None:
                await store.accounts.add(address, None)
        yield store


async def begun(store: Store, content: bytes | None = None) -> Job:
    """The job of a message just delivered to Alice, its first attempt begun."""
    await deliver(store, content or message(1))
    job = store.replies.ready(time.time(), 10)[-1]
    await store.replies.begin([job.id], time.time())
    return job


async def drafted(store: Store, job: Job, caps: Caps = CAPS) -> int:
    return await store.replies.draft(job, await store.prepare(ANSWER), OUTCOME, caps, time.time())


def states(store: Store) -> list[str]:
    return [row["state"] for row in store.replies.list(None, "", 0, 100)]


async def test_a_delivery_notes_what_may_be_answered_for_the_users_of_the_rules(tmp_path: Path) -> None:
    async with opened(tmp_path, ALICE.upper()) as store:
        await deliver(store, message(1), (ALICE, BOB))
        junk = Recipient(account(store).id, box(store).id, ALICE, use="\\Junk")
        await store.deliver(await store.prepare(message(2)), [junk])
        await append(store, box(store), message(3))
        assert [row["account"] for row in store.replies.list(None, "", 0, 100)] == [ALICE]
    async with opened(tmp_path, rules=False) as store:
        await deliver(store, message(4))
        assert len(states(store)) == 1


async def test_the_draft_its_keywords_and_the_state_are_one_commit(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        job = await begun(store)
        made = await drafted(store, job)
        (row,) = store.replies.of(job.message)
        assert (row["state"], row["made"], row["correspondent"]) == ("completed", made, "zoe@far.test")
        assert await read(store, box(store, "Drafts"), 1) == ANSWER
        with pytest.raises(Superseded, match="decided"):
            await drafted(store, job)
        assert store.mailboxes.status(box(store, "Drafts")).messages == 1
        await store.replies.recover()
        assert states(store) == ["completed"]


async def test_what_was_being_written_is_pending_again_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        job = await begun(store)
        assert not store.replies.ready(time.time(), 10)
    async with opened(tmp_path) as store:
        await store.replies.recover()
        (again,) = store.replies.ready(time.time(), 10)
        assert (again.id, again.attempts) == (job.id, 1)
        await store.replies.settle([(job.id, "pending", OUTCOME)], time.time() + 60)
        await store.replies.begin([job.id], time.time())
        await store.replies.settle([(job.id, "pending", OUTCOME)], time.time() + 60)
        assert not store.replies.ready(time.time(), 10) and store.replies.ready(time.time() + 61, 10)
        assert (store.replies.next_due() or 0) > time.time()


@pytest.mark.parametrize("flags", [ANSWERED, DELETED])
async def test_what_was_answered_or_removed_meanwhile_is_not_answered(tmp_path: Path, flags: int) -> None:
    async with opened(tmp_path) as store:
        job = await begun(store)
        await store.mailboxes.store_flags(box(store), [1], "add", Flags(flags))
        if flags == DELETED:
            assert store.replies.stands(job.account, job.message) is None
            await store.mailboxes.expunge(box(store), [1])
            assert states(store) == []
        with pytest.raises(Superseded):
            await drafted(store, job)
        assert store.mailboxes.status(box(store, "Drafts")).messages == 0


async def test_a_stop_keeps_answers_from_being_committed_until_it_ends(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        job = await begun(store)
        await store.replies.stop(account(store, BOB).id)
        assert not store.replies.stopped(job.account) and store.replies.stopped(account(store, BOB).id)
        await store.replies.stop()
        assert store.replies.changed.is_set()
        with pytest.raises(Superseded, match="stopped"):
            await drafted(store, job)
    async with opened(tmp_path) as store:
        assert store.replies.stopped()
        assert await store.replies.resume() == 1
        assert await store.replies.resume() == 0
        assert states(store) == ["skipped"] and not store.replies.stopped(job.account)
        assert store.replies.stopped(account(store, BOB).id)


async def test_no_more_are_written_in_an_hour_than_allowed(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for number in range(2):
            await drafted(store, await begun(store, message(number)), Caps(2, 20, 7))
        job = await begun(store, message(3))
        with pytest.raises(LimitReached, match="written_per_hour"):
            await drafted(store, job, Caps(2, 20, 7))
        assert store.replies.written(job.account, time.time() - 60) == 3
        assert store.replies.written(job.account, time.time() - 60, "zoe@far.test") == 2
        assert store.replies.written(job.account, time.time() + 60) == 0


async def test_one_sender_is_answered_once_in_days_and_only_so_many_in_an_hour(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        now = time.time()

        async def sent(to: str, caps: Caps) -> Job:
            job = await begun(store, message(int(now) % 1000))
            unit = store.replies.sent(job, replace(OUTCOME, action="send", correspondent=to), caps, now)
            await store.commits.do(lambda db, facts: unit(db, facts, 7))
            return job

        job = await sent("zoe@far.test", CAPS)
        assert store.replies.was_answered(job.account, "Zoe@far.test", now)
        assert not store.replies.was_answered(job.account, "zoe@far.test", now + 8 * 86_400)
        with pytest.raises(Superseded, match="lately"):
            await sent("zoe@far.test", CAPS)
        await sent("ann@far.test", Caps(100, 2, 7))
        with pytest.raises(LimitReached, match="sent_per_hour"):
            await sent("bob@far.test", Caps(100, 2, 7))
        assert not store.replies.was_answered(job.account, "bob@far.test", now)
        snapshot = await store.mailboxes.open(box(store))
        words = [snapshot.render(value).decode() for value in snapshot.flags]
        snapshot.close()
        assert [("$gk-answered" in text, "\\Answered" in text) for text in words] == [
            (True, True), (False, False), (True, True), (False, False),
        ]  # fmt: skip


async def test_a_thread_is_that_of_the_account_without_junk_and_drafts(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await deliver(store, message(1), (ALICE, BOB))
        for number, place in ((2, "INBOX"), (3, "Sent"), (4, "Junk"), (5, "Drafts"), (6, "Trash")):
            content = message(number, In_Reply_To="<1@example.org>")
            await append(store, box(store, place), content)
        await append(store, box(store, "INBOX", BOB), message(7, In_Reply_To="<1@example.org>"))
        thread, lines = store.replies.thread(account(store).id, 1, 10)
        assert thread == 1 and [line.message for line in lines] == [2, 3]
        assert [line.message for line in store.replies.thread(account(store).id, 1, 1)[1]] == [3]
        assert store.replies.thread(account(store, BOB).id, 2, 10) == (0, [])
        assert [line.message for line in store.replies.history(account(store).id, 0, 0, 10)] == [2, 1]


async def test_nothing_is_left_of_an_account_that_goes(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await drafted(store, await begun(store))
        await store.replies.stop(account(store).id)
        await store.accounts.remove(ALICE)
        assert store.reader.execute("SELECT count(*) FROM reply").fetchone() == (0,)
        assert store.reader.execute("SELECT count(*) FROM reply_stop").fetchone() == (0,)
