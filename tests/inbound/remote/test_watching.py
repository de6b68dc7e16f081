"""The service: who is watched how, how many at once, and what it does after a failure."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gk import metrics
from gk.errors import Unavailable
from gk.inbound.remote import watched, watching
from gk.store.values import DELETED
from tests.inbound.remote.elsewhere import PATIENCE, Side, both
from tests.inbound.remote.hostile import Peer
from tests.store.rooms import ALICE, account, message, read


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with Peer({uid: message(uid) for uid in range(1, 4)}).serve() as opened:
        yield opened


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.01)


async def synced(side: Side) -> bool:
    try:
        await side.sync()
    except Unavailable:  # the session before the one that lasts
        return False
    return True


def messages(side: Side, name: str = "work") -> int:
    return next(one.messages for one in side.watching.health() if one.name == name)


async def test_more_than_ten_accounts_take_turns(peer: Peer, tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(12)]
    others = [{"name": name, "address": f"{name}@far.test", "port": peer.port, "check_seconds": 1} for name in names]
    async with both(tmp_path, peer.port, running=True, others=others, check_seconds=1) as side:
        await until(lambda: all(messages(side, name) == 3 for name in ("work", *names)))
        peer.messages[4] = message(4)
        await until(lambda: all(messages(side, name) == 4 for name in ("work", *names)))
    assert peer.most <= watching.CONNECTIONS
    assert not any(line.endswith(" IDLE") for line in peer.heard)


async def test_a_server_without_idle_is_looked_at_now_and_then(peer: Peer, tmp_path: Path) -> None:
    peer.capabilities = "IMAP4rev1"
    async with both(tmp_path, peer.port, running=True, check_seconds=1) as side:
        await until(lambda: messages(side) == 3)
        peer.messages[4] = message(4)
        await until(lambda: messages(side) == 4)
    assert peer.sessions == 1


async def test_idle_is_begun_anew_before_the_server_ends_it(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "REARMED", 0.05)
    async with both(tmp_path, peer.port, running=True) as side:
        await until(lambda: sum(line.endswith(" IDLE") for line in peer.heard) > 3)
        assert side.watching.health()[0].state in ("watching", "working")
    assert peer.sessions == 1


async def test_what_the_server_tells_while_mail_is_brought_is_not_forgotten(peer: Peer, tmp_path: Path) -> None:
    def meanwhile(peer: Peer, name: str, rest: str) -> bytes:
        answer = peer.honest(name, rest)
        if "BODY.PEEK[]" in rest and 4 not in peer.messages:
            peer.messages[4] = message(4)
            answer += b"* 4 EXISTS\r\n"
        return answer

    peer.say["UID FETCH"] = meanwhile
    async with both(tmp_path, peer.port, running=True) as side:
        await until(lambda: messages(side) == 4)


async def test_a_server_that_tells_news_without_end_has_few_rounds(peer: Peer, tmp_path: Path) -> None:
    peer.say["IDLE"] = b"* 3 EXISTS\r\n"
    async with both(tmp_path, peer.port, running=True) as side:
        one = side.watching._made()["work"]
        await until(lambda: len(one._told) == watched.BURST)
        before = sum("SELECT" in line for line in peer.heard)
        for _ in range(3):
            await side.sync()  # what is asked for is done all the same
        assert sum("SELECT" in line for line in peer.heard) <= before + 10


async def test_a_session_the_server_ends_is_followed_by_another(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "FIRST", 0.05)
    peer.say["IDLE"] = b"* BYE time to go\r\n"
    async with both(tmp_path, peer.port, running=True) as side:
        await until(lambda: peer.sessions > 2)
        peer.say.clear()
        peer.messages[4] = message(4)
        await side.until(lambda: synced(side))
        assert messages(side) == 4 and side.watching.health()[0].error == ""


async def test_pauses_double_and_none_is_like_another(tmp_path: Path) -> None:
    async with Peer(greeting=b"* BYE no\r\n").serve() as peer, both(tmp_path, peer.port) as side:
        one = side.watching._made()["work"]
        pauses = [one._longer(locked=False) for _ in range(12)]
        assert all(FIRST * 2**n * 0.8 <= pause <= FIRST * 2**n * 1.2 for n, pause in enumerate(pauses[:7]))
        assert all(pause <= LONGEST * 1.2 for pause in pauses) and len(set(pauses)) == 12


FIRST, LONGEST = watched.FIRST, watched.LONGEST


async def test_a_missing_password_or_a_full_account_is_a_state_and_no_end(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "FIRST", 0.05)
    async with both(tmp_path, peer.port, running=True, password_file=str(tmp_path / "later")) as side:
        await until(lambda: "No such file" in side.watching.health()[0].error)
        await side.store.accounts.set_quota(account(side.store).id, 10)
        (tmp_path / "later").touch(mode=0o600)
        (tmp_path / "later").write_text("demo-password")
        await until(lambda: side.watching.health()[0].error == "the account is full")
        assert not await side.here()
        await side.store.accounts.set_quota(account(side.store).id, 0)
        await until(lambda: messages(side) == 3 and not side.watching.health()[0].error)


async def test_an_owner_who_goes_takes_it_along(peer: Peer, tmp_path: Path) -> None:
    async with both(tmp_path, peer.port, running=True) as side:
        await until(lambda: messages(side) == 3)
        await side.store.accounts.remove(ALICE)
        assert side.store.remotes.known() == []
        peer.messages.clear()
        side.watching._made()["work"].ask()
        await until(lambda: side.watching.health()[0].state == "without owner")
        assert metrics.REGISTRY.get_sample_value("gk_remote_accounts", {"state": "without owner"}) == 1
    said = [line for line in peer.heard if any(word in line for word in ("STORE", "EXPUNGE", "MOVE"))]
    assert said == []


async def test_an_account_taken_out_of_the_configuration_is_forgotten_with_its_messages(
    peer: Peer, tmp_path: Path
) -> None:
    async with both(tmp_path, peer.port) as side:
        await side.sync()
        work = side.store.mailboxes.get(account(side.store).id, "Work")
        await side.flag(1, DELETED)
        await side.store.mailboxes.expunge(work, None)
    async with both(tmp_path, peer.port, running=True, name="other", mailbox="Other") as side:
        (folder,) = side.store.remotes.folders(next(one.id for one in side.store.remotes.known() if one.name == "work"))
        assert await side.store.remotes.uids(folder.id) == [2, 3]


async def test_its_owner_is_told_once_when_it_fails_for_long(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "FIRST", 0.02)
    monkeypatch.setattr(watched, "LOCKED", 0.02)
    monkeypatch.setattr(watched, "LASTING", 0.1)
    peer.tagged["LOGIN"] = b"NO no"
    async with both(tmp_path, peer.port, running=True) as side:
        await side.until(lambda: told(side, 1))
        sessions = peer.sessions
        await until(lambda: peer.sessions > sessions + 2)
        assert await told(side, 1)
        inbox = side.store.mailboxes.get(account(side.store).id, "INBOX")
        content = await read(side.store, inbox, 1)
        assert b"the server refuses the login" in content and b"ann@far.test" in content
        peer.tagged.clear()
        await side.until(lambda: synced(side))


async def told(side: Side, notices: int) -> bool:
    return len(await side.here("INBOX")) == notices
