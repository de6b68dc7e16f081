"""The warning to users whose mailbox is nearly full: once for each time it becomes so."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gk.events import MessageDelivered
from gk.inbound import quota
from gk.inbound.notices import Notices
from gk.inbound.quota import QuotaWatch
from gk.service import supervise
from tests.inbound.ruled import Ruled, letter, ruled

TEN = letter(body="".join("x" * 78 + "\r\n" for _ in range(128)))  # 10 KiB and a little


@pytest.fixture
async def gk(tmp_path: Path) -> AsyncIterator[Ruled]:
    async with ruled(tmp_path) as opened:
        await opened.store.accounts.set_quota(opened.account("alice"), 110 << 10)
        await opened.rule("alice", "always flag deleted")
        yield opened


def watching(gk: Ruled, percent: int = 90) -> QuotaWatch:
    return QuotaWatch(gk.store, Notices(gk.store, "mail.example.test"), gk.store.bus, percent)


async def warnings(gk: Ruled) -> list[bytes]:
    return [text for text in await gk.texts() if b"auto-generated" in text]


async def test_a_user_is_warned_once_when_the_mailbox_is_nearly_full(gk: Ruled) -> None:
    watch, alice = watching(gk), gk.account("alice")
    for count in range(1, 11):
        await gk.bring(TEN, "alice")
        await watch.look(alice)
        assert len(await warnings(gk)) == (count >= 10), count
    (text,) = await warnings(gk)
    assert b"Subject: Your mailbox is 93 % full\r\n" in text
    assert re.search(rb"Your mail takes 10\d\.\d KiB of 110\.0 KiB, 93 %\.", text)
    await watching(gk).look(alice)  # after a restart, too
    assert len(await warnings(gk)) == 1


async def test_the_warning_comes_again_after_room_was_made(gk: Ruled) -> None:
    watch, alice = watching(gk), gk.account("alice")
    inbox = gk.store.mailboxes.get(alice, "INBOX")
    for _ in range(2):
        for _ in range(10):
            await gk.bring(TEN, "alice")
        await watch.look(alice)
        await gk.store.mailboxes.expunge(inbox, None)
        await watch.look(alice)
    assert len(await warnings(gk)) == 2


async def test_a_little_more_or_less_repeats_no_warning(gk: Ruled) -> None:
    watch, alice = watching(gk), gk.account("alice")
    for _ in range(10):
        await gk.bring(TEN, "alice")
    for limit in (110, 115, 110, 117, 110):
        await gk.store.accounts.set_quota(alice, limit << 10)
        await watch.look(alice)
    assert len(await warnings(gk)) == 1


async def test_without_a_quota_or_a_mark_nobody_is_warned(gk: Ruled) -> None:
    for _ in range(10):
        await gk.bring(TEN, "alice")
        await gk.bring(TEN, "bob")
    await watching(gk, percent=0).look(gk.account("alice"))
    await watching(gk).look(gk.account("bob"))
    assert await warnings(gk) == []
    assert len(gk.places("bob")) == 10
    await gk.store.accounts.set_quota(7, 1)
    await watching(gk).look(7)  # nobody's


async def test_the_service_looks_at_whose_mail_changed(gk: Ruled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "PACE", 0)
    inbox = gk.store.mailboxes.get(gk.account("alice"), "INBOX")
    async with supervise(watching(gk)):
        for _ in range(10):
            await gk.bring(TEN, "alice")
        with gk.store.bus.subscribe(MessageDelivered) as delivered:
            async with asyncio.timeout(30):
                while not await warnings(gk):
                    await delivered.wait()
                    delivered.drain()
        await gk.store.mailboxes.expunge(inbox, None)
        await gk.store.accounts.remove("bob@example.test")
        gk.store.bus.publish(MessageDelivered(2, 1, 1))  # of an account that is gone
        with gk.store.bus.subscribe(MessageDelivered) as delivered:
            for _ in range(10):
                await gk.bring(TEN, "alice")
            async with asyncio.timeout(30):
                while len(await warnings(gk)) < 2:
                    await delivered.wait()
                    delivered.drain()
