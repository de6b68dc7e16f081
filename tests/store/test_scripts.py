"""Scripts, rules and absences as rows, and what runs remember."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gk.errors import LimitReached, NoSuchAccount, NoSuchScript, ScriptActive, ScriptExists
from gk.store import scripts
from gk.store.db import Store
from gk.store.scripts import Filing, ScriptName
from tests.store.rooms import ALICE, account, opened


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path / "data", scripts=3, rules=2) as made:
        yield made


async def test_a_script_is_kept_replaced_renamed_and_deleted(store: Store) -> None:
    room, ann = store.scripts, account(store).id
    await room.put(ann, "a", "keep;")
    await room.put(ann, "a", "# é\n")
    await room.put(ann, "b", "discard;")
    assert room.names(ann) == [ScriptName("a", 5, False), ScriptName("b", 8, False)]
    assert room.get(ann, "a") == "# é\n"
    await room.rename(ann, "a", "c")
    with pytest.raises(NoSuchScript):
        room.get(ann, "a")
    with pytest.raises(ScriptExists):
        await room.rename(ann, "b", "c")
    with pytest.raises(NoSuchScript):
        await room.rename(ann, "a", "d")
    await room.delete(ann, "c")
    with pytest.raises(NoSuchScript):
        await room.delete(ann, "c")
    assert room.names(account(store, "bob@example.test").id) == []


async def test_one_script_is_active_and_stays_until_another_is_or_none(store: Store) -> None:
    room, ann = store.scripts, account(store).id
    assert room.filing(ann).script is None
    await room.put(ann, "a", "keep;")
    await room.put(ann, "b", "discard;")
    await room.activate(ann, "a")
    assert room.filing(ann).script == "keep;"
    await room.put(ann, "a", "stop;")
    assert room.filing(ann).script == "stop;"
    await room.rename(ann, "a", "z")
    await room.activate(ann, "b")
    assert [(each.name, each.active) for each in room.names(ann)] == [("b", True), ("z", False)]
    with pytest.raises(ScriptActive):
        await room.delete(ann, "b")
    with pytest.raises(NoSuchScript):
        await room.activate(ann, "none")
    assert room.filing(ann).script == "discard;"
    await room.activate(ann, None)
    assert room.filing(ann).script is None


async def test_scripts_and_rules_are_counted(store: Store) -> None:
    room, ann = store.scripts, account(store).id
    for name in ("a", "b", "c"):
        await room.put(ann, name, "keep;")
    with pytest.raises(LimitReached):
        await room.put(ann, "d", "keep;")
    await room.put(ann, "c", "stop;")
    with pytest.raises(LimitReached):
        await room.set_rules(ann, [{}, {}, {}])


async def test_rules_and_absences_come_back_as_they_went(store: Store) -> None:
    room, ann = store.scripts, account(store).id
    rules = [{"if": ["é", 1], "then": None}, {}]
    await room.set_rules(ann, rules)
    await room.set_absence(ann, {"text": "away"})
    assert room.filing(ann) == Filing(tuple(rules), None, {"text": "away"})
    await room.set_rules(ann, [])
    await room.set_absence(ann, None)
    assert room.filing(ann) == Filing()


async def test_a_sender_is_answered_once_in_a_while(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    room, ann = store.scripts, account(store).id
    assert not room.was_answered(ann, "h", "x@example.org")
    assert await room.answer(ann, "h", "x@example.org", 60)
    assert not await room.answer(ann, "h", "X@Example.org", 60)
    assert room.was_answered(ann, "h", "x@example.org")
    assert await room.answer(ann, "other", "x@example.org", 60)
    assert await room.answer(ann, "h", "y@example.org", 60)
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    assert not room.was_answered(ann, "h", "x@example.org")
    assert await room.answer(ann, "h", "x@example.org", 60)


async def test_how_many_are_remembered_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "ANSWERED", 2)
    monkeypatch.setattr(scripts, "IDS", 2)
    room, ann = store.scripts, account(store).id
    assert [await room.answer(ann, "h", f"{who}@example.org", 60) for who in "abc"] == [True, True, False]
    await room.remember(ann, [("h", "first", 60, False), ("h", "second", 90, False)])
    await room.remember(ann, [("h", "third", 120, False)])
    assert [room.knows(ann, "h", id) for id in ("first", "second", "third")] == [False, True, True]


async def test_an_id_is_forgotten_in_time_unless_it_is_renewed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    room, ann = store.scripts, account(store).id
    start = time.time()
    ids = [("", "once", 100, False), ("", "again", 100, True)]
    await room.remember(ann, ids)
    monkeypatch.setattr(time, "time", lambda: start + 60)
    await room.remember(ann, ids)
    monkeypatch.setattr(time, "time", lambda: start + 120)
    assert not room.knows(ann, "", "once")
    assert room.knows(ann, "", "again")
    await room.remember(ann, ids)
    assert room.knows(ann, "", "once")
    assert not room.knows(ann, "other", "once")


async def test_nothing_stays_of_an_account_that_is_removed(store: Store) -> None:
    room, ann = store.scripts, account(store).id
    await room.put(ann, "a", "keep;")
    await room.set_rules(ann, [{}])
    await room.answer(ann, "h", "x@example.org", 60)
    await room.remember(ann, [("", "id", 60, False)])
    await store.accounts.remove(ALICE)
    for table in ("script", "rule", "absence", "answered", "seen_id"):
        assert store.reader.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    for write in (room.put(ann, "a", "keep;"), room.set_rules(ann, []), room.answer(ann, "h", "x@example.org", 1)):
        with pytest.raises(NoSuchAccount):
            await write
