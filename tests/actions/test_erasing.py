"""person_erase: what holds an address goes, and in no file of the data directory is it afterwards."""

import asyncio
import base64
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gk.actions import registry
from gk.errors import Refused
from gk.events import MessageTriaged
from gk.store import erasure, schema
from gk.store.erasure import Person
from tests.actions.test_handling import append
from tests.flows.conftest import ALICE, BOB, House, house
from tests.inbound.spam.test_rules import message

EVE = "eve.smith@far.test"
OTHER = "not-eve.smith@far.test"


@pytest.fixture
async def gk(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, triage="") as opened:
        yield opened


async def act(gk: House, action: str, **more: Any) -> Any:
    return await registry.run(action, more, gk.rooms.context(frozenset({"admin"})))


def held(data: Path, needle: str = EVE) -> list[str]:
    """Files whose octets hold the text, in any case, but as a part of the other address."""
    files = {path: path.read_bytes().lower() for path in data.rglob("*") if path.is_file()}
    return [str(path) for path, data in files.items() if needle.encode() in data.replace(OTHER.encode(), b"")]


async def fill(gk: House) -> None:
    """Mail from, to and about the person, in all encodings, and what is noted on the way."""
    hidden = base64.b64encode(f"Ask {EVE.upper()} please.\r\n".encode())
    for number, raw in enumerate((
        message("Hello", Subject="From her", From=f"Eve <{EVE}>"),
        message(f"She is at {EVE}.", Subject="About her", From="ann@far.test"),
        b"From: ann@far.test\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n" + hidden,
        b"From: ann@far.test\r\nSubject: =?utf-8?b?" + base64.b64encode(EVE.encode()) + b"?=\r\n\r\nx\r\n",
        message("Nothing to see", Subject="Other", From=f"Other <{OTHER}>"),
    )):  # fmt: skip
        await append(gk, raw, "INBOX" if number % 2 else "Archive")
    store = gk.rooms.store
    await brought(gk, message("By SMTP", Subject="Tea", From=f"Eve <{EVE}>"), ALICE, BOB, sender=EVE)
    await store.sending.suppress(1, EVE, "asked")
    await store.conversations.keep(1, 0, [{"who": "user", "text": f"write to {EVE}", "calls": [], "id": ""}])
    await store.conversations.did(1, f"send G1 to {EVE}", [])
    await store.conversations.ask(1, "mail_draft_send", {"id": "G1"}, f"send to {EVE}")
    await store.known.put(1, b"k", "m", {"summary": f"from {EVE}"}, 1000)


async def brought(gk: House, raw: bytes, *to: str, sender: str = "ann@far.test") -> None:
    """Mail that was delivered, judged, filed and indexed."""
    store = gk.rooms.store
    with store.bus.subscribe(MessageTriaged) as judged:
        await gk.bring(raw, *to, sender=sender)
        async with asyncio.timeout(30):
            for _ in to:
                await anext(judged)
    await store.filer.rest()
    assert gk.rooms.forgetting is not None
    await gk.rooms.forgetting()


async def test_a_person_is_gone_from_every_file(gk: House) -> None:
    await fill(gk)
    assert held(gk.data)
    told = await act(gk, "person_erase", address=EVE)
    assert told["messages"] >= 5 and not told["erased"] and held(gk.data), "nothing is done unasked"
    receipt = await act(gk, "person_erase", address=EVE.upper().replace("FAR.TEST", "far.test"), erase=True)
    assert receipt["erased"] and receipt["messages"] == told["messages"], receipt
    assert {"conversation", "effect", "confirmation", "model_answer", "suppressed"} <= receipt["rows"].keys()
    assert receipt["complete"] and receipt["files"] == [] and EVE not in str(receipt)
    assert held(gk.data) == []
    left = (await act(gk, "mail_search", address=ALICE))["messages"]
    assert [one["subject"] for one in left] == ["Other"], "who is called nearly the same stays"
    assert (await act(gk, "mail_search", address=ALICE, text="please"))["messages"] == []
    assert len(await gk.inbox(BOB)) == 0
    assert (await act(gk, "verify"))["problems"] == []


async def test_an_account_goes_with_its_mail(gk: House) -> None:
    await brought(gk, message("Hello", Subject="x", From="ann@far.test", To=BOB), BOB)
    receipt = await act(gk, "person_erase", address=BOB, erase=True)
    assert receipt["account"] and receipt["complete"], receipt
    assert held(gk.data, BOB) == [] and gk.rooms.store.accounts.by_address(BOB) is None
    with pytest.raises(Refused, match="not an address"):
        await act(gk, "person_erase", address="bob", erase=True)


