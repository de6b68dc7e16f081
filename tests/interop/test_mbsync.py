"""mbsync both ways: what was changed on either side, and on both at once, is the same on both afterwards."""

import email
import imaplib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers import need
from tests.server import PASSWORD, Running, running

USER = "alice@example.test"
CONFIG = """\
IMAPStore far
Host 127.0.0.1
Port {port}
User {user}
Pass {password}
SSLType None
AuthMechs PLAIN

MaildirStore near
Path {path}/
Inbox {path}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
Sync All
SyncState *
"""

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    need("mbsync", "isync")
    (tmp_path / "server").mkdir()
    with running(tmp_path / "server") as up:
        yield up
        assert up.gk("verify", "--content").stdout == "all is well\n"


class Pair:
    """The mailbox on the server, and the Maildir beside it."""

    def __init__(self, server: Running, directory: Path) -> None:
        self.maildir = directory / "mail"
        self.maildir.mkdir()
        self._config = directory / "mbsyncrc"
        self._config.write_text(
            CONFIG.format(port=server.ports["starttls"], user=USER, password=PASSWORD, path=self.maildir)
        )
        self._directory, self._port = directory, server.ports["starttls"]
        self.box = self._login()

    def _login(self) -> imaplib.IMAP4:
        box = imaplib.IMAP4("127.0.0.1", self._port)
        box.login(USER, PASSWORD)
        return box

    def connect(self) -> None:
        """Log in again."""
        self.box.shutdown()
        self.box = self._login()

    def sync(self) -> None:
        done = subprocess.run(
            ["mbsync", "-c", str(self._config), "all"],
            capture_output=True,
            check=False,
            timeout=60,
            env={"HOME": str(self._directory), "PATH": "/usr/bin:/bin"},
        )
        assert done.returncode == 0, done.stderr.decode()

    def append(self, name: str, folder: str = "INBOX") -> None:
        assert self.box.append(folder, "", None, _message(name))[0] == "OK"  # type: ignore[arg-type]

    def drop(self, name: str, folder: str = "INBOX") -> None:
        """A new message on the near side."""
        (self.maildir / folder / "cur" / f"1700000000.{name}.host:2,").write_bytes(_message(name))

    def near(self, folder: str = "INBOX") -> dict[str, str]:
        """Name → Maildir letters."""
        found = {}
        for sub in ("new", "cur"):
            for path in (self.maildir / folder / sub).iterdir():
                subject = email.message_from_bytes(path.read_bytes())["Subject"]
                found[subject] = path.name.partition(":2,")[2]
        return found

    def letters(self, name: str, letters: str, folder: str = "INBOX") -> None:
        """Set the letters of a message of the near side."""
        for sub in ("new", "cur"):
            for path in (self.maildir / folder / sub).iterdir():
                if email.message_from_bytes(path.read_bytes())["Subject"] == name:
                    path.rename(self.maildir / folder / "cur" / f"{path.name.partition(':2,')[0]}:2,{letters}")
                    return
        raise AssertionError(f"there is no {name}")

    def far(self, folder: str = "INBOX") -> dict[str, set[str]]:
        """Name → flags."""
        self.box.select(folder, readonly=True)
        found = {}
        for number in self.box.search(None, "ALL")[1][0].split():
            _, data = self.box.fetch(number, "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            flags = {flag.decode() for part in data for flag in imaplib.ParseFlags(_head(part))}
            header = next(part[1] for part in data if isinstance(part, tuple))
            found[email.message_from_bytes(header)["Subject"]] = flags - {"\\Recent"}
        return found

    def flag(self, name: str, flags: str, folder: str = "INBOX") -> None:
        self.box.select(folder)
        (number,) = self.box.search(None, "SUBJECT", name)[1][0].split()
        assert self.box.store(number, "+FLAGS", flags)[0] == "OK"


@pytest.fixture
def pair(server: Running, tmp_path: Path) -> Iterator[Pair]:
    made = Pair(server, tmp_path)
    yield made
    made.box.shutdown()


def _head(part: object) -> bytes:
    return part[0] if isinstance(part, tuple) else part if isinstance(part, bytes) else b""


def _message(name: str) -> bytes:
    return f"From: ann@example.org\r\nSubject: {name}\r\nMessage-ID: <{name}@example.org>\r\n\r\n{name}\r\n".encode()


def test_changes_on_both_sides_meet(pair: Pair) -> None:
    for name in ("one", "two", "three", "four", "five"):
        pair.append(name)
    pair.sync()
    assert set(pair.near()) == {"one", "two", "three", "four", "five"}
    # here
    pair.letters("one", "F")
    pair.letters("two", "T")
    pair.letters("five", "RS")
    pair.drop("near-new")
    # there, some of it to the same messages
    pair.flag("one", "(\\Seen)")
    pair.flag("two", "(\\Answered)")
    pair.flag("three", "(\\Deleted)")
    pair.append("far-new")
    pair.sync()
    pair.sync()
    left = {"one", "four", "five", "near-new", "far-new"}
    assert set(pair.near()) == set(pair.far()) == left
    assert pair.far()["one"] == {"\\Seen", "\\Flagged"} and pair.near()["one"] == "FS"
    assert pair.far()["five"] == {"\\Seen", "\\Answered"}


def test_folders_made_on_either_side_appear_on_the_other(pair: Pair) -> None:
    pair.sync()
    assert pair.box.create('"Projects/Entw&APw-rfe &- more"')[0] == "OK"
    pair.append("in-a-folder", '"Projects/Entw&APw-rfe &- more"')
    for sub in ("cur", "new", "tmp"):
        (pair.maildir / "Near only" / sub).mkdir(parents=True)
    pair.drop("of-the-near", "Near only")
    pair.sync()
    assert set(pair.near("Projects/Entw&APw-rfe &- more")) == {"in-a-folder"}
    assert set(pair.far('"Near only"')) == {"of-the-near"}


def test_a_sync_after_a_crash_of_the_server_loses_nothing(server: Running, pair: Pair) -> None:
    pair.append("before")
    pair.sync()
    pair.drop("while-down")
    pair.append("last")
    server.stop(signal.SIGKILL)
    server.start()
    pair.connect()
    pair.sync()
    assert set(pair.near()) == set(pair.far()) == {"before", "while-down", "last"}
