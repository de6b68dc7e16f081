"""An account elsewhere, at Dovecot, and the mailbox here that is in step with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gk.store.values import ANSWERED, FLAGGED, SEEN
from tests.dovecot import Dovecot, dovecot
from tests.inbound.remote.elsewhere import USES, Side, both, put
from tests.store.rooms import account, append, box, message, read


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Dovecot]:
    root = tmp_path / "dovecot"
    root.mkdir()
    with dovecot(root, uses=USES) as opened:
        yield opened


async def test_what_is_there_comes_here_once_and_with_its_flags(there: Dovecot, tmp_path: Path) -> None:
    async with both(tmp_path, there.port) as side:
        await side.there(put(message(1), message(2, size=700_000)))
        await side.there(put(message(3), flags="\\Seen \\Flagged"))
        assert (await side.sync()).new == 3
        assert await side.flags_here() == ["", "", "\\Flagged \\Seen"]
        assert await read(side.store, box(side.store, "Work"), 2) == message(2, size=700_000)
        assert (await side.sync()).new == 0
    async with both(tmp_path, there.port) as side:  # and after a restart
        await side.there(put(message(4)))
        assert (await side.sync()).new == 1
        assert len(await side.here()) == 4


async def test_flags_go_both_ways_and_come_to_rest(there: Dovecot, tmp_path: Path) -> None:
    async with both(tmp_path, there.port) as side:
        await side.there(put(message(1), message(2)))
        await side.sync()
        await side.flag(1, SEEN | ANSWERED)
        await side.there(lambda client: (client.select(), client.store("2", "+FLAGS", "\\Flagged")))
        done = await side.sync()
        assert (done.told, done.changed) == (1, 1)
        assert await side.flags_here() == ["\\Answered \\Seen", "\\Flagged"]
        assert [flags for _, flags in await side.shown()] == ["\\Answered \\Seen", "\\Flagged"]
        await side.flag(1, SEEN, "remove")
        await side.flag(2, FLAGGED, "remove")
        assert (await side.sync()).told == 2
        assert [flags for _, flags in await side.shown()] == ["\\Answered", ""]
        again = await side.sync()
        assert (again.told, again.changed) == (0, 0)


async def test_a_move_to_trash_archive_or_junk_is_one_there_and_back(there: Dovecot, tmp_path: Path) -> None:
    async with both(tmp_path, there.port) as side:
        await side.there(put(*map(message, range(4))))
        await side.sync()
        (in_trash,) = await side.move(1, "Trash")
        await side.move(2, "Archive")
        await side.move(3, "Junk")
        await side.sync()
        assert await side.subjects() == ["message 3"]
        for name, number in (("Trash", 0), ("Archive", 1), ("Junk", 2)):
            assert await side.subjects(name) == [f"message {number}"]
        await side.move(in_trash, "Work", source="Trash")
        await side.sync()
        assert sorted(await side.subjects()) == ["message 0", "message 3"]
        assert await side.subjects("Trash") == []
        assert len(await side.here()) == 2


async def test_what_is_deleted_here_goes_to_trash_there_and_from_there_for_good(there: Dovecot, tmp_path: Path) -> None:
    async with both(tmp_path, there.port) as side:
        await side.there(put(message(1), message(2), message(3)))
        await side.sync()
        work = box(side.store, "Work")
        await side.flag(1, 8)
        await side.store.mailboxes.expunge(work, None)
        (moved,) = await side.move(2, "Trash")
        await side.sync()
        assert await side.subjects() == ["message 3"]
        assert sorted(await side.subjects("Trash")) == ["message 1", "message 2"]
        await side.flag(moved, 8, mailbox="Trash")
        await side.store.mailboxes.expunge(box(side.store, "Trash"), None)
        await side.sync()
        assert await side.subjects("Trash") == ["message 1"]


async def test_what_vanishes_there_goes_to_trash_here_unless_it_was_touched_here(
    there: Dovecot, tmp_path: Path
) -> None:
    async with both(tmp_path, there.port) as side:
        await side.there(put(*map(message, range(3))))
        await side.sync()

        def delete(client: object) -> None:
            client.select()  # type: ignore[attr-defined]
            client.store("1:2", "+FLAGS", "\\Deleted")  # type: ignore[attr-defined]
            client.expunge()  # type: ignore[attr-defined]

        await side.there(delete)
        assert (await side.sync()).gone == 2
        assert [len(await side.here(name)) for name in ("Work", "Trash")] == [1, 2]
        assert (await side.sync()).new == 0


async def test_new_uids_for_old_mail_make_no_second_copy(there: Dovecot, tmp_path: Path) -> None:
    async with both(tmp_path, there.port) as side:
        await side.there(put(*map(message, range(5))))
        await side.sync()
        await side.flag(2, FLAGGED)
        (in_trash,) = await side.move(5, "Trash")
        await side.sync()
        before = await side.here()
        for path in there.mail.glob("dovecot*"):
            path.unlink()  # what the uids are written down in
        done = await side.sync()
        assert (done.new, done.again, done.gone) == (0, 4, 0)
        assert await side.here() == before
        await side.flag(1, SEEN)
        await side.sync()
        assert sorted(flags for _, flags in await side.shown()) == ["", "", "\\Flagged", "\\Seen"]
        assert [*await side.here("Trash")] == [str(in_trash)]


async def test_mail_that_stands_here_already_is_known_again(there: Dovecot, tmp_path: Path) -> None:
    async with both(tmp_path, there.port) as side:
        owner = account(side.store).id
        work = await side.store.mailboxes.create(owner, "Work")
        for number in range(3):
            await append(side.store, work, message(number))
        await side.there(put(*map(message, range(4))))
        done = await side.sync()
        assert (done.new, done.again) == (1, 3)
        assert len(await side.here()) == 4


async def test_the_other_folders_come_below_and_moves_between_them_stay_moves(there: Dovecot, tmp_path: Path) -> None:
    async with both(tmp_path, there.port, folders=("INBOX", "Archive", "Projets été")) as side:
        await side.there(lambda client: client.create('"Projets &AOk-t&AOk-"'))
        await side.there(put(message(1), message(2), message(3)))
        await side.there(put(message(4), mailbox='"Projets &AOk-t&AOk-"'))
        await side.sync()
        assert [len(await side.here(name)) for name in ("Work", "Work/Archive", "Work/Projets été")] == [3, 0, 1]
        await side.there(lambda client: (client.select(), client._simple_command("MOVE", "1", "Archive")))
        await side.sync()
        assert [len(await side.here(name)) for name in ("Work", "Work/Archive", "Trash")] == [2, 1, 0]
        await side.move(2, "Work/Projets été")
        await side.sync()
        assert await side.subjects() == ["message 3"]
        assert await side.subjects('"Projets &AOk-t&AOk-"') == ["message 4", "message 2"]
        assert (await side.sync()).new == 0
        assert [len(await side.here(name)) for name in ("Work", "Work/Archive", "Work/Projets été")] == [1, 1, 2]


async def test_a_message_moved_to_a_mailbox_of_ones_own_stays_there_and_does_not_come_again(
    there: Dovecot, tmp_path: Path
) -> None:
    async with both(tmp_path, there.port) as side:
        await side.there(put(message(1), message(2)))
        await side.sync()
        await side.store.mailboxes.create(account(side.store).id, "Mine")
        (uid,) = await side.move(1, "Mine")
        await side.flag(uid, SEEN, mailbox="Mine")
        for _ in range(2):
            assert (await side.sync()).new == 0
        assert await side.shown() == [("message 1", ""), ("message 2", "")]
        await side.move(uid, "Work", source="Mine")
        assert (await side.sync()).new == 0


async def test_a_mailbox_deleted_here_deletes_nothing_there(there: Dovecot, tmp_path: Path) -> None:
    async with both(tmp_path, there.port) as side:
        await side.there(put(message(1), message(2)))
        await side.sync()
        await side.store.mailboxes.rename(account(side.store).id, "Work", "Job")
        await side.there(put(message(3)))
        assert (await side.sync()).new == 1
        assert len(await side.here("Job")) == 3
        await side.store.mailboxes.delete(account(side.store).id, "Job")
        assert (await side.sync()).new == 3
        assert len(await side.subjects()) == len(await side.here()) == 3


async def test_the_server_tells_while_it_is_watched_and_so_does_this_side(there: Dovecot, tmp_path: Path) -> None:
    async with both(tmp_path, there.port, running=True) as side:
        await side.sync()
        await side.there(put(message(1)))
        await side.until(lambda: _count(side, 1))
        await side.flag(1, FLAGGED)
        await side.until(lambda: _shows(side, "\\Flagged"))
        await side.there(lambda client: (client.select(), client.store("1", "+FLAGS", "\\Seen")))
        await side.until(lambda: _here(side, ["\\Flagged \\Seen"]))
        (health,) = side.watching.health()
        assert health.synced and not health.error and health.messages == 1


async def _count(side: Side, number: int) -> bool:
    return len(await side.here()) == number


async def _shows(side: Side, flags: str) -> bool:
    return [found for _, found in await side.shown()] == [flags]


async def _here(side: Side, flags: list[str]) -> bool:
    return await side.flags_here() == flags


async def test_a_thread_is_found_by_references_and_by_the_subject_of_an_answer(there: Dovecot, tmp_path: Path) -> None:
    mails = [
        message(1, Subject="Offer"),
        message(2, Subject="Re: Offer", References="<1@example.org>"),
        message(3, Subject="AW: Offer"),
        message(4, Subject="Offer"),
        message(5, Subject="Other", In_Reply_To="<3@example.org>"),
    ]
    async with both(tmp_path, there.port) as side:
        await side.there(put(*mails))
        done = await side.sync()
        assert (done.conversations, done.senders) == (2, 1)
        rows = side.store.mailboxes.rows(box(side.store, "Work"), range(1, 6), ("thread",))
        threads = [thread for _, thread in rows]
        assert threads[0] == threads[1] == threads[2] == threads[4] != threads[3]


async def test_what_is_delivered_from_elsewhere_is_to_be_judged(there: Dovecot, tmp_path: Path) -> None:
    async with both(tmp_path, there.port) as side:
        await side.there(put(*map(message, range(45))))
        await side.sync()
        assert side.store.triages.waiting() == 45


async def test_the_same_message_twice_is_brought_once(there: Dovecot, tmp_path: Path) -> None:
    async with both(tmp_path, there.port) as side:
        await side.there(put(message(1), message(1), message(2)))
        done = await side.sync()
        assert (done.new, done.left) == (2, 1)
        await side.there(put(message(1)))
        done = await side.sync()
        assert (done.new, done.left) == (0, 1)


async def test_what_is_too_large_stays_there_alone(there: Dovecot, tmp_path: Path) -> None:
    async with both(tmp_path, there.port, limits={"message_bytes": 500_000}) as side:
        await side.there(put(message(1), message(2, size=600_000), message(3, size=400_000)))
        done = await side.sync()
        assert (done.new, done.left) == (2, 1)
        assert (await side.sync()).left == 0


async def test_two_accounts_share_a_trash_here_and_nothing_else(there: Dovecot, tmp_path: Path) -> None:
    root = tmp_path / "other"
    root.mkdir()
    with dovecot(root, uses=USES) as second:
        more = ({"name": "home", "address": "ann@home.test", "port": second.port},)
        async with both(tmp_path, there.port, others=more) as side:
            other = Side(side.store, side.watching, second.port)
            await side.there(put(message(1), message(2)))
            await other.there(put(message(1), message(3)))
            assert [(await side.sync()).new, (await side.sync("home")).new] == [2, 2]
            await side.move(1, "Trash")
            await side.move(1, "Trash", source="home")
            await side.sync()
            await side.sync("home")
            assert await side.subjects("Trash") == await other.subjects("Trash") == ["message 1"]
            assert (await side.subjects(), await other.subjects()) == (["message 2"], ["message 3"])


async def test_new_mail_comes_in_the_round_that_tells_of_a_change_in_trash(there: Dovecot, tmp_path: Path) -> None:
    async with both(tmp_path, there.port) as side:
        await side.there(put(message(1), message(2)))
        await side.sync()
        (uid,) = await side.move(1, "Trash")
        await side.sync()
        await side.flag(uid, FLAGGED, mailbox="Trash")
        await side.there(put(message(3)))
        done = await side.sync()
        assert (done.new, done.told) == (1, 1)
        assert await side.shown("Trash") == [("message 1", "\\Flagged")]
        work = box(side.store, "Work")
        assert await read(side.store, work, 3) == message(3)