async def test_what_users_wrote_themselves_is_told_and_stays(gk: House) -> None:
    await act(gk, "rule_add", address=BOB, text=f'if from contains "{EVE}" then file "Archive"')
    receipt = await act(gk, "person_erase", address=EVE, erase=True)
    assert receipt["configured"] == [f"rule of {BOB}"] and not receipt["complete"]
    assert len((await act(gk, "rule_list", address=BOB))["rules"]) == 1


async def test_backups_that_hold_it_are_named_with_their_day(gk: House) -> None:
    backup = gk.data / "backup/gk-schema3-1.db"
    backup.write_bytes(b"\0" + EVE.encode() + b"\0")
    receipt = await act(gk, "person_erase", address=EVE, erase=True)
    ((name, day),) = [(one["name"], one["expires"]) for one in receipt["backups"]]
    assert name == "backup/gk-schema3-1.db" and len(day) == 10 and not receipt["complete"]


FORMS = {
    "a file in base64": b"Content-Type: application/json\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.b64encode(b'{"from": "' + EVE.encode() + b'"}'),
    "a file in quoted-printable": b"Content-Type: application/x-list\r\nContent-Transfer-Encoding: quoted-printable"
    b"\r\n\r\n" + EVE.encode().replace(b"far", b"f=\r\nar"),
    "the name of a file": b"Content-Type: image/png\r\nContent-Disposition: attachment;"
    b" filename*0*=utf-8''eve%2Esmith; filename*1*=%40far.test\r\n\r\nx",
    "a link": b"\r\nhttps://far.test/leave?me=eve.smith%40far.test&x=1",
    "across two pieces": b"Content-Transfer-Encoding: base64\r\n\r\n"
    + base64.b64encode(b"x" * 49143 + b" " + EVE.encode() + b" " + b"x" * 9000),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_an_address_is_found_however_it_is_written(name: str) -> None:
    assert Person(EVE).in_message(b"From: ann@far.test\r\nMIME-Version: 1.0\r\n" + FORMS[name] + b"\r\n")
    assert not Person("eve@far.test").in_message(b"From: ann@far.test\r\nMIME-Version: 1.0\r\n" + FORMS[name] + b"\r\n")


@pytest.mark.parametrize("asked", ["eve@bücher.test", "eve@xn--bcher-kva.test", "eve@BÜCHER.test"])
def test_a_domain_in_letters_and_in_ascii_is_one(asked: str) -> None:
    for found in ("eve@bücher.test", "eve@xn--bcher-kva.test", "eve@bu\u0308cher.test", "EVE@Bücher.test"):
        assert Person(asked).in_value(f"to {found}.") and Person(asked).in_octets(f"to {found}.".encode()), found
    assert not Person(asked).in_value("eve@bucher.test")


async def test_what_arrives_during_the_search_is_found(gk: House) -> None:
    store = gk.rooms.store
    for _ in range(3):
        await append(gk, message("x", Subject="x", From=EVE), "INBOX")
    loop, late = asyncio.get_running_loop(), [message("late", Subject="x", From=EVE)]

    class Slow(Person):
        def in_message(self, raw: bytes) -> bool:
            if late:
                asyncio.run_coroutine_threadsafe(append(gk, late.pop(), "INBOX"), loop).result(30)
            return super().in_message(raw)

    found = await store.erasure.find(Slow(EVE), lambda done, total: None)
    assert len(found.messages) == 4


def test_it_was_decided_about_every_table() -> None:
    db = sqlite3.connect(":memory:")
    for migration in schema.MIGRATIONS:
        migration(db)
    decided = erasure.GOES | erasure.THEIRS | erasure.ELSEWHERE
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"):
        kinds = {row[2] for row in db.execute(f"PRAGMA table_info({table})")}
        if kinds & {"TEXT", "BLOB"} and table != "meta":
            assert table in decided, f"what becomes of {table} when a person is erased?"


@pytest.mark.parametrize(
    ("text", "there"),
    [
        (EVE, True), (EVE.upper(), True), (f"<{EVE}>", True), (f"at {EVE}.", True), (f"mailto:{EVE}?x", True),
        (OTHER, False), (f"x{EVE}", False), (f"{EVE}.org", False), (f"{EVE}x", False), ("eve@far.test", False),
    ],
)  # fmt: skip
def test_an_address_is_recognised_as_a_whole(text: str, there: bool) -> None:
    assert Person(EVE).in_value(text) is there and Person(EVE).in_octets(text.encode()) is there
