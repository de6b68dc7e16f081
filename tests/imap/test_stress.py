"""Many clients work on the same mailboxes at once, and everything each of them is told agrees with all it was told.

`GK_STRESS_SECONDS` and `GK_STRESS_CLIENTS` make it long; `GK_STRESS_CHANCE` repeats the dice of a failure.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.imap.client import Client
from tests.imap.conftest import ALICE, House, house
from tests.imap.mirror import Gone, Mirror, World
from tests.imap.worker import BOXES, Worker

SECONDS = float(os.environ.get("GK_STRESS_SECONDS", "4"))
CLIENTS = int(os.environ.get("GK_STRESS_CLIENTS", "10"))
CHANCE = os.environ.get("GK_STRESS_CHANCE")
TRAITS: list[tuple[str, ...]] = [
    (),
    ("CONDSTORE",),
    ("QRESYNC",),
    ("IMAP4rev2",),
    ("NOTIFY",),
    ("QRESYNC", "IMAP4rev2"),
    ("QRESYNC", "NOTIFY"),
]


async def settle(mirror: Mirror, house: House) -> None:
    """Everybody has stopped: what a client knows after a NOOP is what is there."""
    if mirror.client is not None:
        try:
            await mirror.ok("NOOP")
        except Gone:
            await mirror.drop()
    if mirror.client is None:
        await mirror.connect()
    if mirror.box is None or mirror.box.name != "INBOX":
        if mirror.kept and mirror.vanishing:
            await mirror.resume("INBOX")
        else:
            await mirror.select("INBOX")
    await mirror.ok("NOOP")
    box = mirror.chosen()
    believed, places = dict(box.flags), list(box.uids)
    fresh = await Client.login(house.port)
    there = Mirror(house.port, World(), "", ())
    there.client = fresh
    await there.select("INBOX", read_only=True)
    if there.chosen().uids:
        await there.ok("UID FETCH 1:* (FLAGS)")
    true = there.chosen()
    assert [uid if known is not None else None for uid, known in zip(true.uids, places, strict=True)] == places
    assert believed == {uid: true.flags[uid] for uid in believed}
    await there.drop()


@pytest.mark.timeout(SECONDS * 3 + 60)
async def test_what_every_client_is_told_agrees_with_all_it_was_told(crowded: House) -> None:
    imap = crowded
    chance = CHANCE or str(random.randrange(1 << 30))
    world = World()
    mirrors = [Mirror(imap.port, world, f"{chance} {n}", TRAITS[n % len(TRAITS)]) for n in range(CLIENTS)]
    workers = [Worker(imap, mirror) for mirror in mirrors]

    async def work(worker: Worker, until: float) -> None:
        mirror = worker.mirror
        try:
            await worker.work(until)
        except Exception as error:
            error.add_note(f"GK_STRESS_CHANCE={chance}; a client with {mirror.traits} heard last:")
            error.add_note("\n".join(line.decode("utf-8", "replace").rstrip() for line in mirror.log))
            raise

    async with asyncio.TaskGroup() as crowd:
        for worker in workers:
            crowd.create_task(work(worker, time.monotonic() + SECONDS))
    for worker in workers:
        try:
            await settle(worker.mirror, imap)
        except Exception as error:
            error.add_note(f"GK_STRESS_CHANCE={chance}; at the end, a client with {worker.mirror.traits}")
            error.add_note("\n".join(line.decode("utf-8", "replace").rstrip() for line in worker.mirror.log))
            raise


@pytest.fixture
async def crowded(tmp_path: Path) -> AsyncIterator[House]:
    """A server that lets everybody come back as often as they like, and some mailboxes."""
    async with house(tmp_path / "data", new_connections_per_minute=100_000) as opened:
        account = opened.store.accounts.get(ALICE)
        for name in BOXES[1:]:
            await opened.store.mailboxes.create(account.id, name, None)
        yield opened
