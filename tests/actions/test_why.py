"""mail_why: the verdict on a message, told to its owner and to nobody else."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gk import app
from gk.actions import registry
from gk.actions.context import Rooms
from gk.config import Config, Limits
from gk.errors import NoSuchMailbox, Refused
from gk.store.values import Recipient
from gk.store.verdicts import packed

ALICE, BOB = "alice@example.test", "bob@example.test"
CONTENT = b"Return-Path: <x@y>\r\nFrom: Ann <ann@a.test>\r\nSubject: one\r\n\r\nbody\r\n"
FINDING = {
    "rule": "dmarc_decides", "score": 2.5, "text": "fail for a.test", "where": [20, 22], "asked": "_dmarc.a.test TXT",
    "answer": "v=DMARC1; p=reject",
}  # fmt: skip
EVIDENCE = {"action": "junk", "score": 2.5, "results": {"dmarc": ["fail"]}, "findings": [FINDING]}


@pytest.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[Rooms]:
    config = Config(domains=("example.test",), data=tmp_path / "data", limits=Limits(free_space_bytes=0))
    async with app.rooms(config) as opened:
        for address in (ALICE, BOB):
            await opened.store.accounts.add(address, None)
        yield opened


async def deliver(rooms: Rooms, *addresses: str, verdict: dict[str, Any] | None = EVIDENCE) -> str:
    """The EMAILID of a message in these INBOXes."""
    store = rooms.store
    accounts = [store.accounts.get(address) for address in addresses]
    targets = [Recipient(a.id, store.mailboxes.get(a.id, "INBOX").id, a.address) for a in accounts]
    await store.deliver(await store.prepare(CONTENT, verdict), targets)
    (number,) = store.reader.execute("SELECT max(id) FROM message").fetchone()
    return f"G{number}"


async def why(rooms: Rooms, id: str, *, as_: str = "", address: str = "") -> Any:
    account = rooms.store.accounts.get(as_) if as_ else None
    scopes = frozenset({"read"} if as_ else {"admin"})
    arguments = {"id": id, "address": address}
    return await registry.run("mail_why", arguments, rooms.context(scopes, account=account))


async def test_each_rule_is_shown_with_its_score_the_answer_and_the_bytes(rooms: Rooms) -> None:
    id = await deliver(rooms, ALICE)
    for found in (await why(rooms, id), await why(rooms, "INBOX/1", address=ALICE), await why(rooms, id, as_=ALICE)):
        assert (found["id"], found["action"], found["score"]) == (id, "junk", 2.5)
        assert [(place["mailbox"], place["uid"]) for place in found["places"]] == [("INBOX", 1)]
        assert found["findings"] == [FINDING | {"bytes": "From: Ann <ann@a.test>"}]


async def test_nobody_is_told_of_other_peoples_messages(rooms: Rooms) -> None:
    id = await deliver(rooms, ALICE)
    for attempt in (id, "INBOX/1"):
        with pytest.raises(Refused):
            await why(rooms, attempt, as_=BOB)
    with pytest.raises(Refused):
        await why(rooms, id, as_=BOB, address=ALICE)
    shared = await deliver(rooms, ALICE, BOB)
    assert [place["uid"] for place in (await why(rooms, shared, as_=BOB))["places"]] == [1]


@pytest.mark.parametrize("id", ["", "G", "G0", "G99", "G" + "9" * 40, "INBOX/", "INBOX/99", "INBOX/99999999999", "/1"])
async def test_what_is_no_message_is_refused(rooms: Rooms, id: str) -> None:
    await deliver(rooms, ALICE)
    with pytest.raises((Refused, NoSuchMailbox)):
        await why(rooms, id, address=ALICE)
    with pytest.raises(Refused):
        await why(rooms, id)


async def test_what_was_not_judged_is_said_to_be_so(rooms: Rooms) -> None:
    id = await deliver(rooms, ALICE, verdict=None)
    found = await why(rooms, id, as_=ALICE)
    assert (found["id"], found["action"], found["results"], found["findings"]) == (id, "unjudged", {}, [])
    assert [(place["mailbox"], place["uid"]) for place in found["places"]] == [("INBOX", 1)]


async def test_a_damaged_verdict_is_none(rooms: Rooms) -> None:
    for damaged in (b"", b"x", packed(EVIDENCE)[:-8]):
        id = await deliver(rooms, ALICE)
        statement, values = "UPDATE verdict SET content = ? WHERE message = ?", (damaged, int(id[1:]))
        await rooms.store.commits.do(lambda db, facts, s=statement, v=values: db.execute(s, v))
        assert (await why(rooms, id))["action"] == "unjudged"
