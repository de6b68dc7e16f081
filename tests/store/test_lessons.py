"""What users do with mail becomes lessons, in the commit that does it; lessons become counts, once each."""

from pathlib import Path

from gk.store.db import Store
from gk.store.lessons import BASE, Lesson, Totals
from gk.store.values import ANSWERED, SEEN, Flags
from tests.store.rooms import account, append, box, message, opened


def lessons(store: Store) -> list[tuple[int, bool]]:
    """(message, junk) of those that are open."""
    return [(one.message, one.junk) for one in store.lessons.open(100)]


async def test_moves_in_and_out_of_junk_are_lessons(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        inbox, junk, trash = box(store), box(store, "Junk"), box(store, "Trash")
        uids = [await append(store, inbox, message(n)) for n in range(3)]
        _, moved = await store.mailboxes.move(inbox, uids, junk)
        assert lessons(store) == [(1, True), (2, True), (3, True)]
        await store.mailboxes.move(junk, moved[:1], inbox)
        assert lessons(store) == [(1, False), (2, True), (3, True)]
        await store.mailboxes.move(junk, moved[1:2], trash)
        assert lessons(store) == [(1, False), (2, True), (3, True)], "throwing away says nothing"


async def test_filing_and_answering_say_wanted(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        inbox, archive = box(store), box(store, "Archive")
        uids = [await append(store, inbox, message(n)) for n in range(3)]
        await store.mailboxes.store_flags(inbox, uids[1:2], "add", Flags(ANSWERED))
        await store.mailboxes.store_flags(inbox, uids, "add", Flags(SEEN))
        await store.mailboxes.copy(inbox, uids[:1], archive)
        assert lessons(store) == [(1, False), (2, False)]
        await store.mailboxes.store_flags(inbox, uids[2:], "add", Flags(0, frozenset({"$Junk"})))
        assert lessons(store)[2] == (3, True)
        await store.mailboxes.store_flags(inbox, uids[2:], "remove", Flags(0, frozenset({"$Junk"})))
        assert lessons(store)[2] == (3, True), "taking a word away says nothing"
        await store.mailboxes.store_flags(inbox, uids[2:], "add", Flags(0, frozenset({"NonJunk"})))
        assert lessons(store)[2] == (3, False)


async def test_a_lesson_is_learnt_once_and_can_be_taken_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        inbox, junk = box(store), box(store, "Junk")
        me = account(store).id
        uid = await append(store, inbox, message(1))
        _, (moved,) = await store.mailboxes.move(inbox, [uid], junk)
        (lesson,) = store.lessons.open(10)
        assert lesson == Lesson(me, 1, junk=True, before=None)
        assert await store.lessons.learn(lesson, [7, 8])
        assert not await store.lessons.learn(lesson, [7, 8]), "not twice"
        assert store.lessons.counts(me, [7, 8, 9]) == {7: (1, 0), 8: (1, 0)}
        assert store.lessons.totals(me) == Totals(1, 0) and not lessons(store)
        await store.mailboxes.move(junk, [moved], inbox)
        (lesson,) = store.lessons.open(10)
        assert lesson.before is True and await store.lessons.learn(lesson, [7, 8])
        assert store.lessons.counts(me, [7, 8, 9]) == {7: (0, 1), 8: (0, 1)}
        assert store.lessons.totals(me) == Totals(0, 1)


async def test_a_lesson_that_changed_meanwhile_is_not_learnt(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        inbox, junk = box(store), box(store, "Junk")
        _, (moved,) = await store.mailboxes.move(inbox, [await append(store, inbox, message(1))], junk)
        (lesson,) = store.lessons.open(10)
        await store.mailboxes.move(junk, [moved], inbox)
        assert not await store.lessons.learn(lesson, [7])
        assert store.lessons.counts(account(store).id, [7]) == {}


async def test_lessons_and_counts_outlive_a_stop_and_go_with_what_they_are_of(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        inbox, junk = box(store), box(store, "Junk")
        uids = [await append(store, inbox, message(n)) for n in range(2)]
        _, moved = await store.mailboxes.move(inbox, uids, junk)
        await store.lessons.learn(store.lessons.open(1)[0], [7])
        await store.lessons.teach_base("junk", {7: 3, 8: 1}, 3)
    async with opened(tmp_path) as store:
        me = account(store).id
        assert store.lessons.totals(me) == Totals(1, 0)
        assert lessons(store) == [(2, True)] and store.lessons.waiting() == 1
        assert store.lessons.base() == ([(7, 3, 0), (8, 1, 0)], Totals(3, 0))
        await store.mailboxes.store_flags(junk, moved, "add", Flags(8))
        await store.mailboxes.expunge(junk, moved)
        assert lessons(store) == []
        await store.lessons.forget(BASE)
        assert store.lessons.base() == ([], Totals())
        await store.accounts.remove("alice@example.test")
        assert store.lessons.counts(me, [7]) == {}


async def test_moving_a_whole_archive_teaches_a_bounded_lot(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        inbox, archive = box(store), box(store, "Archive")
        arrival = await store.prepare(message(1))
        await store.mailboxes.append(inbox, [(arrival, Flags(), None)] * 1200)
        await store.mailboxes.move(inbox, range(1, 1201), archive)
        assert len(store.lessons.open(5000)) == 1000
