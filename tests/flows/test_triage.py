"""A message comes in by SMTP, and IMAP clients see its keywords: at once while they idle, or when they ask."""

import asyncio
import imaplib
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gk.events import MessageTriaged
from tests.flows.conftest import ALICE, BOB, PASSWORD, House, house
from tests.strangers import PATIENCE

OUTAGE = (
    b"From: Zoe <zoe@far.test>\r\nSubject: nobody can log in since 8 o'clock\r\n\r\n"
    b"The whole clinic has been locked out since eight. The waiting room is full and nobody can open a file. Nothing "
    b"works, please call me back immediately on 01632 960 123.\r\n\r\nZoe\r\n"
)
TOLD = {"$gk-support", "$gk-urgent", "$gk-reply"}


@pytest.fixture
async def gk(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, triage="") as opened:
        yield opened


def flags(text: bytes) -> set[str]:
    found = re.search(rb"FLAGS \(([^)]*)\)", text)
    assert found, text
    return set(found[1].decode().split()) - {"\\Recent"}


async def with_imap(gk: House, work: Callable[[imaplib.IMAP4], set[str]], address: str = ALICE) -> set[str]:
    def session() -> set[str]:
        with imaplib.IMAP4("127.0.0.1", gk.ports["imap"], PATIENCE) as client:
            client.login(address, PASSWORD)
            client.select("INBOX")
            return work(client)

    return await asyncio.to_thread(session)


def fetched(client: imaplib.IMAP4) -> set[str]:
    return flags(client.fetch("1", "(FLAGS)")[1][0])


async def test_a_client_that_idles_is_told_the_keywords(gk: House) -> None:
    idles, loop = asyncio.Event(), asyncio.get_running_loop()

    def idle(client: imaplib.IMAP4) -> set[str]:
        client.send(b"i1 IDLE\r\n")
        assert client.readline().startswith(b"+")
        loop.call_soon_threadsafe(idles.set)
        while not (line := client.readline()).startswith(b"* 1 FETCH") or b"$gk-" not in line:
            assert line, "the session ended"
        client.send(b"DONE\r\n")
        assert client.readline().startswith(b"i1 OK")
        return flags(line)

    waiting = asyncio.create_task(with_imap(gk, idle))
    await idles.wait()
    await gk.bring(OUTAGE, ALICE)
    assert await waiting == TOLD


async def test_mail_of_a_user_here_is_marked_for_each_who_gets_it_and_noop_tells(gk: House) -> None:
    def noop(client: imaplib.IMAP4) -> set[str]:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            client.noop()
            if client.search(None, "KEYWORD", "$gk-support")[1][0]:
                return fetched(client)
        raise AssertionError("no keyword")

    await gk.submit(OUTAGE.replace(b"zoe@far.test", ALICE.encode()), ALICE, BOB)
    for address in (ALICE, BOB):
        assert await with_imap(gk, noop, address) == TOLD


async def test_a_message_that_came_before_a_restart_is_judged_after_it(tmp_path: Path) -> None:
    async with house(tmp_path, triage="enabled = false") as gk:
        await gk.bring(OUTAGE, ALICE)
        store = gk.rooms.store
        assert not store.triages.waiting()
        owner = store.accounts.get(ALICE).id
        await store.commits.do(
            lambda db, facts: db.execute("INSERT INTO triage_job (message, account) VALUES (1, ?)", (owner,))
        )
    async with house(tmp_path, triage="") as gk:
        async with asyncio.timeout(PATIENCE):
            while gk.rooms.store.triages.waiting():
                await asyncio.sleep(0.01)  # it may have been judged before anybody could listen
        assert await with_imap(gk, fetched) == TOLD


async def test_the_action_tells_what_was_kept(gk: House) -> None:
    with gk.rooms.store.bus.subscribe(MessageTriaged) as heard:
        await gk.bring(OUTAGE, ALICE)
        async with asyncio.timeout(PATIENCE):
            event = await anext(heard)
    assert event.uid == 1
    found = await gk.act("mail_triage", id="INBOX/1", address=ALICE)
    assert (found["category"], found["stored"]) == ("support", True)
