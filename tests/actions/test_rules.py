"""The actions on rules and absences: rule_list, rule_add, rule_remove, rule_test, vacation_show, _set and _off."""

import asyncio
import datetime
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gk import app
from gk.actions import registry, rule_test
from gk.actions.context import Attached, Rooms
from gk.actions.registry import NotAllowed
from gk.config import Config, Limits
from gk.errors import LimitReached, NoSuchAccount, Refused
from gk.store import scripts

ALICE, BOB = "alice@example.test", "bob@example.test"
MAIL = b"From: ann@far.test\nSubject: hello\n\nbody\n"


@pytest.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[Rooms]:
    config = Config(
        domains=("example.test",), data=tmp_path / "data", limits=Limits(free_space_bytes=0, rules=3)
    )  # fmt: skip
    async with app.rooms(config) as opened:
        for address in (ALICE, BOB):
            await opened.store.accounts.add(address, None)
        yield opened


async def act(rooms: Rooms, action: str, content: bytes = b"", user: str = "", **arguments: Any) -> Any:
    left = [content]

    async def take(length: int) -> bytes:
        piece, left[0] = left[0][:length], left[0][length:]
        return piece

    account = rooms.store.accounts.get(user) if user else None
    scopes = frozenset({"read", "settings"} if user else {"admin"})
    context = rooms.context(scopes, attached=Attached(take), account=account)
    return await registry.run(action, ({} if user else {"address": ALICE}) | arguments, context)


async def texts(rooms: Rooms) -> list[str]:
    return [rule["text"] for rule in (await act(rooms, "rule_list"))["rules"]]


async def test_rules_are_added_listed_and_removed(rooms: Rooms) -> None:
    assert await act(rooms, "rule_add", text="always flag one") == {"number": 1, "text": 'always flag "one"'}
    assert (await act(rooms, "rule_add", text="always flag three"))["number"] == 2
    assert (await act(rooms, "rule_add", text="always flag two", number=2))["number"] == 2
    assert await texts(rooms) == ['always flag "one"', 'always flag "two"', 'always flag "three"']
    listed = await act(rooms, "rule_list")
    assert listed["rules"][1]["rule"] == {"match": "all", "if": [], "then": [{"action": "flag", "value": "two"}]}
    assert await act(rooms, "rule_remove", number=2) == {"removed": 2}
    assert await texts(rooms) == ['always flag "one"', 'always flag "three"']
    assert (await act(rooms, "rule_list", address=BOB))["rules"] == []


async def test_the_active_script_is_named(rooms: Rooms) -> None:
    assert (await act(rooms, "rule_list"))["script"] is None
    account = rooms.store.accounts.get(ALICE).id
    await rooms.store.scripts.put(account, "main", "keep;")
    await rooms.store.scripts.activate(account, "main")
    assert (await act(rooms, "rule_list"))["script"] == "main"


async def test_rules_added_at_once_are_all_kept(rooms: Rooms) -> None:
    await asyncio.gather(*(act(rooms, "rule_add", text=f"always flag f{n}") for n in range(3)))
    assert sorted(await texts(rooms)) == [f'always flag "f{n}"' for n in range(3)]


@pytest.mark.parametrize(
    ("action", "arguments", "said"),
    [
        ("rule_add", {"text": "never"}, "that is no rule"),
        ("rule_add", {"text": 'always file "a//b"'}, "mailbox|name"),
        ("rule_add", {"text": "always stop", "number": 2}, "there are 0 rules"),
        ("rule_add", {"text": "always stop", "number": -1}, "there are 0 rules"),
        ("rule_remove", {"number": 1}, "there is no rule 1"),
        ("rule_remove", {"number": 0}, "there is no rule 0"),
        ("rule_test", {"script": "explode;"}, 'line 1, column 1: there is no command "explode"'),
        ("rule_test", {"sender": "x"}, "not an address"),
        ("vacation_set", {"text": " "}, "an answer has 1 to"),
        ("vacation_set", {"text": "x", "first": "tomorrow"}, "is no day"),
        ("vacation_set", {"text": "x", "first": "2026-12-24", "last": "2026-12-01"}, "ends before it begins"),
        ("vacation_set", {"text": "x", "days": 0}, "once in 1 to 365 days"),
        ("vacation_set", {"text": "x", "addresses": [1]}, "addresses are texts"),
        ("vacation_set", {"text": "x", "addresses": ["x"]}, "is no address"),
        ("vacation_set", {"text": "x", "subject": "a\r\nBcc: b"}, "a subject is one line"),
    ],
)
async def test_what_makes_no_sense_is_refused(rooms: Rooms, action: str, arguments: Any, said: str) -> None:
    with pytest.raises(Refused, match=said):
        await act(rooms, action, **arguments)


