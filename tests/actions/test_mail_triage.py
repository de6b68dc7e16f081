"""mail_triage: what a message is about, told to its owner and to nobody else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gk import app
from gk.actions import registry
from gk.actions.context import Rooms
from gk.ai.triaging import Triaging
from gk.config import Config, Limits
from gk.errors import Refused
from gk.events import MessageTriaged
from gk.service import supervise
from gk.store.triages import Result, packed
from gk.store.values import Recipient

ALICE, BOB = "alice@example.test", "bob@example.test"
CONTENT = (
    "From: Zoé <zoe@atelier.test>\r\nSubject: facture\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "Bonjour,\r\nLa facture n° 20771 de 350 € reste impayée malgré notre relance. Quand comptez-vous payer ?\r\nZoé\r\n"
).encode()


@pytest.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[Rooms]:
    config = Config(domains=("example.test",), data=tmp_path / "data", limits=Limits(free_space_bytes=0))
    async with app.rooms(config) as opened:
        for address in (ALICE, BOB):
            await opened.store.accounts.add(address, None)
        yield opened


async def deliver(rooms: Rooms, content: bytes) -> None:
    account = rooms.store.accounts.get(ALICE)
    inbox = rooms.store.mailboxes.get(account.id, "INBOX")
    await rooms.store.deliver(await rooms.store.prepare(content), [Recipient(account.id, inbox.id, ALICE)])


async def about(rooms: Rooms, id: str, as_: str) -> Any:
    context = rooms.context(frozenset({"read"}), account=rooms.store.accounts.get(as_))
    return await registry.run("mail_triage", {"id": id, "address": ""}, context)


async def test_a_reminder_is_billing_that_waits_for_an_answer(rooms: Rooms) -> None:
    await deliver(rooms, CONTENT)
    for id in ("G1", "INBOX/1"):
        found = await about(rooms, id, ALICE)
        assert (found["id"], found["category"], found["language"]) == ("G1", "billing", "fr")
        assert found["needs_response"]
        assert {"amount": "350 €", "order": "20771"}.items() <= {
            e["type"]: e["text"] for e in found["entities"]
        }.items()
        text = CONTENT.decode().replace("\r\n", "\n").partition("\n\n")[2].encode()
        words = [text[e["start"] : e["end"]].decode() for e in found["evidence"] if e["where"] == "text"]
        assert any("facture" in word or "impay" in word or "relance" in word for word in words)


async def test_nobody_is_told_of_other_peoples_messages(rooms: Rooms) -> None:
    await deliver(rooms, CONTENT)
    for id in ("G1", "INBOX/1", "G9"):
        with pytest.raises(Refused):
            await about(rooms, id, BOB)


async def test_what_was_judged_at_delivery_is_told_as_it_was(rooms: Rooms) -> None:
    await deliver(rooms, CONTENT)
    now = await about(rooms, "G1", ALICE)
    assert not now["stored"]
    with rooms.store.bus.subscribe(MessageTriaged) as heard:
        async with supervise(Triaging(rooms.store, marking=True)), asyncio.timeout(30):
            await anext(heard)
    assert await about(rooms, "G1", ALICE) == now | {"stored": True}


async def test_a_result_of_another_shape_is_judged_anew(rooms: Rooms) -> None:
    await deliver(rooms, CONTENT)
    older = packed({"category": "legal", "version": 0})
    await rooms.store.triages.keep([Result(1, older)])
    found = await about(rooms, "G1", ALICE)
    assert (found["category"], found["stored"]) == ("billing", False)


async def test_a_message_that_cannot_be_read_has_a_reason(rooms: Rooms) -> None:
    await deliver(rooms, b"\x00\xff\r\n\r\n")
    assert (await about(rooms, "G1", ALICE))["reason"] == "no text"
