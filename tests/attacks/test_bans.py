"""Clients that go on misbehaving are banned, at every door, and nobody else is.

A server never bans loopback, and everybody here is there: each of these tests builds its own list of bans, which spares
nobody, and puts it behind real doors.
"""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from gk.accounts.bans import Bans
from gk.config import Bans as Rules
from gk.store.bans import Ban
from tests.imap.client import Client as ImapClient
from tests.imap.conftest import house as imap_house
from tests.managesieve.conftest import house as sieve_house
from tests.smtp.conftest import ALICE, PASSWORD, House
from tests.smtp.conftest import house as smtp_house

BAD, GOOD = "127.50.0.1", "127.50.0.2"
RULES = Rules(logins=3, errors=5, relays=3, recipients=4, overruns=2)


def strict(**more: Any) -> Bans:
    """Bans that spare nobody, and let nobody wait in a test."""

    async def at_once(seconds: float) -> None:
        pass

    return Bans(RULES, spared=(), pause=at_once, **more)


async def banned_at(h: House, role: str = "mx") -> bool:
    """Whether BAD is sent away with its first line, and GOOD is served."""
    good = await h.connect(source=GOOD)
    assert (await good.say("EHLO good.example.org")).startswith("250")
    bad = await h.connect(role, banner=False, source=BAD)
    greeting = await bad.reply()
    assert greeting.startswith("220 ") or (greeting.startswith("421 4.7.0 Your address") and await bad.closed())
    return greeting.startswith("421")


async def test_a_relay_seeker_is_cut_off_and_kept_out_of_every_role(tmp_path: Path) -> None:
    bans = strict()
    async with smtp_house(tmp_path, bans=bans) as h:
        client = await (await h.connect(source=BAD)).hello()
        await client.say("MAIL FROM:<a@example.org>")
        answers = [await client.say(f"RCPT TO:<victim{n}@elsewhere.example>") for n in range(3)]
        assert [answer[:9] for answer in answers] == ["550 5.7.1", "550 5.7.1", "421 4.7.0"]
        assert await client.closed()
        assert await banned_at(h) and await banned_at(h, "submission")
        secure = asyncio.open_connection("127.0.0.1", h.ports["submissions"], local_addr=(BAD, 0))
        reader, writer = await secure
        assert await asyncio.wait_for(reader.read(), 30) == b""  # no TLS is begun with it, and no clear word said
        writer.close()
    assert [(ban.network, ban.reason) for ban in bans.every()] == [(f"{BAD}/32", "relays")]


async def test_who_tries_addresses_or_talks_nonsense_over_many_sessions_is_banned(tmp_path: Path) -> None:
    bans = strict()
    async with smtp_house(tmp_path, bans=bans) as h:
        for turn in range(4):
            client = await (await h.connect(source=BAD)).hello()
            await client.say("MAIL FROM:<a@example.org>")
            answer = await client.say(f"RCPT TO:<guess{turn}@example.test>")
            assert answer.startswith("421" if turn == 3 else "550 5.1.1")
        assert await banned_at(h)
        await bans.remove(BAD)
        assert not await banned_at(h)
        for turn in range(5):
            client = await h.connect(source=BAD)
            answer = await client.say("XYZZY")
            assert answer.startswith("421" if turn == 4 else "500")
        assert await banned_at(h)
        assert bans.every()[0].reason == "errors"


async def test_early_talkers_and_web_browsers_are_banned(tmp_path: Path) -> None:
    bans = strict()
    async with smtp_house(tmp_path, bans=bans) as h:
        for _ in range(5):
            client = await h.connect(source=BAD)
            await client.say("GET / HTTP/1.1")
        assert await banned_at(h)


@pytest.mark.parametrize("role", ["submission", "submissions"])
async def test_a_guesser_by_smtp_is_banned_at_the_third_password(tmp_path: Path, role: str) -> None:
    async with smtp_house(tmp_path, bans=strict()) as h:
        client = await (await h.connect(role, source=BAD)).hello()
        answers = [await client.login(password=f"guess-number-{n}") for n in range(3)]
        assert [answer[:3] for answer in answers] == ["535", "535", "421"]
        assert await client.closed()
        assert await banned_at(h, "submission")
        good = await (await h.connect(role, source=GOOD)).hello()
        assert (await good.login()).startswith("235")


async def test_users_who_are_logged_in_are_not_banned_for_their_programs_mistakes(tmp_path: Path) -> None:
    bans = strict()
    async with smtp_house(tmp_path, bans=bans) as h:
        client = await (await h.connect("submission", source=BAD)).hello()
        assert (await client.login()).startswith("235")
        assert all([(await client.say("XYZZY")).startswith("500") for _ in range(8)])
        assert bans.every() == []


async def test_a_sender_who_is_refused_now_and_then_is_not_banned(tmp_path: Path) -> None:
    bans = strict()
    async with smtp_house(tmp_path, bans=bans) as h:
        for _ in range(3):
            client = await (await h.connect(source=BAD)).hello()
            await client.envelope(ALICE)
            assert (await client.say("RCPT TO:<gone@example.test>")).startswith("550 5.1.1")
            assert (await client.data(b"Subject: hello\r\n\r\nHello.\r\n.\r\n")).startswith("250")
        assert not await banned_at(h)
    assert bans.every() == []