async def test_there_are_bounds(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        await act(rooms, "rule_add", text="always stop")
    with pytest.raises(LimitReached, match="at most 3 rules"):
        await act(rooms, "rule_add", text="always stop")
    await act(rooms, "rule_remove", number=1)
    monkeypatch.setattr(scripts, "RULES", 200)
    with pytest.raises(LimitReached, match="200 characters together"):
        await act(rooms, "rule_add", text=f'always file "{"x" * 200}"')
    monkeypatch.setattr(rule_test, "LARGEST", 100)
    with pytest.raises(LimitReached, match="100 bytes"):
        await act(rooms, "rule_test", content=b"x" * 200)


async def test_what_would_be_done_is_said_and_not_done(rooms: Rooms) -> None:
    await act(rooms, "rule_add", text='if subject is hello then file "New", flag seen, forward x@far.test, reply "No"')
    await act(rooms, "rule_add", text="if subject is bye then discard")
    found = await act(rooms, "rule_test", MAIL)
    assert found["filed"] == [{"mailbox": "New", "flags": ["\\Seen"]}]
    assert (found["redirected"], found["rejected"], found["answered"]) == (["x@far.test"], None, "No")
    assert found["error"] is None
    assert [(step["program"], step["result"]) for step in found["steps"]] == [("rule 1", True)] * 5 + [
        ("rule 2", False)
    ]
    assert rooms.store.mailboxes.find(rooms.store.accounts.get(ALICE).id, "New") is None
    assert rooms.store.outgoing.count == 0


async def test_a_script_is_tried_in_place_of_the_rules(rooms: Rooms) -> None:
    await act(rooms, "rule_add", text="always discard")
    script = 'require ["envelope", "reject"]; if envelope "from" "ann@far.test" { reject "No"; keep; }'
    found = await act(rooms, "rule_test", MAIL, script=script, sender="ann@far.test")
    assert found["error"] == "script: a rejection cannot stand together with other actions"
    assert found["filed"] == [{"mailbox": "INBOX", "flags": []}]


async def test_an_absence_is_set_shown_and_taken_back(rooms: Rooms) -> None:
    today = datetime.date.today()
    tomorrow = str(today + datetime.timedelta(days=1))
    assert (await act(rooms, "vacation_show"))["set"] is False
    done = await act(
        rooms, "vacation_set", text="Away", subject="Gone", first=str(today), last=str(today), days=3,
        addresses=["al@old.test"],
    )  # fmt: skip
    expected = {
        "address": ALICE, "set": True, "active": True, "text": "Away", "subject": "Gone", "first": str(today),
        "last": str(today), "days": 3, "addresses": ["al@old.test"],
    }  # fmt: skip
    assert done == expected == await act(rooms, "vacation_show")
    assert (await act(rooms, "vacation_set", text="Away", first=tomorrow))["active"] is False
    assert (await act(rooms, "vacation_off"))["set"] is False
    assert (await act(rooms, "vacation_show"))["set"] is False


async def test_users_decide_for_themselves_only(rooms: Rooms) -> None:
    await act(rooms, "rule_add", user=BOB, text="always flag bob")
    await act(rooms, "vacation_set", user=BOB, text="Away")
    assert await texts(rooms) == []
    assert len((await act(rooms, "rule_list", user=BOB))["rules"]) == 1
    for action, arguments in (
        ("rule_list", {}), ("rule_add", {"text": "always stop"}), ("rule_remove", {"number": 1}), ("rule_test", {}),
        ("vacation_show", {}), ("vacation_set", {"text": "x"}), ("vacation_off", {}),
    ):  # fmt: skip
        with pytest.raises(Refused, match="another account"):
            await act(rooms, action, user=BOB, **arguments | {"address": ALICE})
        with pytest.raises(NoSuchAccount):
            await act(rooms, action, **arguments | {"address": "nobody@example.test"})


async def test_they_need_their_scopes(rooms: Rooms) -> None:
    for action in ("rule_add", "rule_remove", "vacation_set", "vacation_off"):
        with pytest.raises(NotAllowed):
            await registry.run(action, {}, rooms.context(frozenset({"read"})))
    for action in ("rule_list", "rule_test", "vacation_show"):
        with pytest.raises(NotAllowed):
            await registry.run(action, {}, rooms.context(frozenset({"settings"})))


async def test_rules_of_another_version_can_be_seen_and_removed(rooms: Rooms) -> None:
    account = rooms.store.accounts.get(ALICE).id
    await rooms.store.scripts.set_rules(account, [{"then": "nonsense"}])
    assert await texts(rooms) == ['(not understood: "then" is a list)']
    with pytest.raises(Refused, match="is a list"):
        await act(rooms, "rule_test", MAIL)
    await act(rooms, "rule_remove", number=1)
    assert await texts(rooms) == []
