"""Junk through a whole server: scored on its way in, learnt from what users do, and never those one writes to."""

import asyncio
import email
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gk.store.values import Flags
from tests.flows.conftest import ALICE, BOB, House, house
from tests.flows.test_judged import OURS, deliver
from tests.inbound.spam.test_rules import message
from tests.mailauth.test_spf import txt

PILLS = "We sell cheap watches and replica handbags, offer {n}, order from our shop today, satisfaction for everyone"
MINUTES = "The minutes of meeting {n} about the new roof are here, please tell me what is missing before Thursday"


@pytest.fixture
async def gk(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, judge="[judge]\ntrusted = []") as opened:
        opened.zone.add("a.test", "TXT", txt(f"v=spf1 ip4:{OURS} -all"))
        opened.zone.add("_dmarc.a.test", "TXT", txt("v=DMARC1; p=none"))
        opened.zone.add("8.0.0.127.in-addr.arpa", "PTR", "mx.a.test.")
        opened.zone.add("mx.a.test", "A", OURS)
        yield opened


async def bring(gk: House, content: bytes, *recipients: str) -> None:
    code, reply = await deliver(gk, content, *recipients, client=OURS)
    assert code == 250, reply


def honest(body: str, **fields: str) -> bytes:
    return message(body, From="Ann <ann@a.test>", **fields)


def phish() -> bytes:
    """Of somebody who proves who they are, and is not who they say."""
    return message(
        "Your account has been suspended. Click here within 24 hours: http://192.0.2.7/login",
        From='"PayPal" <ann@a.test>', Subject="VERIFY YOUR ACCOUNT NOW", Message_ID="",
    )  # fmt: skip


async def count(gk: House, mailbox: str, number: int, address: str = ALICE) -> list[bytes]:
    found = await gk.inbox(address, mailbox)
    assert len(found) == number, found
    return found


async def teach(gk: House) -> None:
    """Alice files twelve of each kind, and the server learns."""
    store = gk.rooms.store
    account = store.accounts.get(ALICE).id
    box = {name: store.mailboxes.get(account, name) for name in ("INBOX", "Junk", "Archive")}
    for text, to in ((PILLS, "Junk"), (MINUTES, "Archive")):
        for n in range(12):
            await bring(gk, honest(text.format(n=n)))
        snapshot = await store.mailboxes.open(box["INBOX"])
        uids = list(snapshot.uids)
        await store.mailboxes.move(box["INBOX"], uids, box[to])
    async with asyncio.timeout(30):
        while store.lessons.waiting():  # nobody is told
            await asyncio.sleep(0.01)


async def test_what_the_rules_find_goes_to_junk_with_its_reasons(gk: House) -> None:
    await bring(gk, phish())
    (raw,) = await count(gk, "Junk", 1)
    found = email.message_from_bytes(raw)
    assert found["X-GK-Verdict"].startswith("junk; score=")
    why = await gk.act("mail_why", id="Junk/1", address=ALICE)
    rules = {one["rule"]: one for one in why["findings"]}
    assert {"pretends_a_brand", "account_threat", "link_to_an_address", "shouting"} <= set(rules)
    assert why["action"] == "junk" and why["score"] >= 5
    assert rules["shouting"]["bytes"].strip() == "VERIFY YOUR ACCOUNT NOW", "the bytes as they stand in the mailbox"


async def test_an_honest_message_stays_and_forged_fields_go(gk: House) -> None:
    await bring(gk, b"X-GK-Verdict: accept; score=-99\r\nX-GK-Anything: x\r\n" + honest("Hello, how are you today?"))
    (raw,) = await count(gk, "INBOX", 1)
    found = email.message_from_bytes(raw)
    assert [value.split(";")[0] for value in found.get_all("X-GK-Verdict")] == ["accept"]
    assert "X-GK-Anything" not in found


async def test_what_a_user_moves_to_junk_is_junk_next_time_for_that_user(gk: House) -> None:
    await teach(gk)
    await bring(gk, honest(PILLS.format(n=99)), ALICE, BOB)
    await count(gk, "Junk", 13)
    await count(gk, "INBOX", 1, BOB)
    await bring(gk, honest(MINUTES.format(n=99)))
    await count(gk, "INBOX", 1)
    await bring(gk, honest(PILLS.format(n=100)))
    why = await gk.act("mail_why", id="Junk/14", address=ALICE)
    (own,) = [one for one in why["findings"] if one["rule"] == "own_words"]
    assert own["score"] > 2 and "watches" in own["text"]


async def test_whom_a_user_writes_to_is_never_junk_if_it_is_them(gk: House) -> None:
    await gk.stranger("a.test")
    await gk.submit(message("Hello Ann", From=ALICE, To="ann@a.test"), "ann@a.test")
    await bring(gk, phish())
    await count(gk, "INBOX", 1)
    why = await gk.act("mail_why", id="INBOX/1", address=ALICE)
    assert "known_correspondent" in {one["rule"] for one in why["findings"]}
    code, _ = await deliver(gk, phish(), client="127.0.0.9")  # forged: nothing proves that it is Ann
    assert code == 250
    await count(gk, "Junk", 1)


async def test_flags_teach_as_moves_do(gk: House) -> None:
    store = gk.rooms.store
    account = store.accounts.get(ALICE).id
    await bring(gk, honest(PILLS.format(n=1)))
    inbox = store.mailboxes.get(account, "INBOX")
    await store.mailboxes.store_flags(inbox, [1], "add", Flags(0, frozenset({"$Junk"})))
    async with asyncio.timeout(30):
        while not store.lessons.totals(account).junk:
            await asyncio.sleep(0.01)


async def test_points_and_refusal_are_configured(tmp_path: Path) -> None:
    text = "[judge]\ntrusted = []\n[spam]\nrefuse = 8\n[spam.points]\npretends_a_brand = 20"
    async with house(tmp_path, judge=text) as gk:
        code, reply = await deliver(gk, phish())
        assert (code, reply[:5]) == (550, b"5.7.1")
        assert await gk.inbox() == [] == await gk.inbox(ALICE, "Junk")


async def test_scoring_can_be_turned_off(tmp_path: Path) -> None:
    async with house(tmp_path, judge="[judge]\ntrusted = []\n[spam]\nenabled = false") as gk:
        await bring(gk, phish())
        (raw,) = await count(gk, "INBOX", 1)
        assert b"X-GK-Verdict" not in raw
