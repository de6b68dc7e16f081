"""verify finds what is wrong; reindex rebuilds the index from the Maildir alone."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from gk.errors import ConfigError
from gk.store.content import Damaged
from gk.store.directory import connect_reader, lock
from gk.store.reindex import reindex
from gk.store.salvage import Summary
from gk.store.scripts import Filing
from gk.store.values import FLAGGED, SEEN, Flags
from gk.store.verify import verify
from tests.store.rooms import LARGE, account, append, box, deliver, message, opened, read, state


async def filled(data: Path) -> dict[str, object]:
    """Some mail of every kind, filed; its state."""
    async with opened(data) as store:
        await deliver(store, message(1), ["alice@example.test", "bob@example.test"])
        await append(store, box(store), message(2, LARGE), Flags(SEEN, frozenset(["$k", "Other"])))
        mailbox = await store.mailboxes.create(account(store).id, "Été/2026 & co")
        await append(store, mailbox, message(3), Flags(FLAGGED))
        await append(store, mailbox, message(4))
        await store.mailboxes.copy(mailbox, [1], box(store, "Archive"))
        await store.filer.rest()
        return await state(store)


def rebuilt(data: Path) -> Summary:
    held = lock(data)
    try:
        return reindex(data)
    finally:
        os.close(held)


def problems(data: Path) -> list[str]:
    db = connect_reader(data)
    try:
        return [p.kind for p in verify(db, data, content=True)]
    finally:
        db.close()


async def test_without_its_database_the_store_comes_back_from_the_folders(tmp_path: Path) -> None:
    before = await filled(tmp_path)
    for name in ("gk.db", "gk.db-wal", "gk.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    summary = rebuilt(tmp_path)
    assert summary.messages == 6 and "password" in summary.lost[0]
    assert problems(tmp_path) == []
    async with opened(tmp_path) as store:
        after = await state(store)
        for name, mailbox in before.items():
            if mailbox["uids"]:  # type: ignore[index]
                assert after[name]["uids"] == mailbox["uids"], name  # type: ignore[index]
                assert after[name]["validity"] == mailbox["validity"]  # type: ignore[index]
                assert after[name]["next"] > mailbox["next"], "uids not seen here may have been given"  # type: ignore[index]
        assert [m.special_use for m in store.mailboxes.list(account(store).id) if m.name == "Archive"] == ["\\Archive"]


async def test_a_sound_store_is_not_changed_by_reindex(tmp_path: Path) -> None:
    before = await filled(tmp_path)
    summary = rebuilt(tmp_path)
    assert (summary.adopted, summary.dropped, summary.lost) == (0, 0, [])
    async with opened(tmp_path) as store:
        assert await state(store) == before


async def test_what_another_program_did_to_the_folders_is_taken_in(tmp_path: Path) -> None:
    await filled(tmp_path)
    cur = tmp_path / "mail/1/cur"
    first, second = sorted(cur.iterdir())
    first.rename(f"{first}FS")
    second.unlink()
    (tmp_path / "mail/1/new/1700000000.M1P1.host").write_bytes(b"Subject: foreign\n\nfrom elsewhere\n")
    for sub in ("cur", "new", "tmp"):
        (tmp_path / "mail/1/.Foreign.Sub" / sub).mkdir(parents=True)
    (tmp_path / "mail/1/.Foreign.Sub/cur/1700000001.x:2,S").write_bytes(b"Subject: two\r\n\r\nbody\r\n")
    summary = rebuilt(tmp_path)
    assert (summary.adopted, summary.dropped) == (2, 1)
    async with opened(tmp_path) as store:
        found = await state(store)
        assert [entry[1] for entry in found["INBOX"]["uids"].values()] == ["$k Other \\Flagged \\Seen", ""]
        assert await read(store, box(store), 3) == b"Subject: foreign\r\n\r\nfrom elsewhere\r\n"
        assert [entry[1] for entry in found["Foreign/Sub"]["uids"].values()] == ["\\Seen"]
        await store.filer.rest()
    assert problems(tmp_path) == []


async def test_a_damaged_database_is_set_aside_and_what_was_not_filed_is_saved(tmp_path: Path) -> None:
    await filled(tmp_path)
    async with opened(tmp_path) as store:
        await store.accounts.set_password(account(store).id, "kept")
        await store.accounts.set_quota(account(store).id, 1 << 40)
        await store.sending.suppress(account(store).id, "zoe@far.test", "asked for it")
        hashed = store.sending.hash(account(store).id, "zoe@far.test")
        await store.scripts.put(account(store).id, "main", "keep;")
        await store.scripts.activate(account(store).id, "main")
        await store.scripts.set_rules(account(store).id, [{"one": 1}])
        await store.scripts.set_absence(account(store).id, {"text": "away"})
        assert await store.scripts.answer(account(store).id, "h", "zoe@far.test", 3600)
        await append(store, box(store), message(5))  # stays in the journal: the store closes before it is filed
    with sqlite3.connect(tmp_path / "gk.db") as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entry_message'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    with (tmp_path / "gk.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    summary = rebuilt(tmp_path)
    assert any("damaged" in line for line in summary.lost)
    assert list((tmp_path / "backup").glob("gk-damaged-*.db"))
    async with opened(tmp_path) as store:
        assert store.accounts.password_hash(account(store).id) == "kept"
        assert store.accounts.usage(account(store).id).size_limit == 1 << 40
        assert store.sending.hash(account(store).id, "zoe@far.test") == hashed
        assert [s.address for s in store.sending.suppressions(account(store).id, None, 10)] == ["zoe@far.test"]
        assert store.scripts.filing(account(store).id) == Filing(({"one": 1},), "keep;", {"text": "away"})
        assert store.scripts.was_answered(account(store).id, "h", "zoe@far.test")
        contents = [await read(store, box(store), int(u)) for u in (await state(store))["INBOX"]["uids"]]
        assert message(5) in contents and message(1) in contents


async def test_a_database_that_is_none_is_said_to_be_damaged_with_the_remedy(tmp_path: Path) -> None:
    await filled(tmp_path)
    (tmp_path / "gk.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(ConfigError, match="gk reindex"):
        async with opened(tmp_path):
            pass
    rebuilt(tmp_path)
    assert problems(tmp_path) == []


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (_flip, "file-damaged"),
        (Path.unlink, "file-missing"),
        (lambda path: os.truncate(path, 10), "file-size"),
        (lambda path: shutil.copy(path, path.with_name(path.name.replace("U1,", "U77,"))), "unknown-file"),
    ],
)
async def test_verify_names_what_is_wrong_and_nothing_wrong_is_served(
    harm: Callable[[Path], object], kind: str, tmp_path: Path
) -> None:
    await filled(tmp_path)
    harm(next((tmp_path / "mail/1/.Archive/cur").iterdir()))
    assert kind in problems(tmp_path)
    async with opened(tmp_path) as store:
        if kind == "unknown-file":
            assert await read(store, box(store, "Archive"), 1) == message(3)
        else:
            with pytest.raises(Damaged):
                await read(store, box(store, "Archive"), 1)
        assert await read(store, box(store), 1) == message(1), "the rest is served"


async def test_verify_sees_counters_and_uids_that_are_wrong(tmp_path: Path) -> None:
    await filled(tmp_path)
    with sqlite3.connect(tmp_path / "gk.db") as db:
        db.execute("UPDATE mailbox SET messages = 7, uidnext = 1 WHERE name = 'INBOX' AND account = 1")
        db.execute("DELETE FROM header WHERE message = 1")
    db.close()
    assert {"counters", "uidnext", "header-missing"} <= set(problems(tmp_path))