async def test_a_pipeline_that_goes_on_behind_a_refusal_is_no_offence(tmp_path: Path) -> None:
    bans = strict()
    async with smtp_house(tmp_path, bans=bans) as h:
        client = await (await h.connect(source=BAD)).hello()
        await client.say("MAIL FROM:<a@example.org>")
        assert [(await client.say("DATA"))[:3] for _ in range(8)] == ["503"] * 8
    assert bans.every() == []


async def test_a_flood_of_connections_leads_to_a_ban(tmp_path: Path) -> None:
    bans = strict()
    async with smtp_house(tmp_path, bans=bans, new_connections_per_minute=5) as h:
        greetings = []
        for _ in range(9):
            client = await h.connect(banner=False, source=BAD)
            greetings.append((await client.reply())[:24])
        assert greetings[:5] == ["220 mail.example.test ESM"[:24]] * 5
        assert greetings[5:7] == ["421 4.7.0 Too many conne"] * 2
        assert greetings[7:] == ["421 4.7.0 Your address i"] * 2
        assert await banned_at(h)


async def test_a_guesser_by_imap_hears_bye_and_then_nothing_else(tmp_path: Path) -> None:
    async with imap_house(tmp_path, bans=strict()) as h:
        client = await ImapClient.connect(h.port, source=BAD)
        for n in range(2):
            assert b"AUTHENTICATIONFAILED" in (await client.command(f"LOGIN alice guess-number-{n}"))[-1]
        client.send(b"x LOGIN alice guess-number-3\r\n")
        assert b"* BYE your address is not served for a while" in await client.rest()
        reader, writer = await asyncio.open_connection("127.0.0.1", h.port, local_addr=(BAD, 0))
        said = await asyncio.wait_for(reader.read(), 30)
        assert said.startswith(b"* BYE [UNAVAILABLE] your address is not served")
        writer.close()
        owner = await ImapClient.connect(h.port, source=GOOD)
        await owner.ok(f"LOGIN {ALICE} {PASSWORD}")


async def test_nonsense_by_imap_is_an_offence_before_the_login_only(tmp_path: Path) -> None:
    bans = strict()
    async with imap_house(tmp_path, bans=bans) as h:
        user = await ImapClient.connect(h.port, source=BAD)
        await user.ok(f"LOGIN {ALICE} {PASSWORD}")
        for _ in range(8):
            assert b"BAD" in (await user.command("XYZZY"))[-1]
        assert bans.every() == []
        stranger = await ImapClient.connect(h.port, source=BAD)
        stranger.send(b"x XYZZY\r\n" * 5)
        assert b"* BYE your address is not served" in await stranger.rest()
        await user.ok("NOOP")  # a session that is there stays


async def test_a_guesser_by_managesieve_hears_bye(tmp_path: Path) -> None:
    async with sieve_house(tmp_path, bans=strict()) as h:
        client = await h.connect(None, source=BAD)
        for n in range(3):
            token = base64.b64encode(f"\0{ALICE}\0guess-number-{n}".encode())
            assert (await client.last(b'AUTHENTICATE "PLAIN" "%b"' % token)).startswith(b"NO")
        assert b"BYE" in (await client.read())[-1]
        again = await h.connect(None, source=BAD)
        assert await again.read() == []
        await (await h.connect(None, source=GOOD)).log_in()


async def test_when_too_many_are_kept_waiting_the_next_is_sent_away(tmp_path: Path) -> None:
    going_on = asyncio.Event()

    async def long(seconds: float) -> None:
        await going_on.wait()

    bans = Bans(Rules(errors=4, delays=1), spared=(), pause=long)
    async with smtp_house(tmp_path, bans=bans) as h:
        for _ in range(2):
            bans.offence(BAD, "errors")
        held = await h.connect(banner=False, source=BAD)
        while not bans._waiting:
            await asyncio.sleep(0.01)
        sent_away = await h.connect(banner=False, source=BAD)
        assert (await sent_away.reply()).startswith("421 4.7.0 Too many")
        assert (await (await h.connect(source=GOOD)).say("EHLO x")).startswith("250")
        going_on.set()
        assert (await held.reply()).startswith("220 ")


async def test_bans_are_in_the_store_and_hold_after_a_restart(tmp_path: Path) -> None:
    async with smtp_house(tmp_path / "data") as h:
        bans = strict(keep=h.store.bans.keep)
        for _ in range(3):
            bans.offence(BAD, "relays")
        await bans.write()
        assert h.store.bans.mark(BAD) == h.store.bans.mark(BAD) != h.store.bans.mark(GOOD)
        mark = h.store.bans.mark(BAD)
    async with smtp_house(tmp_path / "data") as h:
        kept = h.store.bans.every(10)
        assert [(type(ban), ban.network, ban.reason) for ban in kept] == [(Ban, f"{BAD}/32", "relays")]
        assert strict(kept=kept).banned(BAD)
        assert h.store.bans.mark(BAD) == mark and BAD not in mark


async def test_the_log_tells_of_bans_without_an_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "gk.audit")
    async with smtp_house(tmp_path / "data") as h:
        bans = strict(mark=h.store.bans.mark, keep=h.store.bans.keep)
        for _ in range(4):
            bans.offence(BAD, "recipients")
        await bans.remove(BAD)
        mark = h.store.bans.mark(f"{BAD}/32")
    said = [record.getMessage() for record in caplog.records if record.name == "gk.audit"]
    assert said == [
        f"event=slowed client={mark} by=recipients",
        f"event=banned client={mark} by=recipients seconds=600 times=1",
        f"event=ban_lifted client={mark} by=hand seconds=600 times=1",
    ]
    assert BAD not in caplog.text
