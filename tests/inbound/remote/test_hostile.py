"""Servers elsewhere that lie, flood, stop in the middle or never end: nothing is lost here, nothing doubled."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gk.errors import Refused, Unavailable
from gk.inbound.remote import session
from gk.inbound.remote.watched import LOCKED
from gk.store.values import FLAGGED
from tests.inbound.remote.elsewhere import PATIENCE, both
from tests.inbound.remote.honest import Keeper
from tests.inbound.remote.hostile import Peer
from tests.server import PASSWORD
from tests.store.rooms import box, message, read


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with Peer({uid: message(uid) for uid in range(1, 4)}).serve() as opened:
        yield opened


async def test_an_honest_server_is_believed(peer: Peer, tmp_path: Path) -> None:
    async with both(tmp_path, peer.port) as side:
        assert (await side.sync()).new == 3
        peer.messages[9] = message(9, size=600_000)
        assert (await side.sync()).new == 1
        assert await read(side.store, box(side.store, "Work"), 4) == message(9, size=600_000)
        del peer.messages[2]
        assert (await side.sync()).gone == 1


FLOOD = b"* OK " + b"x" * 60_000 + b"\r\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("CAPABILITY", FLOOD * 40),
        ("LIST", b'* LIST () "/" "' + b"a" * 80_000 + b'"\r\n'),
        ("LIST", b'* LIST () "/" x\r\n' * 30_000),
        ("LIST", b"* LIST " + b"(" * 200 + b")" * 200 + b' "/" INBOX\r\n'),
        ("SELECT", b"* 3 EXISTS\r\n"),
        ("SELECT", b"* 3 EXISTS\r\n* OK [UIDVALIDITY 0] x\r\n"),
        ("SELECT", b"* 99999999 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n"),
        ("UID SEARCH", b"* SEARCH 0 1\r\n"),
        ("UID SEARCH", b"* SEARCH " + b"1 " * 6_000_000 + b"\r\n"),
        ("UID FETCH", b"* 1 FETCH (UID 1 BODY[] {4294967295}\r\nxx"),
        ("UID FETCH", b"* 1 FETCH (UID 1 BODY[] {10}\r\n\0"),
        ("UID FETCH", b"* 1 FETCH (UID 1 \0)\r\n"),
        ("UID FETCH", b"* 1 FETCH (UID 1 FLAGS (" + b"(" * 1000 + b"\r\n"),
        ("UID FETCH", b"+ go on\r\n"),
        ("UID FETCH", b"zz9 OK done\r\n"),
        ("UID FETCH", b"* BYE later\r\n"),
    ],
)
async def test_what_is_no_answer_ends_the_session_and_keeps_what_is_here(
    peer: Peer, tmp_path: Path, command: str, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "COMMAND", 2.0)
    async with both(tmp_path, peer.port) as side:
        await side.sync()
        before = await side.here()
        peer.messages[4] = message(4)
        peer.say[command] = said
        peer.tagged[command] = b"OK done" if not said.endswith(b"xx") else b""
        if said.startswith(b"* BYE"):
            peer.drop_after = command
        with pytest.raises((Unavailable, Refused, Exception)) as caught:
            await side.sync()
        assert type(caught.value).__module__.startswith("gk."), caught.value
        assert await side.here() == before
        peer.say.clear()
        peer.tagged.clear()
        peer.drop_after = ""
        assert (await side.sync()).new == 1
        assert len(await side.here()) == 4


async def test_a_connection_that_ends_in_a_literal_leaves_no_half_of_a_message(peer: Peer, tmp_path: Path) -> None:
    async with both(tmp_path, peer.port) as side:
        peer.drop_after = "UID FETCH"
        with pytest.raises(Unavailable, match="closed the connection"):
            await side.sync()
        assert not await side.here()
        peer.drop_after = ""
        assert (await side.sync()).new == 3


async def test_uids_nobody_asked_for_are_not_taken(peer: Peer, tmp_path: Path) -> None:
    def lie(peer: Peer, name: str, rest: str) -> bytes:
        return peer.honest(name, rest) + peer.fetched(3, rest).replace(b"UID 3", b"UID 77")

    peer.say["UID FETCH"] = lie
    async with both(tmp_path, peer.port) as side:
        assert (await side.sync()).new == 3
        assert len(await side.here()) == 3


async def test_a_size_that_is_a_lie_costs_no_memory_and_no_message(peer: Peer, tmp_path: Path) -> None:
    large = message(5, size=800_000)

    def lie(peer: Peer, name: str, rest: str) -> bytes:
        return b"".join(peer.fetched(uid, rest, size=10) for uid in peer.uids(rest.split(" ")[2]))

    async with both(tmp_path, peer.port) as side:
        await side.sync()
        peer.messages[5] = large
        peer.say["UID FETCH"] = lie
        for _ in range(5):
            with pytest.raises(Unavailable, match=r"more than was asked|announces more"):
                await side.sync()
        assert (await side.sync()).left == 1  # it ended five sessions: it stays there alone
        peer.messages[6] = message(6)
        assert (await side.sync()).new == 1


async def test_a_message_without_an_end_is_left_there(peer: Peer, tmp_path: Path) -> None:
    def endless(peer: Peer, name: str, rest: str) -> bytes:
        if "BODY.PEEK[]<" not in rest:
            return b"".join(peer.fetched(uid, rest, size=300_000) for uid in peer.uids(rest.split(" ")[2]))
        start, length = (int(word) for word in rest.partition("<")[2].rstrip(">)").split("."))
        return b"* 1 FETCH (UID 4 BODY[]<%d> {%d}\r\n" % (start, length) + b"x" * length + b")\r\n"

    async with both(tmp_path, peer.port, limits={"message_bytes": 1_000_000}) as side:
        await side.sync()
        peer.messages[4] = message(4)
        peer.say["UID FETCH"] = endless
        done = await side.sync()
        assert (done.new, done.left) == (0, 1)
        assert not list((tmp_path / "data" / "spool").iterdir())


async def test_an_empty_mailbox_that_was_full_throws_nothing_away(peer: Peer, tmp_path: Path) -> None:
    async with both(tmp_path, peer.port) as side:
        await side.sync()
        kept, peer.messages = peer.messages, {}
        assert (await side.sync()).gone == 3
        assert [len(await side.here(name)) for name in ("Work", "Trash")] == [0, 3]
        peer.messages = kept
        assert (await side.sync()).again == 3
        assert [len(await side.here(name)) for name in ("Work", "Trash")] == [3, 0]


async def test_uids_given_anew_without_a_word_make_no_second_copy(peer: Peer, tmp_path: Path) -> None:
    async with both(tmp_path, peer.port) as side:
        await side.sync()
        peer.messages = {1: message(3), 2: message(4)}
        peer.uidnext = 3
        done = await side.sync()
        assert (done.new, done.again) == (1, 1)
        assert len(await side.here()) == 4


async def test_a_copy_there_stays_one_when_the_uids_change(peer: Peer, tmp_path: Path) -> None:
    peer.messages[4] = peer.messages[1]
    async with both(tmp_path, peer.port) as side:
        done = await side.sync()
        assert (done.new, done.left) == (3, 1)
        peer.uidvalidity += 1
        done = await side.sync()
        assert (done.new, done.again, done.left) == (0, 3, 1)
        assert len(await side.here()) == 3


async def test_what_was_touched_here_stays_when_it_vanishes_there(peer: Peer, tmp_path: Path) -> None:
    async with both(tmp_path, peer.port) as side:
        await side.sync()
        await side.flag(2, FLAGGED)
        del peer.messages[2], peer.messages[3]
        await side.sync()
        assert [[*await side.here(name)] for name in ("Work", "Trash")] == [["1", "2"], ["1"]]


async def test_another_message_under_an_old_uid_is_not_deleted(peer: Peer, tmp_path: Path) -> None:
    async with both(tmp_path, peer.port) as side:
        await side.sync()
        peer.messages[2] = message(99)
        await side.flag(2, 8)
        await side.store.mailboxes.expunge(box(side.store, "Work"), None)
        await side.sync()
        said = [line for line in peer.heard if "STORE" in line or "EXPUNGE" in line or "MOVE" in line]
        assert said == []


async def test_without_uidplus_nothing_is_expunged(peer: Peer, tmp_path: Path) -> None:
    peer.capabilities = "IMAP4rev1"
    peer.say["LIST"] = b'* LIST () "/" INBOX\r\n'
    async with both(tmp_path, peer.port) as side:
        await side.sync()
        await side.flag(2, 8)
        await side.store.mailboxes.expunge(box(side.store, "Work"), None)
        await side.sync()
        assert any("UID STORE 2 +FLAGS.SILENT (\\Deleted)" in line for line in peer.heard)
        assert not any("EXPUNGE" in line for line in peer.heard)
        assert (await side.sync()).new == 0


async def test_a_name_there_that_would_be_a_command_is_none(peer: Peer, tmp_path: Path) -> None:
    name = b'x"\r\nz1 DELETE INBOX\r\n'
    peer.say["LIST"] = b'* LIST () "/" INBOX\r\n* LIST (\\Trash) "/" {%d}\r\n%b\r\n' % (len(name), name)
    async with both(tmp_path, peer.port) as side:
        await side.sync()
        await side.move(2, "Trash")
        await side.sync()
        assert not any("DELETE" in line for line in peer.heard)
        assert (await side.sync()).new == 0 and len(peer.messages) == 3


async def test_without_move_it_is_copied_and_only_it_is_removed(tmp_path: Path) -> None:
    async with Keeper(capabilities="IMAP4rev1 UIDPLUS").serve() as keeper, both(tmp_path, keeper.port) as side:
        for number in (1, 2):
            keeper.boxes["INBOX"].add(set(), message(number))
        await side.sync()
        await side.move(2, "Archive")
        await side.sync()
        told = [line.partition(" ")[2] for line in keeper.heard if re.search("COPY|STORE|EXPUNGE", line)]
        assert told == ['UID COPY 2 "Archive"', "UID STORE 2 +FLAGS.SILENT (\\Deleted)", "UID EXPUNGE 2"]
        assert (await side.sync()).new == 0


async def test_a_server_that_says_nothing_is_left_in_time(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "COMMAND", 0.2)
    monkeypatch.setattr(session, "CONNECT", 0.2)
    peer.greeting = b""
    async with both(tmp_path, peer.port) as side:
        with pytest.raises(Unavailable, match="says nothing"):
            await side.sync()


async def test_a_server_that_sends_an_octet_at_a_time_is_left_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "CONNECT", 0.5)

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                writer.write(b"*")
                await writer.drain()
                await asyncio.sleep(0.05)
        except OSError:
            pass  # it was left
        finally:
            writer.close()
            gone.set()

    gone = asyncio.Event()
    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server, both(tmp_path, server.sockets[0].getsockname()[1]) as side:
        with pytest.raises(Unavailable, match="says nothing"):
            await side.sync()
        await asyncio.wait_for(gone.wait(), PATIENCE)


async def test_a_refused_login_waits_long_and_tells_no_password(
    peer: Peer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    peer.tagged["LOGIN"] = f"NO [AUTHENTICATIONFAILED] {PASSWORD} is wrong".encode()
    async with both(tmp_path, peer.port, running=True) as side:
        async with asyncio.timeout(PATIENCE):
            while not side.watching.health()[0].error:
                await asyncio.sleep(0.01)
        (health,) = side.watching.health()
        assert health.state == "failing" and health.error == "the server refuses the login [AUTHENTICATIONFAILED]"
        assert health.again - time.time() > LOCKED / 2
        with pytest.raises(Unavailable, match="refuses the login"):
            await side.sync()
        peer.tagged.clear()
        assert (await side.sync()).new == 3
    assert PASSWORD not in caplog.text and "ann" not in caplog.text and "message" not in caplog.text


async def test_a_broken_account_disturbs_no_other(peer: Peer, tmp_path: Path) -> None:
    async with (
        Peer(greeting=b"* BYE no\r\n").serve() as broken,
        both(
            tmp_path, peer.port, running=True, others=({"name": "bad", "address": "x@bad.test", "port": broken.port},)
        ) as side,
    ):
        await side.until(lambda: _has(side, 3))
        with pytest.raises(Unavailable):
            await side.sync("bad")
        states = {one.name: (one.state, bool(one.error)) for one in side.watching.health()}
        assert states["bad"] == ("failing", True) and not states["work"][1]


async def _has(side: object, count: int) -> bool:
    return len(await side.here()) == count  # type: ignore[attr-defined]
