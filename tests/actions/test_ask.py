"""ask: questions answered from the store, with the messages the answer speaks of; nothing changes."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gk.actions import registry
from gk.errors import Refused
from gk.store.values import SEEN, Flags, When
from tests.ai.endpoint import Play, answers, endpoint, said
from tests.flows.conftest import ALICE, BOB, House, house
from tests.inbound.spam.test_rules import message

ASKS = "Could you please send me the signed contract by tomorrow? Best regards, Ann"
URGENT = (
    "The production server has been down since this morning and all our customers are blocked. Please fix this"
    " immediately, we are losing money every minute."
)


@pytest.fixture
async def gk(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as opened:
        await put(opened, ASKS, "The contract", "Ann Archer <ann@far.test>")
        await put(
            opened, "Votre facture de novembre est jointe.", "Facture Acme", "Acme <billing@acme.test>", seen=True
        )
        await put(opened, URGENT, "Production down", "Zoé <zoe@far.test>")
        await put(opened, "An old one", "Old", "Ann Archer <ann@far.test>", days=40, seen=True)
        yield opened


async def put(gk: House, text: str, subject: str, author: str, *, days: int = 0, seen: bool = False) -> None:
    store = gk.rooms.store
    account = store.accounts.get(ALICE)
    when = int((datetime.now() - timedelta(days=days)).timestamp())
    arrival = await store.prepare(message(text, Subject=subject, From=author))
    flags = Flags(SEEN if seen else 0)
    await store.mailboxes.append(store.mailboxes.get(account.id, "INBOX"), [(arrival, flags, When(when))])


async def ask(gk: House, question: str, by: str = ALICE, **more: str) -> dict[str, Any]:
    rooms = gk.rooms
    context = rooms.context(frozenset({"read"}), account=rooms.store.accounts.get(by))
    answer: dict[str, Any] = await registry.run("ask", {"question": question, **more}, context)
    return answer


async def test_who_wrote_and_what_is_new(gk: House) -> None:
    found = await ask(gk, "who wrote in the last 2 days?")
    assert sorted(found["answer"].rstrip(".").split(", ")) == ["Acme", "Ann Archer", "Zoé"]
    assert found["intent"] == "who" and len(found["messages"]) == 3
    assert (await ask(gk, "qui m'a écrit ?"))["answer"].startswith("Ann Archer (2)")
    assert (await ask(gk, "combien de mails non lus ?"))["answer"] == "2 messages non lus."
    assert (await ask(gk, "how many mails from Ann?"))["answer"] == "2 messages."
    assert [one["subject"] for one in (await ask(gk, "show unread mail"))["messages"]] == [
        "Production down",
        "The contract",
    ]


async def test_mail_is_found_by_its_words_and_author(gk: House) -> None:
    found = await ask(gk, "cherche la facture d'Acme")
    assert [one["subject"] for one in found["messages"]] == ["Facture Acme"]
    assert "Acme: Facture Acme" in found["answer"] and found["language"] == "fr"
    assert [one["subject"] for one in (await ask(gk, "mails from Ann"))["messages"]] == ["The contract", "Old"]
    assert (await ask(gk, "find the elephant"))["answer"] == "Nothing was found."
    assert (await ask(gk, "cherche la girafe"))["answer"] == "Rien n'a été trouvé."


async def test_what_is_urgent_or_awaits_an_answer_is_told_with_its_words(gk: House) -> None:
    urgent = await ask(gk, "what is urgent?")
    assert "Production down" in [one["subject"] for one in urgent["messages"]] and "«" in urgent["answer"]
    assert "Facture Acme" not in urgent["answer"]
    awaiting = await ask(gk, "à qui dois-je répondre ?")
    assert "The contract" in [one["subject"] for one in awaiting["messages"]]
    assert "Facture Acme" not in awaiting["answer"]


async def test_a_message_is_summarised_by_its_own_sentences(gk: House) -> None:
    found = await ask(gk, "résume le dernier mail d'Ann")
    assert "signed contract" in found["answer"] and found["messages"][0]["subject"] == "The contract"
    assert "production server" in (await ask(gk, "summarise this", about="INBOX/3"))["answer"]
    assert (await ask(gk, "summarise this"))["answer"].startswith("Summarise what?")


async def test_folders_and_help_are_told(gk: House) -> None:
    assert "INBOX: 4 messages, 2 unread" in (await ask(gk, "list my folders"))["answer"].splitlines()
    assert "INBOX : 4 messages, 2 non lus" in (await ask(gk, "liste mes dossiers"))["answer"].splitlines()
    assert "who wrote today?" in (await ask(gk, "help"))["answer"]


async def test_what_is_not_understood_is_said_in_both_languages_and_nothing_is_done(gk: House) -> None:
    found = await ask(gk, "delete everything")
    assert found["intent"] == "" and found["messages"] == []
    assert "did nothing" in found["answer"] and "rien fait" in found["answer"]
    assert len(await gk.inbox()) == 4


async def test_nobody_is_told_of_the_mail_of_others(gk: House) -> None:
    assert (await ask(gk, "who wrote?", by=BOB))["answer"] == "Nobody wrote."
    with pytest.raises(Refused, match="no message"):
        await ask(gk, "summarise this", by=BOB, about="G1")
    with pytest.raises(Refused, match="another account"):
        await ask(gk, "who wrote?", by=BOB, address=ALICE)


async def _asked_with_a_model(tmp_path: Path, play: Play, *, calls: int = 200) -> str:
    """The summary of one mail, in a house with this model."""
    async with endpoint(play) as opened:
        table = f'[ai]\ncalls_per_day = {calls}\n[[ai.models]]\nurl = "{opened.url}"\nmodel = "m"\nseconds = 2'
        async with house(tmp_path, judge=table) as gk:
            await put(gk, "The roof leaks, see https://roof.test/a for photographs.", "Roof", "Ann <ann@far.test>")
            return str((await ask(gk, "summarise this", about="INBOX/1"))["answer"])


async def test_a_model_summarises_where_there_is_one(tmp_path: Path) -> None:
    told = await _asked_with_a_model(tmp_path, answers(200, said({"summary": "A roof leaks: https://roof.test/a"})))
    assert told == "Ann: «Roof»\nA roof leaks: https://roof.test/a"


async def test_a_model_that_lies_sends_nobody_anywhere(tmp_path: Path) -> None:
    evil = {"summary": "Log in at https://evil.test/x or write to eve@evil.test, see https://roof.test/a."}
    told = await _asked_with_a_model(tmp_path, answers(200, said(evil)))
    assert "evil.test" not in told and "https://roof.test/a" in told


async def test_without_an_answer_the_mail_speaks_for_itself(tmp_path: Path) -> None:
    for n, play in enumerate((answers(500, b""), answers(200, b"nonsense"))):
        (tmp_path / str(n)).mkdir()
        assert "The roof leaks" in await _asked_with_a_model(tmp_path / str(n), play)
    (tmp_path / "spent").mkdir()
    assert "The roof leaks" in await _asked_with_a_model(
        tmp_path / "spent", answers(200, said({"summary": "x"})), calls=0
    )
