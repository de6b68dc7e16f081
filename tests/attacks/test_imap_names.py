"""Names given by users never reach the file system unescaped, and every mailbox has one name only."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gk.message import utf7
from tests.attacks.conftest import Target
from tests.attacks.wire import Imap, imap
from tests.imap.client import message
from tests.server import Running, running

NAMES = [
    "..", ".", "...", "../x", "../../x", "x/..", "x/../y", "x/./y", "/", "//", "/etc/passwd", "/x", "x//y", "x/",
    "~", "~root",
    "~/x", "a\\..\\b", "..\\x", "\\", "C:\\x", "\\\\server\\x", "cur", "new", "tmp", "x/cur", "x/cur/y", ".x",
    ".x.y", "x.y",
    "x..y", "INBOX/..", "inbox/../x", "INBOX.x", "dovecot-keywords", "gk-mailbox", "lock", "gk.db", "gk.sock",
    "maildirfolder",
    ".INBOX", "CON", "NUL", "AUX.txt", "COM1", "LPT1", "x:y", "x::$DATA", "x|y", "x;rm -rf .", "$(id)", "`id`",
    "x&y", "x&-y",
    "%2e%2e%2f", "%00", "=2e=2e", "x=2Fy", "-rf", "--help", "*", "x*y", "?", '"', "'", "(", ")", "{5}", "[", "]",
    "<x>", "#x",
    "#news.x", " ", " x", "x ", "x  y", "é", "e\u0301", "日本語", "\u202egpj.x", "\u200b", "\ufeffx", "\ufffd", "😀",
    "İ", "ß",
    "x" * 255, "x" * 256, "é" * 127, "é" * 128, "日" * 85, "日" * 86, "x" * 1000, "/".join(["d"] * 20),
    "/".join(["d"] * 21),
    "/".join(["x" * 255] * 20),
]  # fmt: skip
BYTES = [
    b"\0", b"x\0y", b"x\r\ny", b"x\ny", b"\x1b[2J", b"\x7f", b"\x01", b"x\ty", b"\xff", b"\xc0\xae\xc0\xae/x",
    b"\xed\xa0\x80",
    b"\xc2\x85", b"\xe2\x80\xa8", b"&", b"&x", b"&-", b"&AC4ALg-", b"&AC8-", b"&AAA-", b"&AA0ACg-", b"x&AC8-y",
    b"&ACY-",
    b"&AGE-", b"&2AA-", b"&2D3eAA-&2D3eAA-", b"&!-", b"&AOk", b"&AOk-", b"&AOk=-", b"&AOkA-", b"&AO,-", b"&AO/-",
    b"&-&-", b"&U,BTFw-",
    b"&" * 200, b"&AOk-" * 60, b"",
]  # fmt: skip


def literal(name: bytes) -> bytes:
    return b"{%d+}\r\n%b" % (len(name), name)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose directory nobody else writes to."""
    with running(tmp_path_factory.mktemp("names")) as server:
        yield server


async def filled(client: Imap, name: bytes) -> str:
    """Make a mailbox with a message in it; how CREATE was answered."""
    answer = await client.say(b"CREATE " + literal(name))
    if answer.startswith("OK"):
        content = message("canary")
        appended = await client.say(
            b"APPEND " + literal(name.removesuffix(b"/") or name) + b" {%d+}\r\n" % len(content) + content
        )
        assert appended.startswith("OK"), (name, appended)
    return answer


async def test_no_name_leaves_the_directory_of_its_account(house: Running) -> None:
    names = [(utf7.encode(name), True) for name in NAMES] + [(raw, False) for raw in BYTES]
    made: list[bytes] = []
    for start in range(0, len(names), 15):  # sessions, since bad commands are counted
        async with imap(house, "alice") as client:
            for raw, valid in names[start : start + 15]:
                answer = await filled(client, raw)
                assert answer.startswith(("OK", "NO") if valid else ("OK", "NO", "BAD")) or answer == "", (raw, answer)
                if not answer:  # the literal held what no literal can
                    break
                if answer.startswith("OK"):
                    made.append(raw.removesuffix(b"/") or raw)
    assert len(made) > 50
    async with imap(house, "alice") as client:
        listed = b"".join(await client.ok('LIST "" "*"'))
        for raw in made:
            responses = await client.ok(b"EXAMINE " + literal(raw))
            assert any(line.startswith(b"* 1 EXISTS") for line in responses), raw
            assert raw in listed or b'"' in raw or b"\\" in raw, raw
        assert b"canary" not in listed
        await client.ok("CREATE After")
    assert house.stop() == 0  # everything is filed
    inside(house.directory)
    assert house.gk("verify").returncode == 0
    house.start()
    async with imap(house, "alice") as client:
        for raw in made:
            assert (await client.say(b"DELETE " + literal(raw))).startswith("OK"), raw
    assert house.stop() == 0
    inside(house.directory)
    assert house.gk("verify").returncode == 0
    house.start()


def inside(root: Path) -> None:
    """Everything on the disk is where the server puts things, under names it makes."""
    assert {path.name for path in root.iterdir()} <= {"data", "gk.toml", "log"}
    known = {
        "gk.db",
        "gk.db-wal",
        "gk.db-shm",
        "search.db",
        "mail",
        "spool",
        "keys",
        "lock",
        "ballast",
        "gk.sock",
        "search.stamp",
        "backup",
        "tls",
    }
    assert {path.name for path in (root / "data").iterdir()} <= known
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 &+,_-=.:")
    for folder, folders, files in os.walk(root / "data" / "mail"):
        depth = len(Path(folder).relative_to(root / "data" / "mail").parts)
        assert depth <= 3, folder
        for name in folders + files:
            assert set(name) <= allowed and len(name.encode()) <= 255, name
            assert name not in (".", "..") and (
                depth != 1 or name.startswith(".") or name in ("cur", "new", "tmp") or name in files
            )


async def test_two_encodings_are_never_two_names_for_one_mailbox(target: Target) -> None:
    async with imap(target.server, "bob") as client:
        for raw in (b"inbox", b"InBoX", b"{5+}\r\nINBOX", b'"INBOX"'):
            assert (await client.say(b"CREATE " + raw)).startswith("NO"), raw
            assert (await client.say(b"DELETE " + raw)).startswith("NO"), raw
        await client.ok("CREATE &AOk-")
        assert (await client.say("CREATE é".encode())).startswith(("NO", "BAD"))
        assert (await client.say(b"CREATE {2+}\r\n" + "é".encode())).startswith("NO")
        assert (await client.say("CREATE &AOkA-")).startswith("NO")
        await client.ok("DELETE &AOk-")


async def test_renaming_reaches_no_further_than_creating(target: Target) -> None:
    async with imap(target.server, "bob") as client:
        await client.ok("CREATE From")
        for name in (
            b"../x",
            b"..",
            b"/etc/x",
            b"x//y",
            b"From/below",
            b"\xff",
            b"x" * 256,
            b"inbox",
            b"INBOX",
            b"/".join([b"d"] * 21),
        ):
            assert (await client.say(b"RENAME From " + literal(name))).startswith("NO"), name
        await client.ok("CREATE From/a/b/c/d/e/f")
        assert (await client.say("RENAME From " + "/".join(["d"] * 18))).startswith("NO")
        await client.ok("RENAME From To")
        assert b"To/a/b/c/d/e/f" in b"".join(await client.ok('LIST "" "*"'))
        for depth in range(6, -1, -1):
            await client.ok("DELETE To" + "".join(f"/{letter}" for letter in "abcdef"[:depth]))
