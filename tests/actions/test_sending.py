"""The actions that send, mail_send and mail_send_batch, and those on the suppression list."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gk import app
from gk.actions import registry
from gk.actions.context import Rooms
from gk.actions.registry import BadArguments, NotAllowed
from gk.config import Config, Limits
from gk.control.client import call
from gk.control.server import ControlServer
from gk.errors import NoSuchAccount, OverQuota, Refused
from gk.service import supervise

ALICE, BOB = "alice@example.test", "bob@example.test"


@pytest.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[Rooms]:
    config = Config(domains=("example.test",), data=tmp_path / "data", limits=Limits(free_space_bytes=0))
    async with app.rooms(config) as opened:
        for address in (ALICE, BOB):
            await opened.store.accounts.add(address, None)
        yield opened


async def as_admin(rooms: Rooms, action: str, **arguments: Any) -> Any:
    return await registry.run(action, arguments, rooms.context(frozenset({"admin"})))


async def as_user(rooms: Rooms, address: str, action: str, scope: str = "send", **arguments: Any) -> Any:
    context = rooms.context(frozenset({scope}), account=rooms.store.accounts.get(address))
    return await registry.run(action, arguments, context)


async def test_a_user_sends_in_the_users_name_only(rooms: Rooms) -> None:
    done = await as_user(rooms, ALICE, "mail_send", to=["zoe@far.test"], subject="hi", text="Hello.")
    assert done["status"] == "queued"
    assert rooms.store.outgoing.get(int(done["queue_id"]))["sender"] == ALICE
    assert (await as_user(rooms, ALICE, "mail_send", to=[BOB], account=ALICE.upper()))["status"] == "delivered"
    for action, arguments in (("mail_send", {"to": ["zoe@far.test"]}), ("mail_send_batch", {"messages": []})):
        with pytest.raises(NotAllowed):
            await as_user(rooms, ALICE, action, account=BOB, **arguments)
        with pytest.raises(NotAllowed):
            await as_user(rooms, ALICE, action, scope="read", **arguments)
        with pytest.raises(NotAllowed):
            await registry.run(action, {"account": ALICE, **arguments}, rooms.context(frozenset({"send"})))
    with pytest.raises(NotAllowed):
        await as_user(rooms, ALICE, "suppression_list")
    with pytest.raises(Refused, match="not an address of"):
        await as_user(rooms, ALICE, "mail_send", to=["zoe@far.test"], sender=BOB)


async def test_an_administrator_sends_for_the_account_that_is_named(rooms: Rooms) -> None:
    done = await as_admin(rooms, "mail_send", account=BOB, to=["zoe@far.test"])
    assert rooms.store.outgoing.get(int(done["queue_id"]))["sender"] == BOB
    with pytest.raises(BadArguments, match="account"):
        await as_admin(rooms, "mail_send", to=["zoe@far.test"])
    with pytest.raises(NoSuchAccount):
        await as_admin(rooms, "mail_send", account="eve@example.test", to=["zoe@far.test"])


@pytest.mark.parametrize(
    "arguments",
    [
        {"to": "zoe@far.test"}, {"to": [1]}, {"to": [None]}, {"to": ["zoe@far.test"], "headers": {"X-A": 1}},
        {"to": ["zoe@far.test"], "headers": []}, {"to": ["zoe@far.test"], "bulk": "yes"}, {"from": ALICE},
        {"to": ["zoe@far.test"], "subject": None}, {"to": ["zoe@far.test"], "text": "\ud800"},
        {"to": ["\ud800@far.test"]},
        {"to": []}, {"to": ["zoe@far.test"], "headers": {"Bcc": "yan@far.test"}},
        {"to": ["zoe@far.test"], "attachments": ["x"]}, {"to": ["zoe@far.test"], "attachments": [{"name": "x"}]},
        {"to": ["zoe@far.test"], "attachments": [{"name": "x", "content": 5}]},
        {"to": ["zoe@far.test"], "attachments": [{"name": "x", "content": "no base64"}]},
        {"to": ["zoe@far.test"], "attachments": [{"name": "x", "content": "YQ==\nYQ=="}]},
        {"to": ["zoe@far.test"], "attachments": [{"name": "x", "content": "é"}]},
        {"to": ["zoe@far.test"], "attachments": [{"name": "../x", "content": ""}]},
        {"to": ["zoe@far.test"], "attachments": [{"name": "\ud800", "content": ""}]},
        {"to": ["zoe@far.test"], "attachments": [{"name": "x", "content": "", "type": "message/rfc822"}]},
        {"to": ["zoe@far.test"], "attachments": [{"name": "x", "content": "", "size": "1"}]},
        {"to": ["zoe@far.test"], "attachments": [{"name": "x", "content": ""}] * 101},
    ],
)  # fmt: skip
async def test_arguments_that_make_no_message_are_refused(rooms: Rooms, arguments: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        await as_user(rooms, ALICE, "mail_send", **arguments)
    done = await as_user(rooms, ALICE, "mail_send_batch", messages=[arguments, {"to": ["zoe@far.test"]}])
    assert [r["status"] for r in done["results"]] == ["refused", "queued"]
    assert done["results"][0]["reason"]
    assert len(rooms.store.outgoing.list()) == 1


async def test_a_batch_has_a_thousand_messages_at_most_and_each_is_an_object(rooms: Rooms) -> None:
    with pytest.raises(BadArguments, match="1000"):
        await as_user(rooms, ALICE, "mail_send_batch", messages=[{}] * 1001)
    done = await as_user(rooms, ALICE, "mail_send_batch", messages=["x", {"to": [BOB]}, None])
    assert [r["status"] for r in done["results"]] == ["refused", "delivered", "refused"]


async def test_sending_over_the_control_socket_is_an_administrators(rooms: Rooms) -> None:
    where = rooms.store.data
    async with supervise(ControlServer(where / "gk.sock", rooms)):
        one = await asyncio.to_thread(call, where, "mail_send", {"account": ALICE, "to": ["zoe@far.test"]})
        assert one["status"] == "queued" and one["queue_id"] == "1"
        messages = [{"to": [f"u{n}@far.test"], "text": "x" * 100} for n in range(100)]
        many = await asyncio.to_thread(call, where, "mail_send_batch", {"account": ALICE, "messages": messages})
        assert [r["status"] for r in many["results"]] == ["queued"] * 100
        with pytest.raises(Refused, match="1 to 1000 recipients"):
            await asyncio.to_thread(call, where, "mail_send", {"account": ALICE, "to": []})


async def test_the_suppression_list_is_read_in_pages_and_changed(rooms: Rooms) -> None:
    await asyncio.gather(
        *(as_admin(rooms, "suppression_add", account=ALICE, address=f"u{n}@far.test") for n in range(1001))
    )
    first = await as_admin(rooms, "suppression_list", account=ALICE)
    assert len(first["entries"]) == 1000
    second = await as_admin(rooms, "suppression_list", account=ALICE, after=first["after"])
    assert second["after"] is None
    addresses = {entry["address"] for entry in (*first["entries"], *second["entries"])}
    assert addresses == {f"u{n}@far.test" for n in range(1001)}
    assert await as_admin(rooms, "suppression_list") == {"entries": [], "after": None}
    assert await as_admin(rooms, "suppression_remove", account=ALICE, address="U1@far.test") == {
        "removed": "u1@far.test"
    }
    for action, arguments in (
        ("suppression_remove", {"address": "u1@far.test", "account": ALICE}),
        ("suppression_remove", {"address": "u2@far.test"}),
        ("suppression_add", {"address": "nobody"}),
        ("suppression_add", {"address": "a@far.test", "reason": "two\nlines"}),
        ("suppression_add", {"address": "a@far.test", "account": "eve@example.test"}),
        ("suppression_list", {"after": "no number"}),
        ("suppression_list", {"after": "f" * 17}),
    ):
        with pytest.raises(Refused):
            await as_admin(rooms, action, **arguments)


async def test_what_is_sent_is_kept_read_in_sent_in_the_same_commit(rooms: Rooms) -> None:
    account, boxes = rooms.store.accounts.get(ALICE), rooms.store.mailboxes
    sent = boxes.get(account.id, "Sent")
    file = {"name": "été.txt", "content": "YQ==", "type": "text/plain"}
    message = {"to": ["zoe@far.test"], "bcc": ["yan@far.test"], "subject": "kept", "attachments": [file], "keep": True}
    assert (await as_user(rooms, ALICE, "mail_send", **message))["status"] == "queued"
    status = boxes.status(sent)
    assert (status.messages, status.unseen) == (1, 0)
    done = await as_user(rooms, ALICE, "mail_send_batch", messages=[message, message | {"keep": False}])
    assert [r["status"] for r in done["results"]] == ["queued", "queued"]
    assert boxes.status(sent).messages == 2
    assert (await as_user(rooms, ALICE, "mail_send", to=[BOB], keep=True))["status"] == "delivered"
    assert boxes.status(sent).messages == 3 and boxes.status(boxes.get(account.id, "INBOX")).messages == 0


async def test_what_finds_no_room_in_sent_is_not_sent(rooms: Rooms) -> None:
    account = rooms.store.accounts.get(ALICE)
    await rooms.store.accounts.set_quota(account.id, 100)
    with pytest.raises(OverQuota):
        await as_user(rooms, ALICE, "mail_send", to=["zoe@far.test"], keep=True)
    done = await as_user(rooms, ALICE, "mail_send_batch", messages=[{"to": ["zoe@far.test"], "keep": True}])
    assert done["results"][0]["reason"] == "the account is full"
    assert rooms.store.outgoing.list() == []
    assert (await as_user(rooms, ALICE, "mail_send", to=["zoe@far.test"]))["status"] == "queued"


async def test_without_a_mailbox_for_it_the_copy_is_in_the_inbox(rooms: Rooms) -> None:
    account, boxes = rooms.store.accounts.get(ALICE), rooms.store.mailboxes
    await boxes.delete(account.id, "Sent")
    assert (await as_user(rooms, ALICE, "mail_send", to=["zoe@far.test"], keep=True))["status"] == "queued"
    assert boxes.status(boxes.get(account.id, "INBOX")).unseen == 0
    assert boxes.status(boxes.get(account.id, "INBOX")).messages == 1
