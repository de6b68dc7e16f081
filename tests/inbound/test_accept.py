"""Accept over a real store: the header it makes, and one delivery for all recipients."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gk.accounts.aliases import Directory
from gk.bus import Bus
from gk.config import Config, Limits
from gk.inbound.accept import Accept, Looping
from gk.inbound.incoming import Incoming, Message
from gk.inbound.trace import Client
from gk.message.address import Address, parse_address
from gk.store.db import Store

CLIENT = Client("client.example.org", "192.0.2.1", True, None, False)
EVE = parse_address("eve@example.org")
ALIASES = {"sales@example.test": ("alice@example.test", "bob@example.test")}


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[tuple[Accept, Store]]:
    limits = Limits(free_space_bytes=1)
    config = Config(data=tmp_path / "data", domains=("example.test",), limits=limits)
    async with Store.open(config, Bus()) as store:
        for name in ("alice", "bob"):
            await store.accounts.add(f"{name}@example.test", None)
        directory = Directory(store.accounts, store.mailboxes, config.domains, ALIASES)
        yield Accept(store, directory, "mail.example.test", limits), store


def incoming(accept: Accept, *addresses: str, sender: Address | None = EVE) -> Incoming:
    parsed = [parse_address(address) for address in addresses]
    return Incoming("id1", CLIENT, sender, False, [(address, accept.recipient(address) or []) for address in parsed])


async def test_a_single_recipient_is_named(door: tuple[Accept, Store]) -> None:
    accept, _ = door
    head = accept.top(incoming(accept, "alice+tag@example.test"))
    fields = head.replace(b"\r\n\t", b" ").split(b"\r\n")
    assert fields[0] == b"Return-Path: <eve@example.org>"
    assert fields[1] == b"Delivered-To: alice+tag@example.test"
    assert b" for <alice+tag@example.test>;" in fields[2]
    assert fields[3:] == [b""]


async def test_with_several_recipients_nobody_is_named(door: tuple[Accept, Store]) -> None:
    accept, _ = door
    head = accept.top(incoming(accept, "alice@example.test", "bob@example.test", sender=None))
    assert b"alice" not in head
    assert b"bob" not in head
    assert b"Return-Path: <>" in head
    alias = accept.top(incoming(accept, "sales@example.test"))
    assert b"for <sales@example.test>" in alias
    assert b"Delivered-To" not in alias


async def test_a_looping_message_is_refused(door: tuple[Accept, Store]) -> None:
    accept, _ = door
    assert accept.cleaned(b"Received: x\r\n" * 50)
    with pytest.raises(Looping):
        accept.cleaned(b"Received: x\r\n" * 51)


async def test_one_message_is_stored_once_for_all_its_mailboxes(door: tuple[Accept, Store]) -> None:
    accept, store = door
    envelope = incoming(accept, "alice@example.test", "alice+x@example.test", "sales@example.test")
    await accept.deliver(envelope, Message(b"Subject: x\r\n\r\nbody\r\n"))
    rows = store.reader.execute("SELECT m.id, e.mailbox FROM entry e JOIN message m ON m.id = e.message").fetchall()
    assert len(rows) == 2
    assert len({message for message, _ in rows}) == 1
