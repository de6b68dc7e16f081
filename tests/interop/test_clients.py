"""Real mail clients against the real server; each judged by what it left on disk or on the server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers import need
from tests.server import PASSWORD, Running, running

DRIVERS = Path(__file__).parent / "drivers"
IMAP_CLIENTS = {
    "mbsync": "isync", "offlineimap": "offlineimap3", "fetchmail": "fetchmail", "getmail": "getmail6", "mutt": "mutt",
    "curl": "curl", "imapclient": None, "aioimaplib": None,
}  # fmt: skip
SMTP_CLIENTS = {
    "swaks": "swaks",
    "curl": "curl",
    "s-nail": "s-nail",
    "msmtp": "msmtp",
    "smtplib": None,
    "aiosmtplib": None,
}

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("server")) as up:
        yield up
        assert up.gk("verify", "--content").stdout == "all is well\n"
        assert "Traceback" not in up.log.read_text()


def drive(driver: str, *arguments: object, timeout: int = 100) -> str:
    command = [sys.executable, str(DRIVERS / driver), *(str(a) for a in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(120)
@pytest.mark.parametrize("client", IMAP_CLIENTS)
def test_an_imap_client_reads_and_changes_mail(client: str, server: Running) -> None:
    if package := IMAP_CLIENTS[client]:
        need(client, package)
    told = drive("imap_clients.py", "127.0.0.1", server.ports["starttls"], "bob@example.test", PASSWORD, client)
    assert told.startswith("ok")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("tls", [[], ["--starttls"]], ids=["plain", "starttls"])
@pytest.mark.parametrize("client", SMTP_CLIENTS)
def test_an_smtp_client_submits_mail(client: str, tls: list[str], server: Running) -> None:
    if package := SMTP_CLIENTS[client]:
        need(client, package)
    who = ("alice", PASSWORD, "alice@example.test", "127.0.0.1", server.ports["starttls"])
    told = drive("smtp_clients.py", "127.0.0.1", server.ports["submission"], *who, client, *tls)
    assert told.startswith("ok")


@pytest.mark.timeout(200)
@pytest.mark.parametrize("tls", ["plain", "starttls", "ssl"])
def test_thunderbird_sends_reads_flags_moves_deletes_searches_and_is_told(tls: str, server: Running) -> None:
    need("thunderbird")
    imap, smtp = {"ssl": ("tls", "submissions")}.get(tls, ("starttls", "submission"))
    options = [] if tls == "plain" else ["--tls", tls, "--smtp-tls", tls]
    user = "alice@example.test"
    told = drive(
        "thunderbird.py",
        "127.0.0.1",
        server.ports[imap],
        server.ports[smtp],
        user,
        PASSWORD,
        user,
        *options,
        timeout=180,
    )
    assert "16/16" in told
