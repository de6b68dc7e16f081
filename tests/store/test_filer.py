"""The filer as a service."""

import asyncio
from pathlib import Path

import pytest

from gk.store.filer import CROWD
from tests.store.rooms import append, box, message, opened


@pytest.mark.parametrize("turns", range(5))
async def test_a_stop_in_the_moment_it_is_hurried_is_still_a_stop(turns: int, tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.filer.rest()
        await append(store, box(store), message(1))
        await asyncio.sleep(0)  # it gathers company
        (task,) = [t for t in asyncio.all_tasks() if t.get_name() == store.filer.name]
        store.filer.wake(CROWD)
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(5):
            await asyncio.wait([task])


async def test_a_file_outlives_its_folder_as_long_as_a_copy_is_to_be_made_of_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        account = store.accounts.get("alice@example.test")
        old, between, new = [await store.mailboxes.create(account.id, name, None) for name in ("Old", "Between", "New")]
        uid = await append(store, old, message(1))
        await store.filer.rest()
        await store.mailboxes.move(old, [uid], between)
        await store.mailboxes.delete(account.id, "Old")
        await store.mailboxes.move(between, [1], new)  # the only file is still in the folder that is to go
        await store.filer.rest()
        (content,) = await store.mailboxes.contents(new, [1])
        assert content is not None and content.whole() == message(1)
        assert not (tmp_path / "mail" / str(account.id) / f".=m{old.id}").exists()


async def test_the_file_of_a_message_is_found_among_many_that_never_came_to_be(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        account = store.accounts.get("alice@example.test")
        inbox = box(store)
        passing, new = [await store.mailboxes.create(account.id, name, None) for name in ("Passing", "New")]
        uid = await append(store, inbox, message(1))
        await store.filer.rest()
        for _ in range(12):
            _, copied = await store.mailboxes.copy(inbox, [uid], passing)
            await store.mailboxes.move(passing, copied, inbox)
        uids = list((await store.mailboxes.open(inbox)).uids)
        await store.mailboxes.move(inbox, uids[1:], passing)
        await store.mailboxes.move(inbox, [uid], new)
        _, last = await store.mailboxes.move(new, [1], inbox)
        await store.mailboxes.delete(account.id, "Passing")
        await store.filer.rest()
        (content,) = await store.mailboxes.contents(inbox, last)
        assert content is not None and content.whole() == message(1)


async def test_a_moved_message_is_read_from_a_file_that_got_another_name_meanwhile(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        account = store.accounts.get("alice@example.test")
        old, new = [await store.mailboxes.create(account.id, name, None) for name in ("Old", "New")]
        uid = await append(store, old, message(1))
        others = [await store.mailboxes.create(account.id, f"Other {n}", None) for n in range(8)]
        for other in others:
            await append(store, other, message(2))
        await store.filer.rest()
        for other in others:  # each takes a round of its own
            await store.mailboxes.rename(account.id, other.name, f"{other.name}!")
        (file,) = (tmp_path / "mail" / str(account.id) / ".Old" / "cur").iterdir()
        file.rename(f"{file}S")  # as a round does that is not recorded yet
        await store.mailboxes.move(old, [uid], new)
        (content,) = await store.mailboxes.contents(new, [1])
        assert content is not None and content.whole() == message(1)
