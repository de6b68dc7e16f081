"""The one door of outgoing mail: one commit for the queue and the mailboxes here, or nothing at all."""

import dataclasses
from pathlib import Path

import pytest

from gk import metrics
from gk.accounts.aliases import Directory
from gk.errors import NoSuchAccount, Overloaded
from gk.message.address import Address, parse_address
from gk.outbound.submit import Submit
from gk.store import outgoing as outgoing_module
from gk.store.db import Store
from gk.store.values import Account

CONTENT = b"From: alice@example.test\r\nSubject: hello\r\n\r\nHello.\r\n"
LARGE = CONTENT + (b"x" * 78 + b"\r\n") * 10_000


@dataclasses.dataclass
class To:
    address: Address
    notify: str | None = None
    orcpt: str | None = None


def to(*addresses: str, notify: str | None = None) -> list[To]:
    return [To(parse_address(address), notify) for address in addresses]


@pytest.fixture
async def alice(store: Store) -> Account:
    await store.accounts.add("bob@example.test", None)
    return await store.accounts.add("alice@example.test", None)


@pytest.fixture
def door(store: Store) -> Submit:
    aliases = {"all@example.test": ("alice@example.test", "bob@example.test")}
    return Submit(store, Directory(store.accounts, store.mailboxes, ("example.test",), aliases), "mail.example.test")


async def inbox(store: Store, address: str) -> list[bytes]:
    account = store.accounts.get(address)
    mailbox = store.mailboxes.get(account.id, "INBOX")
    uids = [row[0] for row in store.mailboxes.rows(mailbox, range(1, 100), ())]
    found = []
    for content in await store.mailboxes.contents(mailbox, uids):
        assert content is not None
        found.append(content.read())
        content.close()
    return found


def spooled(store: Store) -> list[Path]:
    return list((store.data / "spool").iterdir())


@pytest.mark.parametrize("content", [CONTENT, LARGE])
async def test_here_and_away_in_one_commit(store: Store, door: Submit, alice: Account, content: bytes) -> None:
    sender, local = parse_address("alice@example.test"), metrics.attempts.labels("local", "sent")
    before = local._value.get()
    queue_id = await door.submit(alice, sender, to("zoe@far.test", "bob@example.test", "all@example.test"), content)
    assert local._value.get() - before == 2
    (item,) = store.outgoing.list()
    assert queue_id == str(item["id"]) and [r["address"] for r in item["recipients"]] == ["zoe@far.test"]
    assert await inbox(store, "bob@example.test") == [b"Return-Path: <alice@example.test>\r\n" + content]
    assert len(await inbox(store, "alice@example.test")) == 1


@pytest.mark.parametrize("content", [CONTENT, LARGE])
async def test_mail_for_here_alone_leaves_nothing_in_the_queue(
    store: Store, door: Submit, alice: Account, content: bytes
) -> None:
    await store.filer.rest()
    spool = store.spool()
    await spool.write(content)
    assert await door.submit(alice, None, to("bob@example.test"), spool) == "delivered"
    assert store.outgoing.list() == [] and store.outgoing.count == 0
    assert await inbox(store, "bob@example.test") == [b"Return-Path: <>\r\n" + content]
    await store.filer.rest()
    assert spooled(store) == []


async def test_an_unknown_recipient_here_stops_it_all(store: Store, door: Submit, alice: Account) -> None:
    spool = store.spool()
    await spool.write(LARGE)
    with pytest.raises(NoSuchAccount):
        await door.submit(alice, None, to("zoe@far.test", "bob@example.test", "nobody@example.test"), spool)
    assert store.outgoing.list() == [] and await inbox(store, "bob@example.test") == []
    assert spooled(store) == []


async def test_a_full_queue_takes_nothing_more(store: Store, alice: Account, door: Submit) -> None:
    store.limits = dataclasses.replace(store.limits, queue_messages=2)
    for _ in range(2):
        await door.submit(alice, None, to("zoe@far.test"), CONTENT)
    with pytest.raises(Overloaded, match="queue is full"):
        await door.submit(alice, None, to("zoe@far.test", "bob@example.test"), LARGE)
    assert await inbox(store, "bob@example.test") == []
    assert spooled(store) == []
    await door.submit(alice, None, to("bob@example.test"), CONTENT)  # what stays here needs no queue
    await store.outgoing.remove(store.outgoing.newest())
    await door.submit(alice, None, to("zoe@far.test"), CONTENT)


async def test_the_queue_has_its_share_of_the_disk_and_no_more(
    store: Store, alice: Account, door: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    await door.submit(alice, None, to("zoe@far.test"), CONTENT)
    monkeypatch.setattr(outgoing_module, "DISK_SHARE", 1 << 60)
    with pytest.raises(Overloaded, match="share of the disk"):
        await door.submit(alice, None, to("zoe@far.test"), CONTENT)


async def test_the_room_in_the_queue_is_known_after_a_restart(store: Store, alice: Account, door: Submit) -> None:
    for _ in range(3):
        await door.submit(alice, None, to("zoe@far.test"), CONTENT)
    again = outgoing_module.Outgoing(store)
    again.begin()
    assert again.count == store.outgoing.count == 3
    assert again._bytes == store.outgoing._bytes == 3 * len(CONTENT)


async def test_who_asks_for_a_confirmation_gets_it_for_those_here(store: Store, door: Submit, alice: Account) -> None:
    sender = parse_address("alice@example.test")
    await door.submit(alice, sender, to("bob@example.test", notify="SUCCESS,FAILURE"), CONTENT, envid="Q1")
    (report,) = await inbox(store, "alice@example.test")
    assert b"\r\nAction: delivered\r\n" in report and b"Original-Envelope-Id: Q1\r\n" in report
    await door.submit(alice, sender, to("bob@example.test", notify="FAILURE"), CONTENT)
    assert len(await inbox(store, "alice@example.test")) == 1
