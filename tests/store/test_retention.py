"""What is kept for a time goes when that is over: Trash, Junk, talks, answers, backups; all else stays."""

import os
import time
from pathlib import Path

import pytest

from gk.config import Retention
from gk.store import conversations, retention
from gk.store.db import Store
from gk.store.retention import DAY, Retaining
from gk.store.values import Flags
from tests.store.rooms import opened

OLD = 40 * DAY


async def put(store: Store, account: int, mailbox: str, age: int) -> None:
    box = store.mailboxes.get(account, mailbox)
    arrival = await store.prepare(b"Subject: x\r\n\r\nx\r\n")
    (uid,) = await store.mailboxes.append(box, [(arrival, Flags(), None)])

    def work(db: object, facts: object) -> None:
        db.execute(  # type: ignore[attr-defined]
            "UPDATE entry SET saved = ? WHERE mailbox = ? AND uid = ?", (int(time.time()) - age, box.id, uid)
        )

    await store.commits.do(work)


def counts(store: Store, account: int) -> dict[str, int]:
    return {box.name: store.mailboxes.status(box).messages for box in store.mailboxes.list(account)}


async def test_old_mail_goes_from_trash_and_junk_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        account = (await store.accounts.add("ann@example.test", None)).id
        for mailbox in ("INBOX", "Trash", "Junk", "Archive"):
            for age in (OLD, 1):
                await put(store, account, mailbox, age)
        assert await Retaining(store, Retention()).clear() == 0, "nothing goes unless it is asked for"
        assert await Retaining(store, Retention(trash=30)).clear() == 1
        assert await Retaining(store, Retention(trash=30, junk=30)).clear() == 1
        found = counts(store, account)
        assert {name: found[name] for name in ("INBOX", "Trash", "Junk", "Archive")} == {
            "INBOX": 2, "Trash": 1, "Junk": 1, "Archive": 2,
        }  # fmt: skip


async def test_much_old_mail_goes_in_small_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "MOST", 3)
    monkeypatch.setattr(retention, "SLICE", 2)
    async with opened(tmp_path) as store:
        account = (await store.accounts.add("ann@example.test", None)).id
        for age in (*[OLD] * 7, 1):
            await put(store, account, "Trash", age)
        assert await Retaining(store, Retention(trash=30)).clear() == 7
        assert counts(store, account)["Trash"] == 1


async def test_notes_and_backups_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as store:
        now = time.time()
        for age in (OLD, 0):
            monkeypatch.setattr(conversations.time, "time", lambda age=age: now - age)
            await store.conversations.did(1, f"{age}", [])
        for name, age in (("old.db", OLD), ("new.db", 0)):
            path = store.data / "backup" / name
            path.write_bytes(b"x")
            os.utime(path, (now - age, now - age))
        await Retaining(store, Retention()).clear()
        assert [path.name for path in (store.data / "backup").iterdir()] == ["new.db"]
        assert store.reader.execute("SELECT words FROM effect").fetchall() == [("0",)]
        await Retaining(store, Retention(backups=0, conversations=0)).clear()
        assert (store.data / "backup/new.db").exists()
