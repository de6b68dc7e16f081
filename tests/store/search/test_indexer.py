"""The child process: what it indexes and forgets, and what a kill, a damaged file or a foreign one leads to."""

import asyncio
import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gk.store.db import Store
from gk.store.reindex import reindex
from gk.store.search.schema import DATABASE, document
from tests.store.rooms import LARGE, account, append, box, message, opened
from tests.store.search import scanning
from tests.store.search.rooms import indexing, rows
from tests.store.search.scanning import agrees, asked, needles

CERTAIN = "body of 1"


async def filled(store: Store, count: int, first: int = 0) -> dict[int, bytes]:
    """Messages in alice's INBOX, by uid."""
    chance = random.Random(count + first)
    raws = [message(first + n) if n % 3 else scanning.message(chance) for n in range(count)]
    return {await append(store, box(store), raw): raw for raw in raws}


async def right(store: Store, raws: dict[int, bytes]) -> int:
    """See that all answers are those of the scan; how many were unsure."""
    return await asked(store, box(store), raws, [CERTAIN, *needles(random.Random(1), list(raws.values()), 5)[-5:]])


async def test_without_an_index_every_message_is_unsure(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        raws = await filled(store, 4)
        found = await store.search.find(box(store), "body", "text")
        assert (list(found.uids), list(found.unsure)) == ([], list(raws))
        assert await store.search.previews(box(store), list(raws)) == {}
        assert (await store.search.words(box(store), "body"))[0] == []
        assert await store.search.keys(box(store), [3], ("subject",)) == [(3, "MESSAGE 2")]
        assert not (tmp_path / DATABASE).exists()


async def test_what_is_not_indexed_yet_is_unsure_and_then_certain(tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        raws = await filled(store, 10)
        await indexer.rest()
        late = await append(store, box(store), message(77))
        found = await store.search.find(box(store), "body of", "body")
        assert late in found.uids or late in found.unsure
        raws[late] = message(77)
        await indexer.rest()
        assert await right(store, raws) == 0
        assert list((await store.search.find(box(store), "BODY OF 77", "body")).uids) == [late]


async def test_messages_in_every_resting_place_are_indexed(tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        for number in range(30):  # journal, spool and files, while the filer moves them
            await append(store, box(store), message(number, LARGE if number % 10 == 0 else 0))
        await asyncio.gather(store.filer.rest(), indexer.rest())
        found = await store.search.find(box(store), "body of 1", "body")
        assert list(found.uids) == [2, *range(11, 21)]
    (tmp_path / DATABASE).unlink()
    async with indexing(tmp_path) as (store, indexer):  # and again, from files alone
        await indexer.rest()
        assert list((await store.search.find(box(store), "body of 1", "body")).uids) == [2, *range(11, 21)]


async def test_a_message_is_forgotten_when_its_account_has_it_nowhere(tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        inbox, archive = box(store), box(store, "Archive")
        await append(store, inbox, message(1))
        await append(store, inbox, message(2))
        await store.mailboxes.copy(inbox, [1], archive)
        await indexer.rest()
        assert len(rows(tmp_path, "SELECT id FROM document")) == 2
        await store.mailboxes.move(inbox, [1, 2], box(store, "Trash"))
        await store.mailboxes.delete(account(store).id, "Trash")
        await indexer.rest()
        owner = account(store).id
        for table in ("document", "field", "key"):
            assert rows(tmp_path, f"SELECT id FROM {table}") == [(document(owner, 1),)]
        for table, word in (("head", "mes"), ("body", "bod"), ("word", "body")):
            assert rows(tmp_path, f"SELECT rowid FROM {table} WHERE {table} MATCH '{word}'") == [(document(owner, 1),)]
            with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
                db.execute(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")
        assert list((await store.search.find(archive, CERTAIN, "body")).uids) == [1]
        assert store.reader.execute("SELECT count(*) FROM dropped").fetchone() == (0,)


async def test_nothing_is_left_of_what_was_erased(tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        for number in range(20):
            await append(store, box(store), message(number))
        secret = await append(store, box(store), b"Subject: xylophone\r\n\r\nthe xylophone\r\n")
        await indexer.rest()
        assert any(b"xylophone" in file.read_bytes() for file in tmp_path.glob("search.db*"))
        await store.mailboxes.move(box(store), [secret], box(store, "Trash"))
        await store.mailboxes.delete(account(store).id, "Trash")
        await indexer.erase()
        assert all(b"ylophone" not in file.read_bytes() for file in tmp_path.glob("search.db*"))
        assert list((await store.search.find(box(store), CERTAIN, "body")).uids) == [2, *range(11, 21)]


async def test_a_child_killed_at_any_moment_is_followed_by_another(tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        chance, raws = random.Random(5), {}
        for turn in range(6):
            raws |= await filled(store, 40, turn * 40)
            gone = raws.popitem()[0]
            await store.mailboxes.move(box(store), [gone], box(store, "Trash"))
            resting = asyncio.ensure_future(indexer.rest())
            for _ in range(chance.randint(0, 30)):
                await store.search.find(box(store), CERTAIN, "text")
            if indexer.pid:
                os.kill(indexer.pid, signal.SIGKILL)
            await right(store, raws)
            await resting
        assert await right(store, raws) == 0
        assert len(rows(tmp_path, "SELECT id FROM document")) == 240


PARENT = """
import asyncio, sys
from pathlib import Path
from tests.store.search.test_indexer import filled, indexing
async def main():
    async with indexing(Path(sys.argv[1])) as (store, indexer):
        await filled(store, 20)
        await indexer.rest()
        print(indexer.pid, flush=True)
        await filled(store, 200, 20)
        await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_a_child_without_its_parent_ends(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout:
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
        assert select.select([child], [], [], 20)[0], "it goes on"
        os.close(child)
    async with indexing(tmp_path) as (store, indexer):
        await indexer.rest()
        contents = store.reader.execute("SELECT count(*) FROM entry").fetchone()[0]
        assert contents >= 20
        assert rows(tmp_path, "SELECT count(*) FROM document") == [(contents,)]


async def test_the_child_holds_neither_the_lock_nor_any_door(tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        async with server:
            await filled(store, 3)
            await indexer.rest()
            listing = Path(f"/proc/{indexer.pid}/fd")
            held = {str(fd.readlink()) for fd in listing.iterdir()}
            assert not [path for path in held if path.endswith("/lock")]
            assert len([path for path in held if path.startswith("socket:")]) <= 1  # its standard input
            assert os.getpriority(os.PRIO_PROCESS, indexer.pid or 0) > os.getpriority(os.PRIO_PROCESS, 0)


def garbage(path: Path, share: float) -> None:
    """Overwrite that share of a file, here and there."""
    chance = random.Random(3)
    with path.open("r+b") as file:
        size = path.stat().st_size
        for _ in range(max(1, int(share * size / 1000))):
            file.seek(chance.randrange(size))
            file.write(chance.randbytes(1000))


@pytest.mark.parametrize("share", [0.001, 0.05, 1.0])
async def test_a_file_somebody_wrote_to_is_made_anew(share: float, tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        raws = await filled(store, 60)
        await indexer.rest()
        assert await right(store, raws) == 0
    garbage(tmp_path / DATABASE, share)
    async with indexing(tmp_path) as (store, indexer):
        await right(store, raws)
        await indexer.rest()
        assert await right(store, raws) == 0


@pytest.mark.parametrize("share", [0.05, 1.0])
async def test_a_file_destroyed_while_it_is_used_does_not_stop_searches(share: float, tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        raws = await filled(store, 60)
        await indexer.rest()
    async with indexing(tmp_path) as (store, indexer):
        garbage(tmp_path / DATABASE, share)
        (tmp_path / f"{DATABASE}-wal").write_bytes(b"")
        for _ in range(3):
            await right(store, raws)
        raws |= await filled(store, 10, 100)
        await indexer.rest()
        await right(store, raws)
        await indexer.rest()
        assert await right(store, raws) == 0


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE meta SET value = value + 1 WHERE name = 'identity'",
        "UPDATE meta SET value = 1 << 39 WHERE name = 'mark'",
        "PRAGMA user_version = 99",
        "DROP TABLE head",
        "DELETE FROM meta",
    ],
)
async def test_an_index_of_another_database_or_version_is_made_anew(change: str, tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        raws = await filled(store, 12)
        await indexer.rest()
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as db:
        db.execute(change)
    (tmp_path / "search.stamp").unlink(missing_ok=True)  # as after a kill, so that the stamp does not tell
    async with indexing(tmp_path) as (store, indexer):
        await right(store, raws)
        await indexer.rest()
        assert await right(store, raws) == 0


async def test_an_empty_file_is_filled(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"")
    async with indexing(tmp_path) as (store, indexer):
        raws = await filled(store, 5)
        await indexer.rest()
        assert await right(store, raws) == 0


async def test_an_index_closed_in_order_is_not_made_anew(tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        raws = await filled(store, 5)
        await indexer.rest()
        await right(store, raws)
    before = (tmp_path / DATABASE).stat().st_ino
    assert (tmp_path / "search.stamp").exists()
    async with indexing(tmp_path) as (store, indexer):
        await indexer.rest()
        assert await right(store, raws) == 0
        assert (tmp_path / DATABASE).stat().st_ino == before
        assert not (tmp_path / "search.stamp").exists()


async def test_a_message_that_cannot_be_read_is_unsure_and_stops_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for number in range(5):
            await append(store, box(store), message(number))
        await store.filer.rest()
    (broken,) = (tmp_path / "mail").glob("*/cur/*U3,*")
    broken.write_bytes(broken.read_bytes().replace(b"body", b"ydob"))
    (lost,) = (tmp_path / "mail").glob("*/cur/*U4,*")
    lost.unlink()
    async with indexing(tmp_path) as (store, indexer):
        await indexer.rest()
        found = await store.search.find(box(store), "body of", "body")
        assert (list(found.uids), list(found.unsure)) == ([1, 2, 5], [3, 4])
        assert await store.search.keys(box(store), [3], ("subject",)) == [(3, "MESSAGE 2")]
        assert sorted(await store.search.previews(box(store), [1, 2, 3, 4, 5])) == [1, 2, 5]


async def test_a_large_message_takes_little_memory(tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        html = b"Content-Type: text/html\r\n\r\n" + b"<p>some words</p>\r\n" * 1_500_000
        await append(store, box(store), html)
        await indexer.rest()
        status = Path(f"/proc/{indexer.pid}/status").read_text()
        peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
        assert peak < 100_000, f"{peak} KiB for a message of {len(html) >> 10}"
        assert await store.search.previews(box(store), [1]) == {1: ("some words " * 18).rstrip() + "…"}


async def test_a_reindex_leaves_no_index(tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        await filled(store, 3)
        await asyncio.gather(indexer.rest(), store.filer.rest())
    reindex(tmp_path)
    assert not list(tmp_path.glob("search.*"))


async def test_many_searches_share_few_connections_and_can_be_cancelled(tmp_path: Path) -> None:
    async with indexing(tmp_path) as (store, indexer):
        raws = await filled(store, 50)
        await indexer.rest()
        asking = [asyncio.ensure_future(store.search.find(box(store), "e", "text")) for _ in range(40)]
        await asyncio.sleep(0)
        for one in asking[::2]:
            one.cancel()
        done = await asyncio.gather(*asking, return_exceptions=True)
        for found in done[1::2]:
            assert not isinstance(found, BaseException)
            agrees(found, raws, "e", "text")
        assert await right(store, raws) == 0
