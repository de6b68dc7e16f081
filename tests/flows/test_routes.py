"""Mail comes in by SMTP and IMAP clients see it in the folder its route names, once, whenever the server is killed."""

import asyncio
import imaplib
import signal
import smtplib
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from gk.store.crash import PLACES
from tests.flows.test_triage import OUTAGE
from tests.server import PASSWORD, USERS, Running, prepared, running

ROUTES = '[[triage.routes]]\nname = "help"\ncategories = ["support"]\nfolder = "Help/Now"\nflags = ["\\\\Flagged"]\n'
PATIENCE = 30.0
ALICE = USERS[0]


def session(server: Running, mailbox: str = "INBOX") -> imaplib.IMAP4:
    client = imaplib.IMAP4("127.0.0.1", server.ports["starttls"], PATIENCE)
    client.login(ALICE, PASSWORD)
    client.select(mailbox)
    return client


def bring(server: Running) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["mx"], "mx.far.test", PATIENCE) as client:
        client.sendmail("zoe@far.test", ALICE, OUTAGE)


def found(server: Running, mailbox: str) -> int:
    """How many messages stand there; 0 where there is no such mailbox."""
    with imaplib.IMAP4("127.0.0.1", server.ports["starttls"], PATIENCE) as client:
        client.login(ALICE, PASSWORD)
        status, (count,) = client.select(f'"{mailbox}"', readonly=True)
        return int(count or b"0") if status == "OK" else 0


def arrived(server: Running) -> None:
    """Wait until the message stands in its folder."""
    end = time.monotonic() + PATIENCE
    while not found(server, "Help/Now"):
        assert time.monotonic() < end, server.log.read_text()
        time.sleep(0.05)  # a client cannot be told of a folder it has not selected


async def test_a_client_in_inbox_sees_it_come_and_go_and_finds_it_in_its_folder(tmp_path: Path) -> None:
    def flow() -> None:
        with running(tmp_path, ROUTES) as server, session(server) as idle:
            idle.send(b"i1 IDLE\r\n")
            assert idle.readline().startswith(b"+")
            bring(server)
            seen = [idle.readline()]
            while b"EXPUNGE" not in seen[-1]:
                seen.append(idle.readline())
            assert any(line.startswith(b"* 1 EXISTS") for line in seen)
            idle.send(b"DONE\r\n")
            while not idle.readline().startswith(b"i1 OK"):
                pass
            arrived(server)
            assert idle.select('"Help/Now"')[1] == [b"1"]
            assert b"\\Flagged" in idle.fetch("1", "(FLAGS)")[1][0]  # type: ignore[operator]
            told = server.gk("why", "Help/Now/1", "--as", ALICE).stdout
            assert f"routed for {ALICE} by «help»: moved to Help/Now, flags \\Flagged, priority 5" in told

    await asyncio.to_thread(flow)


@pytest.mark.parametrize("place", PLACES[:2])
async def test_a_kill_at_any_commit_leaves_it_once_in_its_folder(tmp_path: Path, place: str) -> None:
    """Killed at the first commit after each start, then at the second, until the message was routed meanwhile."""

    def flow() -> None:
        server = prepared(tmp_path)
        server.config.write_text(server.config.read_text().replace("[triage]", "[triage]\nenabled = false"))
        server.start()
        bring(server)
        server.stop()
        with closing(sqlite3.connect(server.data / "gk.db")) as db:
            db.execute(
                "INSERT INTO triage_job (message, account, mailbox, uid)"
                " SELECT e.message, m.account, e.mailbox, e.uid FROM entry e JOIN mailbox m ON m.id = e.mailbox"
            )
            db.commit()
        server.config.write_text(server.config.read_text().replace("enabled = false", "enabled = true") + ROUTES)
        killed = 0
        for times in range(1, 20):
            server.environment = {"GK_CRASH_AT": f"{place}:{times}"}
            if routed(server):
                break
            killed += 1
        server.stop()
        assert killed, "it was never killed"
        server.environment = {}
        assert routed(server)
        try:
            assert (found(server, "Help/Now"), found(server, "INBOX")) == (1, 0)
        finally:
            server.stop()

    await asyncio.to_thread(flow)


def routed(server: Running) -> bool:
    """Start it and wait until the message was routed; False where it is killed before that is seen."""
    try:
        server.start()
    except AssertionError:
        assert server.process is not None and server.process.wait(PATIENCE) == -signal.SIGKILL, server.log.read_text()
        return False
    assert server.process is not None
    end = time.monotonic() + PATIENCE
    while server.process.poll() is None:
        with closing(sqlite3.connect(server.data / "gk.db")) as db:
            if db.execute("SELECT 1 FROM routed").fetchone():
                return True
        assert time.monotonic() < end, server.log.read_text()
        time.sleep(0.05)  # another process cannot be told
    assert server.process.returncode == -signal.SIGKILL
    return False
