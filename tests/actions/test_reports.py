"""reports_list and reports_show: what others sent to the address that is named for it."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gk import app
from gk.actions import registry
from gk.actions.context import Rooms
from gk.config import Config, Limits, Reports
from gk.errors import Refused
from gk.mailauth import report_box
from gk.store.values import Recipient
from tests.mailauth.test_reports import JSON, XML, mailed

ALICE = "alice@example.test"
REPORTS = Reports(address=ALICE)


@pytest.fixture
async def rooms(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rooms]:
    chosen = getattr(request, "param", REPORTS)
    limits = Limits(free_space_bytes=0)
    async with app.rooms(
        Config(domains=("example.test",), data=tmp_path / "data", limits=limits, reports=chosen)
    ) as here:
        await here.store.accounts.add(ALICE, None)
        yield here


async def deliver(rooms: Rooms, *messages: bytes) -> None:
    account = rooms.store.accounts.get(ALICE)
    inbox = rooms.store.mailboxes.get(account.id, "INBOX")
    for message in messages:
        await rooms.store.deliver(await rooms.store.prepare(message), [Recipient(account.id, inbox.id, ALICE)])


async def test_reports_are_listed_newest_first_and_shown_whole(rooms: Rooms) -> None:
    context = rooms.context(frozenset({"admin"}))
    large = b"Subject: large\r\n\r\n" + b"x" * (300 << 10)
    await deliver(
        rooms, mailed(gzip.compress(XML)), b"Subject: hello\r\n\r\nHello.\r\n", large, mailed(b"\x1f\x8b damaged"),
        mailed(gzip.compress(JSON), "application/tlsrpt+gzip"),
    )  # fmt: skip
    found = await registry.run("reports_list", {}, context)
    assert found["damaged"] == 1
    assert [(row["id"], row["kind"], row["domains"], row["passed"], row["failed"]) for row in found["reports"]] == [
        (5, "tls", ["a.test"], 11, 2),
        (1, "dmarc", ["a.test"], 1, 3),
    ]
    assert found["reports"][1]["begin"] == "2026-11-19T00:00:00Z"
    assert (await registry.run("reports_list", {"domain": "B.test"}, context))["reports"] == []
    shown = await registry.run("reports_show", {"id": 1}, context)
    assert shown["summary"] == found["reports"][1] and shown["report"]["rows"][0]["source"] == "2001:db8::1"
    with pytest.raises(Refused, match="cannot be read"):
        await registry.run("reports_show", {"id": 4}, context)
    for number in (2, 77):
        with pytest.raises(Refused, match="no report"):
            await registry.run("reports_show", {"id": number}, context)


async def test_only_the_newest_messages_are_looked_at(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_box, "MESSAGES", 5)
    monkeypatch.setattr(report_box, "SLICE", 2)
    await deliver(rooms, *[mailed(XML, "text/xml")] * 8)
    found = await registry.run("reports_list", {}, rooms.context(frozenset({"admin"})))
    assert [row["id"] for row in found["reports"]] == [8, 7, 6, 5, 4]


@pytest.mark.parametrize("rooms", [Reports(), Reports(address="nobody@example.test")], indirect=True)
async def test_without_an_address_of_an_account_there_is_nothing_to_read(rooms: Rooms) -> None:
    with pytest.raises(Refused, match=r"reports\.address"):
        await registry.run("reports_list", {}, rooms.context(frozenset({"admin"})))
