"""mail_search finds by words, author, time and flags, indexed or not, and in one's own mail only."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gk.actions import registry
from gk.errors import Refused
from gk.store.values import SEEN, Flags, When
from tests.flows.conftest import ALICE, BOB, House, house
from tests.inbound.spam.test_rules import message

NOON = 1_793_620_800  # 2026-11-02 12:00 UTC
DAY = 86_400


@pytest.fixture
async def gk(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as opened:
        yield opened


async def put(gk: House, text: str, *, box: str = "INBOX", day: int = 0, seen: bool = False, **fields: str) -> None:
    store = gk.rooms.store
    account = store.accounts.get(ALICE)
    arrival = await store.prepare(message(text, **fields))
    flags = Flags(SEEN if seen else 0)
    mailbox = store.mailboxes.get(account.id, box)
    await store.mailboxes.append(mailbox, [(arrival, flags, When(NOON + day * DAY))])


async def found(gk: House, *, by: str = "", **query: Any) -> list[str]:
    """The subjects of what is found."""
    rooms = gk.rooms
    context = rooms.context(frozenset({"read"}), account=rooms.store.accounts.get(by or ALICE))
    answer = await registry.run("mail_search", query, context)
    return [one["subject"] for one in answer["messages"]]


async def test_what_has_the_words_is_found_at_once_and_after_it_is_indexed(gk: House) -> None:
    await put(gk, "Voici la facture de novembre pour le toit", Subject="Facture", From="Acme <billing@acme.test>")
    await put(gk, "Lunch on Friday?", Subject="Lunch")
    await put(gk, "facture", Subject="Junk", box="Junk")
    assert await found(gk, text="facture") == ["Facture"]
    async for _ in _until_indexed(gk):
        assert await found(gk, text="facture") == ["Facture"]
    assert await found(gk, text="facture", mailbox="Junk") == ["Junk"]
    assert await found(gk, text="nothing like this") == []


async def _until_indexed(gk: House) -> AsyncIterator[None]:
    store = gk.rooms.store
    box = store.mailboxes.get(store.accounts.get(ALICE).id, "INBOX")
    unsure = 1
    while unsure:
        yield
        unsure = len((await store.search.words(box, "facture"))[1])


async def test_author_time_and_flags_narrow_it_and_the_newest_come_first(gk: House) -> None:
    for n in range(5):
        await put(gk, "text", Subject=f"ann {n}", From="Ann <ann@far.test>", day=n, seen=n % 2 == 0)
    await put(gk, "text", Subject="bob", From="=?utf-8?q?B=C3=B6b?= <bob@far.test>", day=9)
    assert await found(gk) == ["bob", "ann 4", "ann 3", "ann 2", "ann 1", "ann 0"]
    assert await found(gk, author="ANN@far") == ["ann 4", "ann 3", "ann 2", "ann 1", "ann 0"]
    assert await found(gk, author="böb") == ["bob"]
    assert await found(gk, author="ann", unread=True) == ["ann 3", "ann 1"]
    assert await found(gk, since="2026-11-04", before="2026-11-06") == ["ann 3", "ann 2"]
    assert await found(gk, limit=2) == ["bob", "ann 4"]
    assert await found(gk, flagged=True) == []


async def test_one_finds_ones_own_mail_only(gk: House) -> None:
    await put(gk, "a secret", Subject="secret")
    assert await found(gk, by=BOB, text="secret") == []
    with pytest.raises(Refused, match="another account"):
        await found(gk, by=BOB, text="secret", address=ALICE)
    with pytest.raises(Refused, match="name an address"):
        await gk.act("mail_search", text="secret")


async def test_what_cannot_be_is_refused(gk: House) -> None:
    for wrong, said in (({"limit": 0}, "1 to 200"), ({"limit": 201}, "1 to 200"), ({"since": "soon"}, "is no day")):
        with pytest.raises(Refused, match=said):
            await found(gk, **wrong)
