"""Messages in mailboxes: append, deliver, flags, copy, move, expunge, as rows, files and events."""

import asyncio
import os
from pathlib import Path

import pytest

from gk import events
from gk.bus import Bus
from gk.errors import LimitReached, NoSuchMailbox
from gk.store.values import DELETED, FLAGGED, SEEN, Flags, Recipient
from tests.store.rooms import ALICE, BOB, LARGE, account, append, box, deliver, message, opened, read, state


def files(data: Path) -> list[str]:
    return sorted(str(p.relative_to(data / "mail")) for p in (data / "mail").rglob("cur/*"))


async def test_a_message_is_read_back_byte_for_byte_before_and_after_it_is_filed(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for content in (message(1), message(2, LARGE), b"no header\r\n", b"\r\n", b"\x00\xff\r\n.\r\n"):
            uid = await append(store, box(store), content)
            assert await read(store, box(store), uid) == content
            await store.filer.rest()
            assert await read(store, box(store), uid) == content


async def test_a_message_for_two_users_is_one_file_with_two_names(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        placed = await deliver(store, message(1), [ALICE, BOB])
        assert len(placed) == 2
        await store.filer.rest()
        inodes = {os.stat(tmp_path / "mail" / name).st_ino for name in files(tmp_path)}
        assert len(inodes) == 1
        assert [name.rpartition("/")[0] for name in files(tmp_path)] == ["1/cur", "2/cur"]


async def test_nothing_is_left_once_the_last_of_several_recipients_expunged_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await deliver(store, message(1, LARGE), [ALICE, BOB])
        await store.filer.rest()
        for address in (ALICE, BOB):
            mailbox = box(store, "INBOX", address)
            await store.mailboxes.store_flags(mailbox, [1], "add", Flags(DELETED))
            assert await store.mailboxes.expunge(mailbox, None) == [1]
        await store.filer.rest()
        assert files(tmp_path) == [] and list((tmp_path / "spool").iterdir()) == []
        assert store.reader.execute("SELECT count(*) FROM message").fetchone() == (0,)


async def test_uids_grow_and_are_never_given_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert [await append(store, box(store), message(i), Flags(DELETED)) for i in range(3)] == [1, 2, 3]
        assert await store.mailboxes.expunge(box(store), None) == [1, 2, 3]
    async with opened(tmp_path) as store:
        assert await append(store, box(store), message(4)) == 4


async def test_flags_and_keywords_are_in_the_file_name_where_others_read_them(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        uid = await append(store, box(store), message(1))
        await store.mailboxes.store_flags(box(store), [uid], "add", Flags(SEEN | FLAGGED, frozenset(["$later", "Two"])))
        await store.filer.rest()
        (name,) = files(tmp_path)
        assert name.endswith(f",S={len(message(1))}:2,FSab")
        keywords = (tmp_path / "mail" / "1" / "dovecot-keywords").read_text()
        assert keywords == "0 $later\n1 Two\n"
        await store.mailboxes.store_flags(box(store), [uid], "set", Flags(0, frozenset(["TWO"])))
        await store.filer.rest()
        assert files(tmp_path)[0].endswith(":2,b")
        assert (await state(store))["INBOX"]["uids"]["1"][1] == "Two", "the first spelling of a keyword stays"


async def test_store_tells_what_changed_since_and_changes_only_the_rest(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for i in range(3):
            await append(store, box(store), message(i))
        before = store.mailboxes.status(box(store)).modseq
        await store.mailboxes.store_flags(box(store), [2], "add", Flags(SEEN))
        left = await store.mailboxes.store_flags(box(store), [1, 2, 3], "add", Flags(FLAGGED), unchanged_since=before)
        assert left == [2]
        rows = store.mailboxes.rows(box(store), [1, 2, 3], ("flags", "modseq"))
        assert [row[1] for row in rows] == [FLAGGED, SEEN, FLAGGED]
        assert rows[1][2] == before + 1 and rows[0][2] == rows[2][2] == before + 2


async def test_a_change_that_changes_nothing_leaves_modseq_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await append(store, box(store), message(1), Flags(SEEN))
        before = store.mailboxes.status(box(store)).modseq
        await store.mailboxes.store_flags(box(store), [1], "add", Flags(SEEN))
        assert store.mailboxes.status(box(store)).modseq == before


async def test_flags_are_set_by_turns_without_mixing_them_up(tmp_path: Path) -> None:
    """Three kinds of rows in one STORE: what becomes B must not then become C."""
    async with opened(tmp_path) as store:
        for i, flags in enumerate((Flags(), Flags(SEEN), Flags(SEEN | FLAGGED), Flags(0, frozenset(["x"])))):
            await append(store, box(store), message(i), flags)
        await store.mailboxes.store_flags(box(store), [1, 2, 3, 4], "add", Flags(SEEN))
        found = (await state(store))["INBOX"]["uids"]
        assert [found[str(u)][1] for u in (1, 2, 3, 4)] == ["\\Seen", "\\Seen", "\\Flagged \\Seen", "\\Seen x"]


async def test_a_mailbox_takes_no_more_keywords_than_allowed(tmp_path: Path) -> None:
    async with opened(tmp_path, keywords=3) as store:
        await append(store, box(store), message(1), Flags(0, frozenset("abc")))
        with pytest.raises(LimitReached):
            await store.mailboxes.store_flags(box(store), [1], "add", Flags(0, frozenset("d")))
        await store.mailboxes.store_flags(box(store), [1], "add", Flags(0, frozenset("A")))
        assert store.mailboxes.keywords(box(store)) == ["a", "b", "c"]


async def test_a_copy_keeps_date_flags_and_identity(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await append(store, box(store), message(1), Flags(SEEN, frozenset(["k"])))
        old, new = await store.mailboxes.copy(box(store), [1, 9], box(store, "Archive"))
        assert (old, new) == ([1], [1])
        columns = ("message", "internaldate", "flags", "thread")
        there = store.mailboxes.rows(box(store, "Archive"), [1], columns)
        assert there == store.mailboxes.rows(box(store), [1], columns)


async def test_what_moves_before_it_is_filed_is_filed_where_it_went(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await append(store, box(store), message(1))
        await store.mailboxes.move(box(store), [1], box(store, "Archive"))
        await store.mailboxes.move(box(store, "Archive"), [1], box(store, "Junk"))
        await store.filer.rest()
        (name,) = files(tmp_path)
        assert name.startswith("1/.Junk/cur/")
        assert await read(store, box(store, "Junk"), 1) == message(1)


async def test_a_filed_message_copied_and_expunged_at_once_is_still_there(tmp_path: Path) -> None:
    """The copy is linked from a file whose removal waits for that."""
    async with opened(tmp_path) as store:
        await append(store, box(store), message(1), Flags(DELETED))
        await store.filer.rest()
        await store.mailboxes.copy(box(store), [1], box(store, "Archive"))
        await store.mailboxes.expunge(box(store), [1])
        assert await read(store, box(store, "Archive"), 1) == message(1)
        await store.filer.rest()
        assert [name.split("/cur/")[0] for name in files(tmp_path)] == ["1/.Archive"]
        assert await read(store, box(store, "Archive"), 1) == message(1)


async def test_a_file_left_by_a_round_that_was_killed_goes_with_its_message(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await append(store, box(store), message(1))
        await store.filer.rest()
        await append(store, box(store), message(2), Flags(DELETED))
        left = tmp_path / "mail/1/cur" / f"1700000000.G2U2,S={len(message(2))}:2,T"
        left.write_bytes(message(2))
        await store.mailboxes.expunge(box(store), None)
        await store.filer.rest()
        assert not left.exists() and len(files(tmp_path)) == 1


async def test_one_message_whose_file_somebody_took_away_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await append(store, box(store), message(1))
        await store.filer.rest()
        for name in files(tmp_path):
            (tmp_path / "mail" / name).unlink()
        await store.mailboxes.copy(box(store), [1], box(store, "Archive"))
        await append(store, box(store), message(2))
        await store.filer.rest()
        assert [name.split("U")[1][0] for name in files(tmp_path)] == ["2"]


async def test_mail_for_a_mailbox_deleted_meanwhile_goes_to_inbox(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        gone = box(store, "Archive")
        await store.mailboxes.delete(account(store).id, "Archive")
        placed = await store.deliver(await store.prepare(message(1)), [Recipient(account(store).id, gone.id, ALICE)])
        assert placed == [(box(store).id, 1)]
        with pytest.raises(NoSuchMailbox):
            await append(store, gone, message(2))


async def test_an_event_follows_each_commit(tmp_path: Path) -> None:
    bus = Bus()
    async with opened(tmp_path, bus) as store:
        kinds = (events.MessageDelivered, events.FlagsChanged, events.MessagesExpunged)
        with bus.subscribe(*kinds) as heard:
            await append(store, box(store), message(1))
            await store.mailboxes.store_flags(box(store), [1], "add", Flags(DELETED))
            await store.mailboxes.expunge(box(store), None)
            who, where = account(store).id, box(store).id
            assert heard.drain() == [
                events.MessageDelivered(who, where, 1),
                events.FlagsChanged(who, where, (1,)),
                events.MessagesExpunged(who, where, (1,)),
            ]


async def test_replies_share_a_thread_whichever_comes_first(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for number, fields in enumerate(({"In_Reply_To": "<9@example.org>"}, {}, {"References": "<9@example.org>"})):
            await append(store, box(store), message(9 if number == 1 else number, **fields))
        await append(store, box(store), message(7))
        threads = [row[1] for row in store.mailboxes.rows(box(store), [1, 2, 3, 4], ("thread",))]
        assert threads[0] == threads[1] == threads[2] != threads[3]


async def test_many_appends_at_once_are_committed_in_few_groups(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        arrivals = [await store.prepare(message(i)) for i in range(100)]
        uids = await asyncio.gather(*(store.mailboxes.append(box(store), [(a, Flags(), None)]) for a in arrivals))
        assert sorted(u for (u,) in uids) == list(range(1, 101))


async def test_a_cancelled_caller_does_not_undo_what_was_committed(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        arrival = await store.prepare(message(1, LARGE))
        task = asyncio.create_task(store.mailboxes.append(box(store), [(arrival, Flags(), None)]))
        while not store.commits._waiting:
            await asyncio.sleep(0)
        task.cancel()
        await append(store, box(store), message(2))
        assert await read(store, box(store), 1) == message(1, LARGE)


async def test_a_mailbox_is_shared_by_its_sessions_and_follows_every_change(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        snapshot = await store.mailboxes.open(box(store))
        assert await store.mailboxes.open(box(store)) is snapshot
        woken: list[int] = []
        snapshot.listeners.add(lambda: woken.append(len(snapshot)))
        for i in range(3):
            await append(store, box(store), message(i))
        view, length = snapshot.uids, len(snapshot.uids)
        await append(store, box(store), message(3))
        assert snapshot.uids is view and length == 3, "arrivals are appended in place"
        await store.mailboxes.store_flags(box(store), [2], "add", Flags(DELETED))
        await store.mailboxes.expunge(box(store), None)
        assert list(view) == [1, 2, 3, 4] and list(snapshot.uids) == [1, 3, 4], "an expunge replaces the array"
        assert woken == [1, 2, 3, 4, 4, 3]


async def test_a_large_mailbox_is_loaded_off_the_loop_without_missing_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gk.store.snapshots.LOADED_IN_LOOP", 10)
    async with opened(tmp_path) as store:
        arrivals = [(await store.prepare(message(i)), Flags(), None) for i in range(50)]
        await store.mailboxes.append(box(store), arrivals)
        late = [(await store.prepare(message(i)), Flags(), None) for i in range(5)]
        opening = [asyncio.create_task(store.mailboxes.open(box(store))) for _ in range(3)]
        changing = [asyncio.create_task(store.mailboxes.append(box(store), [one])) for one in late]
        snapshots = [await task for task in opening]
        for task in changing:
            await task
        assert snapshots[0] is snapshots[1] is snapshots[2]
        assert list(snapshots[0].uids) == list(range(1, 56))
