"""The filer as a service."""

import asyncio
from pathlib import Path

import pytest

from gk.store.filer import CROWD
from gk.store.rounds import Round, Rounds
from gk.store.verify import verify
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


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of filing each round did, from now on."""
    rounds: list[int] = []
    work = Rounds.work

    def noted(self: Rounds) -> Round:
        done = work(self)
        if done:
            rounds.append(len(done.rows))
        return done

    monkeypatch.setattr(Rounds, "work", noted)
    return rounds


async def test_mailboxes_that_come_and_go_by_the_thousand_hold_up_nobodys_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as store:
        account = store.accounts.get("alice@example.test").id
        for n in range(500):
            await store.mailboxes.create(account, f"Top/{n}")
        await store.filer.rest()
        rounds = counted(monkeypatch)
        await store.mailboxes.rename(account, "Top", "Other")
        for n in range(500):
            await store.mailboxes.delete(account, f"Other/{n}")
        await append(store, box(store), message(1))
        await store.filer.rest()
        assert sum(rounds) >= 1000 and len(rounds) <= 30
        assert verify(store.reader, tmp_path, content=True) == []


async def test_folders_that_change_names_do_so_together_where_they_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as store:
        account = store.accounts.get("alice@example.test").id
        for n in range(60):
            mailbox = await store.mailboxes.create(account, f"Top/{n}")
            await append(store, mailbox, message(n))
        await store.filer.rest()
        rounds = counted(monkeypatch)
        await store.mailboxes.rename(account, "Top", "Other")
        await store.filer.rest()
        assert sum(rounds) >= 60 and len(rounds) <= 10
        folder = tmp_path / "mail" / str(account)
        assert len(list(folder.glob(".Other.*"))) == 60 and not list(folder.glob(".Top.*"))
        for n in range(0, 60, 2):  # into each other's places, and then some go
            await store.mailboxes.rename(account, f"Other/{n}", "Between")
            await store.mailboxes.rename(account, f"Other/{n + 1}", f"Other/{n}")
            await store.mailboxes.rename(account, "Between", f"Other/{n + 1}")
        for n in range(50, 60):
            await store.mailboxes.delete(account, f"Other/{n}")
        await store.filer.rest()
        assert verify(store.reader, tmp_path, content=True) == []
        for n in range(50):
            mailbox = store.mailboxes.get(account, f"Other/{n}")
            (content,) = await store.mailboxes.contents(mailbox, [1])
            assert content is not None and content.whole() == message(n ^ 1)
