"""Who holds connections without using them is let go sooner when there are few left; users have so many sessions."""

import asyncio
from pathlib import Path

from tests.imap.client import Client as ImapClient
from tests.imap.conftest import house as imap_house
from tests.managesieve.conftest import house as sieve_house
from tests.smtp.conftest import ALICE, BOB, PASSWORD
from tests.smtp.conftest import house as smtp_house

CALM = {"connections": 10, "stress_seconds": 0.2, "login_seconds": 60.0}


async def test_imap_connections_without_a_login_go_when_nearly_all_are_taken(tmp_path: Path) -> None:
    async with imap_house(tmp_path, **CALM) as h:
        user = await ImapClient.connect(h.port)
        await user.ok(f"LOGIN {ALICE} {PASSWORD}")
        idlers = [await ImapClient.connect(h.port) for _ in range(5)]
        await asyncio.wait_for(
            asyncio.gather(*(idler.command("NOOP") for idler in idlers)), 30
        )  # there is no hurry yet
        idlers += [await ImapClient.connect(h.port) for _ in range(4)]
        first = asyncio.create_task(idlers[0].rest())
        assert b"* BYE no login in time" in await asyncio.wait_for(first, 30)
        await user.ok("NOOP")


async def test_managesieve_connections_without_a_login_go_when_nearly_all_are_taken(tmp_path: Path) -> None:
    async with sieve_house(tmp_path, **CALM) as h:
        user = await h.connect()
        idlers = [await h.connect(None) for _ in range(9)]
        assert b'BYE "no login in time"\r\n' in await asyncio.wait_for(idlers[0].read(), 30)
        assert await user.last(b"NOOP") == b'OK "done"\r\n'


async def test_a_user_sends_over_so_many_sessions_and_no_more(tmp_path: Path) -> None:
    async with smtp_house(tmp_path, sessions_per_user=2) as h:
        sessions = [await (await h.connect("submission")).hello() for _ in range(3)]
        answers = [await session.login() for session in sessions]
        assert [answer[:3] for answer in answers] == ["235", "235", "421"]
        assert await sessions[2].closed()
        assert (await (await (await h.connect("submission")).hello()).login(BOB)).startswith("235")
        other = await (await h.connect("submission", source="127.0.0.2")).hello()
        assert (await other.login()).startswith("235")
        await sessions[0].say("QUIT")
        assert await sessions[0].closed()
        async with asyncio.timeout(30):
            while not (await (await (await h.connect("submission")).hello()).login()).startswith("235"):
                await asyncio.sleep(0.01)  # until the server has seen the end of it
