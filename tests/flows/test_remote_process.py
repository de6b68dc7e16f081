"""The server as a process with an account elsewhere: killed while it takes mail in, asked how it is, its secrets."""

import imaplib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.dovecot import USER, Dovecot, dovecot
from tests.inbound.remote.elsewhere import USES, put, with_client
from tests.server import PASSWORD, USERS, Running, prepared
from tests.store.rooms import message

ALICE = USERS[0]
MAILS = 1200
SECRET = "a secret of far away"
REMOTE = """
[[remote]]
name = "work"
address = "ann@far.test"
owner = "{owner}"
host = "127.0.0.1"
port = {port}
tls = false
user = "{user}"
password_file = "password"
mailbox = "Work"
"""


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Dovecot]:
    root = tmp_path / "dovecot"
    root.mkdir()
    with dovecot(root, uses=USES) as opened:
        yield opened


def server(directory: Path, port: int, password: str = PASSWORD) -> Running:
    secret = directory / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    return prepared(directory, REMOTE.format(owner=ALICE, port=port, user=USER))


def taken(running: Running) -> int:
    """How many messages are in step, by the database itself."""
    with closing(sqlite3.connect(f"file:{running.data / 'gk.db'}?mode=ro", uri=True)) as db:
        (count,) = db.execute("SELECT count(*) FROM remote_message WHERE uid IS NOT NULL").fetchone()
        return int(count)


def until(holds: object, patience: float = 60) -> None:
    end = time.monotonic() + patience
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.005)


def numbers(running: Running) -> list[str]:
    """The subjects in the mailbox here."""
    with imaplib.IMAP4("127.0.0.1", running.ports["starttls"], 30) as client:
        client.login(ALICE, PASSWORD)
        client.select("Work", readonly=True)
        answer = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        return sorted(part[1].decode().split()[-1] for part in answer if isinstance(part, tuple))


@pytest.mark.timeout(240)
def test_a_server_that_is_killed_loses_nothing_and_doubles_nothing(there: Dovecot, tmp_path: Path) -> None:
    with_client(there.port, put(*map(message, range(MAILS))))
    running = server(tmp_path, there.port)
    seen = []
    for _ in range(3):
        running.start()
        before = seen[-1] if seen else 0
        until(lambda before=before: taken(running) >= min(before + 150, MAILS))
        running.stop(signal.SIGKILL)
        seen.append(taken(running))
    running.start()
    try:
        until(lambda: taken(running) == MAILS)
        assert numbers(running) == sorted(map(str, range(MAILS)))
        assert seen[0] < MAILS  # it was killed in the middle
        (told,) = json.loads(running.gk("remote", "list", "--json").stdout)
        assert told["name"] == "work" and told["owner"] == ALICE and not told["error"]
        until(lambda: json.loads(running.gk("remote", "list", "--json").stdout)[0]["synced"] > 0)
        assert running.gk("remote", "sync", "work").stdout == "all was in step\n"
        assert "accounts elsewhere: 1, in step" in running.gk("status").stdout
        assert 'gk_remote_accounts{state="watching"} 1.0' in running.gk("status", "--metrics").stdout
        assert "no account elsewhere called" in running.gk("remote", "sync", "x", check=False).stderr
    finally:
        running.stop()


def test_a_password_is_shown_nowhere(there: Dovecot, tmp_path: Path) -> None:
    running = server(tmp_path, there.port, SECRET)
    running.start()
    try:
        until(lambda: json.loads(running.gk("remote", "list", "--json").stdout)[0]["error"])
        assert "refuses the login" in running.gk("remote", "list").stdout
        assert "accounts elsewhere: 1, 1 failing" in running.gk("status").stdout
        shown = running.gk("config", "show").stdout + running.gk("status", "--metrics").stdout + running.log.read_text()
        assert "ann@far.test" in shown and SECRET not in shown
        assert "ann" not in running.log.read_text()
    finally:
        running.stop()
    kept = b"".join(path.read_bytes() for path in running.data.rglob("*") if path.is_file())
    assert SECRET.encode() not in kept


def test_without_a_server_the_command_does_it_itself_and_after_a_reindex_knows_all_again(
    there: Dovecot, tmp_path: Path
) -> None:
    with_client(there.port, put(message(1)))
    running = server(tmp_path, there.port)
    assert running.gk("remote", "sync", "work").stdout == "1 new, 1 senders, 1 conversations\n"
    assert running.gk("remote", "sync", "work").stdout == "all was in step\n"
    (told,) = json.loads(running.gk("remote", "list", "--json").stdout)
    assert told["state"] == "waiting" and told["messages"] == 1
    running.gk("reindex")
    assert running.gk("remote", "sync", "work").stdout == "all was in step\n"
    for path in running.data.glob("gk.db*"):
        path.unlink()
    running.gk("reindex")
    assert running.gk("remote", "sync", "work").stdout == "1 again\n"


def test_the_environment_names_an_account(there: Dovecot, tmp_path: Path) -> None:
    with_client(there.port, put(message(1)))
    running = prepared(tmp_path)
    environment = {
        "EMAIL_ADDRESS": f"{USER}@far.test", "EMAIL_PASSWORD": PASSWORD, "IMAP_HOST": "127.0.0.1",
        "IMAP_PORT": str(there.port), "IMAP_SSL": "false", "EMAIL_CHECK_INTERVAL": "10",
    }  # fmt: skip
    command = [sys.executable, "-m", "gk", "--config", str(running.config)]
    environment |= os.environ

    def gk(*arguments: str) -> str:
        done = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr

    assert PASSWORD not in gk("config", "show") and "$EMAIL_PASSWORD" in gk("config", "show")
    assert gk("remote", "sync", "external") == "1 new, 1 senders, 1 conversations\n"
