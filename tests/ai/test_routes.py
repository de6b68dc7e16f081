"""Routes lead mail that still stands in INBOX as it was delivered, once, and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gk.ai.triaging import Triaging
from gk.bus import Subscription
from gk.config import TriageRoute, parse
from gk.config.checks import check
from gk.errors import ConfigError
from gk.events import MessageTriaged
from gk.service import supervise
from gk.store.db import Store
from gk.store.triages import Routed
from gk.store.values import FLAGGED, SEEN, Flags, Recipient
from tests.ai.test_triaging import OUTAGE, TOLD, hears, words, worked_off
from tests.store.rooms import ALICE, BOB, account, append, box, deliver, opened

HELP = TriageRoute("help", categories=("support",), folder="Work/Help", flags=("\\Flagged", "pager"), priority=1)
SET = TOLD | {"\\Flagged", "pager", "$Important"}


@asynccontextmanager
async def routing(store: Store, *routes: TriageRoute) -> AsyncIterator[Subscription[MessageTriaged]]:
    with store.bus.subscribe(MessageTriaged) as heard:
        async with supervise(Triaging(store, marking=True, routes=routes)):
            yield heard


def uids(store: Store, name: str = "INBOX", address: str = ALICE) -> list[int]:
    mailbox = box(store, name, address)
    return [uid for uid, _ in store.mailboxes.rows(mailbox, range(1, 100), ("message",))]


async def test_a_route_moves_into_a_folder_that_is_made_and_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as store, routing(store, HELP) as heard:
        await deliver(store, OUTAGE)
        (event,) = await hears(heard, 1)
        target = box(store, "Work/Help")
        assert (event.mailbox, event.moved, event.priority) == (target.id, True, 1)
        assert (event.category, event.urgency, event.needs_response) == ("support", "critical", True)
        assert not uids(store) and len(uids(store, "Work/Help")) == 1
        assert await words(store, target, event.uid) == SET
        assert {"Work", "Work/Help"} <= {mailbox.name for mailbox in store.mailboxes.list(account(store).id)}
        assert "Work/Help" in store.mailboxes.subscribed(account(store).id)
        assert store.triages.routed(1) == [
            Routed(account(store).id, "help", "Work/Help", "$Important pager \\Flagged", 1)
        ]
        assert not store.lessons.open(10), "what a machine moves teaches nothing"


async def test_the_first_route_for_a_user_holds_and_others_keep_their_mail(tmp_path: Path) -> None:
    routes = (
        TriageRoute("bob", users=(BOB.upper(),), folder="Mine"),
        TriageRoute("flag", flags=("seen-by-route",)),
        HELP,
    )
    async with opened(tmp_path) as store, routing(store, *routes) as heard:
        await deliver(store, OUTAGE, (ALICE, BOB))
        await hears(heard, 2)
        assert uids(store, "INBOX") == [1] and not uids(store, "INBOX", BOB)
        assert uids(store, "Mine", BOB) == [1]
        assert await words(store, box(store), 1) == TOLD | {"seen-by-route"}
        assert [one.route for one in store.triages.routed(1)] == ["flag", "bob"]
        await store.accounts.remove(BOB)
        assert [one.route for one in store.triages.routed(1)] == ["flag"]


async def test_what_the_user_or_a_script_touched_stays_where_it_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        inbox, archive, me = box(store), box(store, "Archive"), account(store).id
        for _ in range(4):
            await deliver(store, OUTAGE)
        await store.mailboxes.store_flags(inbox, [1], "add", Flags(SEEN))
        await store.mailboxes.move(inbox, [2], archive)
        _, (back,) = await store.mailboxes.move(archive, [1], inbox)
        await store.mailboxes.store_flags(inbox, [3], "add", Flags(0, frozenset({"mine"})))
        await store.mailboxes.store_flags(inbox, [4], "add", Flags(FLAGGED))
        for place, flags in ((archive.id, Flags()), (inbox.id, Flags(FLAGGED))):  # fileinto, and setflag with keep
            await store.deliver(await store.prepare(OUTAGE), [Recipient(me, place, ALICE, flags)])
        async with routing(store, HELP):
            await worked_off(store)
        assert uids(store) == [1, 3, 4, back, back + 1]
        assert len(uids(store, "Archive")) == 1
        assert all(mailbox.name != "Work/Help" for mailbox in store.mailboxes.list(me))
        assert not any(store.triages.routed(message) for message in range(1, 7))


async def test_a_folder_that_is_junk_or_cannot_be_made_gets_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, mailboxes=8) as store:
        await store.mailboxes.create(account(store).id, "Spam")
        await store.commits.do(
            lambda db, facts: db.execute("UPDATE mailbox SET special_use = NULL WHERE name = 'Junk'")
        )
        await store.commits.do(
            lambda db, facts: db.execute("UPDATE mailbox SET special_use = '\\Junk' WHERE name = 'Spam'")
        )
        for folder in ("Spam", "A/B/C/D/E/F"):
            async with routing(store, TriageRoute("there", folder=folder, flags=("tried",))) as heard:
                await deliver(store, OUTAGE)
                (event,) = await hears(heard, 1)
                assert event.mailbox == box(store).id and not event.moved
                assert await words(store, box(store), event.uid) == TOLD | {"tried"}
        assert {"A", "A/B"}.isdisjoint(mailbox.name for mailbox in store.mailboxes.list(account(store).id))
        assert [one.folder for message in (1, 2) for one in store.triages.routed(message)] == ["", ""]


async def test_an_appended_copy_is_not_routed_and_a_removed_message_forgets_its_route(tmp_path: Path) -> None:
    async with opened(tmp_path) as store, routing(store, HELP) as heard:
        await append(store, box(store), OUTAGE)
        await deliver(store, OUTAGE)
        await hears(heard, 1)
        assert uids(store) == [1]
        target = box(store, "Work/Help")
        await store.mailboxes.store_flags(target, [1], "add", Flags(8))
        await store.mailboxes.expunge(target, None)
        assert store.triages.routed(2) == []


BASE = {"hostname": "mail.example.test", "domains": ["example.test"]}


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ({"categories": ["bills"], "folder": "B"}, 'categories can be spam, newsletter, .*not "bills"'),
        ({"urgency": "huge", "folder": "B"}, "urgency can be low, normal, high, critical"),
        ({"sentiment": "sad", "folder": "B"}, "sentiment can be"),
        ({"language": "de", "folder": "B"}, "language can be fr, en, mixed"),
        ({"notification": "maybe", "folder": "B"}, "notification can be yes, no"),
        ({"users": ["alice"], "folder": "B"}, "users are addresses"),
        ({"folder": "INBOX"}, "not routed to"),
        ({"folder": "a//b"}, "no name of a folder"),
        ({"folder": "B", "flags": ["\\Deleted"]}, "flags are"),
        ({"folder": "B", "flags": ["$NotJunk"]}, "flags are"),
        ({"folder": "B", "priority": 9}, "from 1 to 5"),
        ({"categories": ["billing"]}, "says nothing of what becomes"),
        ({"folder": "B", "name": ""}, "needs a name of its own"),
        ({"folder": "B", "colour": "red"}, "colour"),
    ],
)
def test_a_wrong_route_is_named_when_the_configuration_is_read(route: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check(parse({**BASE, "triage": {"routes": [{"name": "x", **route}]}}), "gk.toml")


def test_two_routes_of_one_name_are_refused() -> None:
    twice = [{"name": "x", "folder": "A"}, {"name": "x", "folder": "B"}]
    with pytest.raises(ConfigError, match="route 2 needs a name of its own"):
        check(parse({**BASE, "triage": {"routes": twice}}), "gk.toml")
