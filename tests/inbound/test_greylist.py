"""Greylisting over a real store, by an injected clock."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gk.bus import Bus
from gk.config import Config, Limits
from gk.config import Greylist as Rules
from gk.inbound.greylist import Greylisted
from gk.inbound.incoming import Incoming, Message
from gk.inbound.spam.lists import Lists
from gk.inbound.spam.rule import Hit
from gk.inbound.trace import Client
from gk.inbound.verdict import Verdict
from gk.message.address import parse_address
from gk.store.db import Store
from gk.store.values import Recipient

ON = Rules(enabled=True, minutes=5, hours=24, days=36)
TAKEN = Verdict("accept", score=0.1)
CLIENT, EVE, ALICE = "192.0.2.1", "eve@example.org", "alice@example.test"
MINUTE, DAY = 60, 86_400


class Yes:
    """A judge that takes everything but mail of trusted clients, which it does not look at."""

    def judges(self, address: str) -> bool:
        return not address.startswith("127.")

    async def judge(self, incoming: Incoming, message: Message) -> Verdict:
        return TAKEN


class Friends(Lists):
    """A list that one trusts, with one network on it."""

    def __init__(self) -> None:
        pass

    async def ask(self, address: str) -> list[Hit]:
        return [Hit("list:good.example", -1.0, "listed")] if address.startswith("198.51.100.") else []


class Door:
    """What a client meets; `now` is the time."""

    def __init__(self, store: Store, rules: Rules = ON) -> None:
        self.now, self.known = 1_000_000.0, set[tuple[int, str]]()
        self.store = store
        self._judge = Greylisted(
            Yes(), store.greylist, rules, Friends(), lambda *who: who in self.known, lambda: self.now
        )

    async def brings(self, sender: str = EVE, *to: str, client: str = CLIENT) -> str:
        """The action and what the client is told."""
        recipients = [(parse_address(one), [Recipient(7, 1, one)]) for one in to or (ALICE,)]
        came = Client("mx.example.org", client, True, None, False)
        incoming = Incoming("id1", came, parse_address(sender) if sender else None, False, recipients)
        verdict = await self._judge.judge(incoming, Message(b"\r\n"))
        return "taken" if verdict is TAKEN else f"{verdict.action} {verdict.reply}"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    config = Config(data=tmp_path / "data", domains=("example.test",), limits=Limits(free_space_bytes=1))
    async with Store.open(config, Bus()) as opened:
        yield opened


def rows(store: Store) -> int:
    (count,) = store.reader.execute("SELECT count(*) FROM greylist").fetchone()
    return int(count)


async def test_who_is_new_is_asked_to_come_again_and_then_let_in_for_long(store: Store) -> None:
    door = Door(store)
    assert await door.brings() == "defer 451 4.7.1 Not known here yet, try again in 5 min"
    door.now += 2 * MINUTE
    assert await door.brings() == "defer 451 4.7.1 Not known here yet, try again in 3 min"
    door.now += 3 * MINUTE
    assert await door.brings() == "taken"
    for _ in range(3):
        door.now += 30 * DAY
        assert await door.brings() == "taken"
    door.now += 37 * DAY
    assert (await door.brings()).startswith("defer")


async def test_who_comes_again_too_late_is_new(store: Store) -> None:
    door = Door(store)
    await door.brings()
    door.now += DAY + 1
    assert (await door.brings()).startswith("defer")


async def test_client_network_sender_and_recipient_count_together(store: Store) -> None:
    door = Door(store)
    await door.brings()
    door.now += 5 * MINUTE
    for other in (
        door.brings("mallory@example.org"), door.brings(EVE, "bob@example.test"), door.brings(client="203.0.113.1"),
        door.brings(""),
    ):  # fmt: skip
        assert (await other).startswith("defer")
    assert await door.brings(client="192.0.2.77") == "taken"  # a farm of servers in one network


async def test_senders_made_for_one_message_are_one_sender(store: Store) -> None:
    door = Door(store)
    await door.brings("bounce-123-77@example.org")
    door.now += 5 * MINUTE
    assert await door.brings("Bounce-99-1@EXAMPLE.org") == "taken"


async def test_who_came_again_for_one_recipient_is_let_in_for_the_others(store: Store) -> None:
    door = Door(store)
    await door.brings()
    door.now += 5 * MINUTE
    assert await door.brings(EVE, ALICE, "bob@example.test") == "taken"
    assert await door.brings(EVE, "bob@example.test") == "taken"


async def test_a_network_that_came_again_often_is_not_asked_any_more(store: Store) -> None:
    door = Door(store)
    for n in range(5):
        await door.brings(f"{'abcde'[n]}@example.org")
    door.now += 5 * MINUTE
    for n in range(4):
        assert await door.brings(f"{'abcde'[n]}@example.org") == "taken"
        assert await door.brings(f"{'abcde'[n]}@example.org") == "taken"  # counts once
    assert (await door.brings("new@example.org")).startswith("defer")
    assert await door.brings("e@example.org") == "taken"
    assert await door.brings("other@example.org") == "taken"
    for _ in range(3):
        door.now += 30 * DAY
        assert await door.brings("yet-another@example.org") == "taken"


async def test_correspondents_trusted_lists_and_trusted_clients_are_never_asked(store: Store) -> None:
    door = Door(store)
    door.known.add((7, EVE))
    assert await door.brings() == "taken"
    assert await door.brings("x@example.org", client="198.51.100.5") == "taken"
    assert await door.brings("y@example.org", client="127.0.0.1") == "taken"


async def test_nobody_is_asked_while_it_is_off_which_it_is_by_itself(store: Store) -> None:
    door = Door(store, Rules())
    assert await door.brings() == "taken" and rows(store) == 0


async def test_rows_are_bounded_and_those_who_never_came_again_make_room(store: Store) -> None:
    door = Door(store, dataclasses.replace(ON, entries=20))
    await door.brings()
    door.now += 5 * MINUTE
    assert await door.brings() == "taken"
    for n in range(60):
        door.now += 1
        await door.brings(f"{chr(97 + n % 26)}{chr(97 + n // 26)}@example.org", client="203.0.113.1")
    assert rows(store) == 20
    assert await door.brings() == "taken"
    door.now += 2 * DAY
    await door.brings("late@example.org", client="203.0.113.1")
    assert rows(store) == 3  # the network, what it brought, and the new one


async def test_no_address_stands_in_the_table(store: Store) -> None:
    await Door(store).brings()
    ((hash, *_),) = store.reader.execute("SELECT * FROM greylist").fetchall()
    assert isinstance(hash, int)
    assert store.greylist.hash("a", "bc") != store.greylist.hash("ab", "c")


async def test_where_nothing_can_be_written_everybody_is_let_in(store: Store) -> None:
    store.commits.fail(OSError("the disk is gone"))
    assert await Door(store).brings() == "taken"
