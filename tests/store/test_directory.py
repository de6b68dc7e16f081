"""The data directory: one owner, migrations with a backup, refusals with their remedy; disks that fail or fill."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gk.errors import ConfigError, DiskFull, Unavailable
from gk.store import directory, schema
from gk.store.values import DELETED, Flags
from gk.store.verify import verify
from tests.store.rooms import LARGE, append, box, message, opened, read


async def test_a_directory_in_use_names_its_owner(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(ConfigError, match=f"in use by another gk .process {os.getpid()}"):
            async with opened(tmp_path):
                pass
    async with opened(tmp_path):
        pass  # and is free again afterwards


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "gk.db") as db:
        db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    db.close()
    with pytest.raises(ConfigError, match="newer gk"):
        async with opened(tmp_path):
            pass


async def test_a_migration_is_preceded_by_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as store:
        await append(store, box(store), message(1))
    steps = [*schema.MIGRATIONS, lambda db: db.execute("ALTER TABLE message ADD COLUMN added INTEGER")]
    monkeypatch.setattr(directory, "MIGRATIONS", steps)
    monkeypatch.setattr(directory, "VERSION", len(steps))
    async with opened(tmp_path) as store:
        assert await read(store, box(store), 1) == message(1)
        assert store.reader.execute("SELECT added FROM message").fetchall() == [(None,)]
    (copy,) = (tmp_path / "backup").iterdir()
    with sqlite3.connect(copy) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        assert db.execute("SELECT count(*) FROM message").fetchone() == (1,)
    db.close()


async def test_a_migration_that_fails_leaves_the_database_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path):
        pass

    def breaks(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE half (a)")
        raise ZeroDivisionError

    monkeypatch.setattr(directory, "MIGRATIONS", [*schema.MIGRATIONS, breaks])
    monkeypatch.setattr(directory, "VERSION", schema.VERSION + 1)
    with pytest.raises(ZeroDivisionError):
        async with opened(tmp_path):
            pass
    with sqlite3.connect(tmp_path / "gk.db") as db:
        assert db.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchall() == []
    db.close()


async def test_the_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    async with opened(tmp_path) as store:
        await append(store, box(store), message(1))
        await store.filer.rest()
    assert tmp_path.stat().st_mode & 0o77 == 0
    assert (tmp_path / "gk.db").stat().st_mode & 0o77 == 0


async def test_spool_files_nobody_was_told_of_are_removed_at_the_start(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await append(store, box(store), message(1, LARGE))
        spooled = store.spool()
        await spooled.write(b"x" * LARGE)
        assert spooled.path.exists()
    async with opened(tmp_path) as store:
        assert not spooled.path.exists()
        assert await read(store, box(store), 1) == message(1, LARGE)


# --- disks that fill and fail


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MiB."""
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(tmp_path)], capture_output=True, check=False
        ).returncode
    )
    if not mounted:
        pytest.skip("a small tmpfs cannot be mounted here")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


async def test_a_full_disk_refuses_mail_lets_mail_be_removed_and_takes_mail_again(small_disk: Path) -> None:
    data = small_disk / "data"
    async with opened(data) as store:
        await store.space.tended.wait()
        kept = 0
        with pytest.raises(DiskFull):
            while True:
                store.space.look()
                store.check_space(LARGE)
                await append(store, box(store), message(kept, LARGE), Flags(DELETED))
                kept += 1
        assert kept > 20
        await store.filer.rest()
        filler = small_disk / "filler"  # somebody else takes what is left, to the last byte
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(bytes(64 << 10))
        with pytest.raises(Unavailable):
            await append(store, box(store), message(0, 5 << 20))
        assert await read(store, box(store), 1) == message(0, LARGE), "reading needs no space"
        gone = await store.mailboxes.expunge(box(store), [1, 2, 3])
        assert gone == [1, 2, 3], "removing mail works at 0 bytes free"
        filler.unlink()
        store.space.look()
        store.check_space(LARGE)
        uid = await append(store, box(store), message(99, LARGE))
        assert await read(store, box(store), uid) == message(99, LARGE)


RECORDER = Path(__file__).parent.parent / "powercut" / "powercut.c"

FAILING = """
import asyncio, sys
from pathlib import Path
from gk.errors import GkError
from tests.store.rooms import LARGE, append, box, message, opened

async def main(data):
    async with opened(data) as store:
        for i in range(200):
            try:
                print("kept", await append(store, box(store), message(i, LARGE if i % 3 == 2 else 0)), i, flush=True)
            except GkError as error:
                print("refused", type(error).__name__, flush=True)
            if i % 20 == 0 and not store.commits.broken:
                await asyncio.wait([asyncio.ensure_future(store.filer.rest())], timeout=1)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture(scope="session")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that records, and fails, what a process syncs."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    library = tmp_path_factory.mktemp("powercut") / "powercut.so"
    subprocess.run(
        ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(RECORDER), "-ldl", "-lpthread"], check=True
    )
    return library


@pytest.mark.parametrize("nth", [12, 13, 14, 15, 25, 40, 61])
async def test_after_a_failed_sync_nothing_is_acknowledged_and_nothing_was_lost(
    nth: int, tmp_path: Path, recorder: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    async with opened(data):
        pass
    environment = dict(os.environ) | {
        "LD_PRELOAD": str(recorder), "POWERCUT_ROOT": str(data), "POWERCUT_MIRROR": str(tmp_path / "mirror"),
        "POWERCUT_FAIL": str(nth),
    }  # fmt: skip
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", FAILING, str(data)], env=environment, capture_output=True, timeout=50
    )
    lines = [line.split() for line in done.stdout.decode().splitlines()]
    words = [line[0] for line in lines]
    assert "refused" in words, done.stderr.decode()
    assert set(words[words.index("refused") :]) == {"refused"}, "read-only until it is restarted"
    async with opened(data) as store:  # what was refused may be there or not, but never by half
        await store.filer.rest()
        assert verify(store.reader, data, content=True) == []
    rebuilt = tmp_path / "rebuilt"
    subprocess.run(
        [sys.executable, str(RECORDER.with_name("powercut_rebuild.py")), "--root", str(data),
         "--mirror", str(tmp_path / "mirror"), "--out", str(rebuilt)],
        check=True, capture_output=True,
    )  # fmt: skip
    async with opened(rebuilt) as store:
        for word, *rest in lines:
            if word == "kept":
                number = int(rest[1])
                assert await read(store, box(store), int(rest[0])) == message(number, LARGE if number % 3 == 2 else 0)
