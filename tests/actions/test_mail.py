"""The actions that move mail: mailbox_list, mailbox_add, mail_import, mail_index and mail_content."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gk import app
from gk.actions import registry
from gk.actions.context import Attached, Rooms
from gk.config import Config, Limits
from gk.control.client import call
from gk.control.server import ControlServer
from gk.errors import Refused
from gk.service import supervise
from gk.store.values import DELETED, Flags

ALICE = "alice@example.test"
ONE = b"Message-ID: <1@x>\r\nSubject: one\r\n\r\nbody\r\n"


@pytest.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[Rooms]:
    limits = Limits(free_space_bytes=0, message_bytes=2 << 20)
    config = Config(domains=("example.test",), data=tmp_path / "data", limits=limits)
    async with app.rooms(config) as opened:
        await opened.store.accounts.add(ALICE, None)
        yield opened


async def act(rooms: Rooms, action: str, content: bytes = b"", **arguments: Any) -> tuple[Any, bytes]:
    """The result, and what came beside it."""
    given: list[bytes] = []
    left = bytearray(content)

    async def take(length: int) -> bytes:
        piece = bytes(left[: min(length, 1000)])
        del left[: len(piece)]
        return piece

    async def give(piece: bytes) -> None:
        given.append(piece)

    context = rooms.context(frozenset({"admin"}), attached=Attached(take, give))
    return await registry.run(action, {"address": ALICE} | arguments, context), b"".join(given)


async def test_what_is_imported_is_indexed_and_given_back(rooms: Rooms) -> None:
    large = b"Subject: large\r\n\r\n" + b"0123456789\r\n" * 100_000
    messages = [
        {"size": len(ONE), "flags": "\\Seen work", "date": 5, "zone": 60}, {"size": len(large)},
    ]  # fmt: skip
    done, _ = await act(rooms, "mail_import", ONE + large, mailbox="INBOX", messages=messages)
    assert done == {"uids": [1, 2]}
    (first, second), _ = (await act(rooms, "mail_index", mailbox="inbox"))[0]["rows"], None
    assert first[0] == 1 and first[2] == len(ONE) and first[4:7] == [5, 60, "\\Seen work"] and len(first[7]) == 16
    assert second[0] == 2
    assert (await act(rooms, "mail_index", mailbox="INBOX", after=2))[0] == {"rows": []}
    told, content = await act(rooms, "mail_content", mailbox="INBOX", uids=[1, 2, 3])
    assert told == {"sizes": [len(ONE), len(large), None]} and content == ONE + large


async def test_pages_of_the_index_go_on_after_the_last(rooms: Rooms) -> None:
    for _ in range(3):
        messages = [{"size": len(ONE)}] * 900
        await act(rooms, "mail_import", ONE * 900, mailbox="INBOX", messages=messages)
    mailbox = rooms.store.mailboxes.get(1, "INBOX")
    await rooms.store.mailboxes.store_flags(mailbox, range(1, 1500), "add", Flags(DELETED))
    await rooms.store.mailboxes.expunge(mailbox, None)
    uids = [row[0] for row in (await act(rooms, "mail_index", mailbox="INBOX", after=1000))[0]["rows"]]
    assert uids == list(range(1500, 2701))


@pytest.mark.parametrize(
    ("messages", "content"),
    [
        ([], b""),
        ([{"size": 0}], b""),
        ([{"size": 5}], b"abc"),
        ([{"size": 3 << 20}], b""),
        ([{"size": 3}], b"a\nb"),
        ([{"size": 600_000}], b"a\n" * 300_000),
        ([{"size": 3, "flags": "\\Recent"}], b"abc"),
        ([{"size": 3, "flags": "a(b"}], b"abc"),
        ([{"size": 3, "date": -1}], b"abc"),
        ([{"size": 3, "zone": 5000}], b"abc"),
        ([{"size": "3"}], b"abc"),
        ([{"sise": 3}], b"abc"),
        (["abc"], b"abc"),
        ([{"size": 1}] * 1001, b"a" * 1001),
    ],
)
async def test_what_is_no_message_is_refused_and_leaves_nothing(rooms: Rooms, messages: Any, content: bytes) -> None:
    with pytest.raises(Refused):
        await act(rooms, "mail_import", content, mailbox="INBOX", messages=messages)
    assert (await act(rooms, "mail_index", mailbox="INBOX"))[0] == {"rows": []}
    assert os.listdir(rooms.store.data / "spool") == []


async def test_a_mailbox_is_made_once_and_listed(rooms: Rooms) -> None:
    made, _ = await act(rooms, "mailbox_add", mailbox="A/B")
    assert made["made"] and made["undo"][0]["action"] == "mailbox_remove"
    again = {"mailbox": "A/B", "made": False, "undo": []}
    assert (await act(rooms, "mailbox_add", mailbox="A/B", subscribe=False))[0] == again
    assert (await act(rooms, "mailbox_add", mailbox="inbox"))[0] == again | {"mailbox": "INBOX"}
    with pytest.raises(Refused, match="has the use"):
        await act(rooms, "mailbox_add", mailbox="C", special_use="\\Sent")
    with pytest.raises(Refused, match="special use is one of"):
        await act(rooms, "mailbox_add", mailbox="C", special_use="\\Odd")
    listed = (await act(rooms, "mailbox_list"))[0]["mailboxes"]
    assert [(m["name"], m["subscribed"]) for m in listed if m["name"].startswith("A")] == [
        ("A", False), ("A/B", True), ("Archive", True),
    ]  # fmt: skip


async def test_uids_that_are_none_are_refused(rooms: Rooms) -> None:
    for uids in ([0], ["1"], [1] * 101, [1 << 33]):
        with pytest.raises(Refused):
            await act(rooms, "mail_content", mailbox="INBOX", uids=uids)


async def test_attachments_go_over_the_socket_and_a_refusal_is_heard_behind_them(rooms: Rooms) -> None:
    where = rooms.store.data
    async with supervise(ControlServer(where / "gk.sock", rooms)):
        many = [{"size": len(ONE)}] * 500
        arguments = {"address": ALICE, "mailbox": "INBOX", "messages": many}
        await asyncio.to_thread(call, where, "mail_import", arguments, attached=[ONE] * 500)
        pieces: list[bytes] = []
        chosen = {"address": ALICE, "mailbox": "INBOX", "uids": [1, 2]}
        await asyncio.to_thread(call, where, "mail_content", chosen, take=pieces.append)
        assert pieces == [ONE, ONE]
        with pytest.raises(Refused, match="no account"):
            absent = arguments | {"address": "nobody@example.test"}
            await asyncio.to_thread(call, where, "mail_import", absent, attached=[b"x" * (8 << 20)])


async def test_half_an_attachment_is_nothing(rooms: Rooms) -> None:
    where = rooms.store.data
    async with supervise(ControlServer(where / "gk.sock", rooms)):
        reader, writer = await asyncio.open_unix_connection(str(where / "gk.sock"))
        arguments = {"address": ALICE, "mailbox": "INBOX", "messages": [{"size": 600_000}]}
        writer.write(
            json.dumps({"action": "mail_import", "arguments": arguments, "attached": 600_000}).encode() + b"\n"
        )
        writer.write(b"x" * 300_000)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
    assert (await act(rooms, "mail_index", mailbox="INBOX"))[0] == {"rows": []}
    assert os.listdir(rooms.store.data / "spool") == []
