"""Every way to fail has an exit code and one line with the remedy."""

import fcntl
import os
import socket
import sqlite3
import subprocess
import sys
import threading

import pytest

from gk.cli.main import leaves
from gk.errors import ConfigError, DiskFull, Overloaded, Refused
from gk.tls.certs import make
from tests.site import ALICE, LOGGED, PASSWORD, Site

pytestmark = pytest.mark.slow  # each is a process or two
NOBODY = 65534


def test_a_wrong_key_is_78_with_a_suggestion(site: Site) -> None:
    site.append("recipient = 5\n")
    for verb in (["serve"], ["user", "list"], ["config", "check"], ["status"]):
        assert "unknown key limits.recipient; did you mean limits.recipients?" in site.fails(78, *verb)


def test_no_configuration_is_78(site: Site) -> None:
    site.path.unlink()
    assert "gk.toml: no such file; make one with «gk init you@example.org»" in site.fails(78, "serve")


def test_a_busy_port_is_78_and_names_the_port(site: Site) -> None:
    with socket.create_server(("127.0.0.1", site.ports["imap"])):
        line = site.fails(78, "serve")
    assert f"cannot listen on 127.0.0.1:{site.ports['imap']}: the port is in use" in line


def test_several_busy_ports_are_all_named(site: Site) -> None:
    with socket.create_server(("127.0.0.1", site.ports["imap"])), socket.create_server(("127.0.0.1", site.ports["mx"])):
        done = site.run("serve")
    assert done.returncode == 78 and "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if not LOGGED.match(line)]
    assert len(lines) == 2 and all(line.startswith("gk: ") and "the port is in use" in line for line in lines)


def test_a_certificate_that_cannot_be_read_is_78(site: Site) -> None:
    site.append('[tls]\ncertificates = [{ chain = "absent.pem", key = "absent.key" }]\n')
    for verb in (["serve"], ["config", "check"]):
        assert "absent.pem: cannot read the certificate: No such file or directory;" in site.fails(78, *verb)
    make(site.directory / "a.pem", site.directory / "a.key", ["mail.example.test"])
    make(site.directory / "b.pem", site.directory / "b.key", ["mail.example.test"])
    site.write(site.path.read_text().replace("absent.pem", "a.pem").replace("absent.key", "b.key"))
    assert "is not the private key of" in site.fails(78, "config", "check")


def test_a_data_directory_in_use_is_78_and_names_the_process(site: Site) -> None:
    with site.served() as server:
        assert f"is in use by another gk (process {server.pid}); stop it first" in site.fails(78, "serve")
        assert f"is in use by another gk (process {server.pid})" in site.fails(78, "reindex")


def test_a_newer_schema_is_78(site: Site) -> None:
    site.add_alice()
    db = sqlite3.connect(site.data / "gk.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    for verb in (["serve"], ["user", "list"]):
        assert "was written by a newer gk (schema 99, this one knows" in site.fails(78, *verb)


def test_a_damaged_database_is_78_and_names_the_way_out(site: Site) -> None:
    site.add_alice()
    (site.data / "gk.db").write_bytes(b"no database at all" * 1000)
    assert "is damaged" in site.fails(78, "serve")
    assert "«gk reindex»" in site.fails(78, "user", "list")


needs_two_users = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


@needs_two_users
def test_a_data_directory_that_cannot_be_written_is_78(site: Site) -> None:
    site.data.mkdir(mode=0o555)
    site.open_to_all()
    for verb in ("serve", "verify"):
        done = site.run_as(NOBODY, verb)
        assert done.returncode == 78
        assert f"gk: {site.data}: Permission denied; give the directory to the user gk runs as" in done.stderr


@needs_two_users
def test_a_server_of_another_user_is_refused(site: Site) -> None:
    site.open_to_all()
    with site.served():
        done = site.run_as(NOBODY, "status")
    assert done.returncode == 78
    assert done.stderr == f"gk: {site.data}: permission denied; run as the user gk runs as, or as root\n"


@needs_two_users
def test_root_works_as_the_owner_of_the_data(site: Site) -> None:
    """A file of root's in the data directory would stop the service."""
    site.data.mkdir(mode=0o700)
    os.chown(site.data, NOBODY, NOBODY)
    site.open_to_all()
    for verb in (["user", "add", ALICE, "--password-stdin"], ["config", "set", "log.level", "debug"], ["reindex"]):
        done = site.run_as(0, *verb, input=PASSWORD)
        assert done.returncode == 0, done.stderr
    assert {path.stat().st_uid for path in site.data.rglob("*")} == {NOBODY}


def test_a_directory_that_cannot_be_made_is_1(site: Site) -> None:
    line = site.fails(1, "init", "you@example.org", "--dir", "/proc/no/such", "--password-stdin", input=PASSWORD)
    assert line == "/proc/no: No such file or directory"


def test_a_path_too_long_for_a_socket_is_78(site: Site) -> None:
    site.write(f'data = "{"d" * 100}"\n' + site.path.read_text())
    assert "choose a shorter data path" in site.fails(78, "serve")


def test_no_daemon_is_69(site: Site) -> None:
    assert f"no gk serves {site.data} (No such file or directory); start it with «gk serve»" in site.fails(69, "status")


def test_a_server_that_does_not_answer_is_69(site: Site) -> None:
    site.add_alice()
    with (site.data / "lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "it does not answer on gk.sock" in site.fails(69, "user", "list")


@pytest.mark.parametrize(
    "answer", [b"", b"not json\n", b'{"error": {"kind": "unavailable", "text": "the disk is full"}}\n']
)
def test_a_server_that_cannot_now_is_75(site: Site, answer: bytes) -> None:
    site.data.mkdir()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(site.data / "gk.sock"))
        door.listen()

        def serve() -> None:
            line, _ = door.accept()
            line.recv(1000)
            line.sendall(answer)
            line.close()

        thread = threading.Thread(target=serve)
        thread.start()
        assert site.fails(75, "user", "list")
        thread.join()


@pytest.mark.parametrize("where", ["alone", "served"])
def test_a_refusal_is_1_in_the_same_words_with_and_without_a_server(site: Site, where: str) -> None:
    def refusals() -> None:
        assert "'nonsense' is not an address" in site.fails(
            1, "user", "add", "nonsense", "--password-stdin", input=PASSWORD
        )
        assert "elsewhere.test is none of the domains" in site.fails(
            1, "user", "add", "a@elsewhere.test", "--password-stdin", input=PASSWORD
        )
        assert "10 to 1,024 bytes" in site.fails(1, "user", "add", ALICE, "--password-stdin", input="short")
        assert "there is no account" in site.fails(1, "user", "remove", ALICE, "--yes")
        assert "there is no account" in site.fails(1, "user", "passwd", ALICE, "--password-stdin", input=PASSWORD)
        for verb in ("show", "retry", "hold", "release", "remove"):
            assert "no message 7 in the queue; «gk queue list»" in site.fails(1, "queue", verb, "7")

    if where == "alone":
        refusals()
    else:
        with site.served():
            refusals()


def test_an_account_that_is_there_is_refused(site: Site) -> None:
    site.add_alice()
    assert "exists already" in site.fails(1, "user", "add", ALICE, "--password-stdin", input=PASSWORD)


def test_no_password_is_1(site: Site) -> None:
    done = site.run("user", "add", ALICE)
    assert done.returncode == 1 and done.stderr.endswith("gk: aborted\n")


@pytest.mark.parametrize("arguments", [["nonsense"], ["user", "add"], ["queue", "show", "x"], ["--nonsense"]])
def test_wrong_usage_is_2(site: Site, arguments: list[str]) -> None:
    done = site.run(*arguments)
    assert done.returncode == 2 and "Error: " in done.stderr


def test_a_verb_that_is_nearly_right_is_suggested(site: Site) -> None:
    assert "Did you mean 'queue'?" in site.run("queu").stderr


def test_success_is_0_and_says_nothing_on_standard_error(site: Site) -> None:
    done = site.run("user", "add", ALICE, "--password-stdin", input=PASSWORD)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"added {ALICE}\n", "")


def test_a_reader_that_goes_away_is_no_traceback(site: Site) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "gk", "--config", str(site.path), "config", "show"],
        stdout=writer, stderr=subprocess.PIPE, text=True, env=site.environment(),
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == 1 and "Traceback" not in done.stderr


def test_groups_of_errors_are_taken_apart() -> None:
    group = ExceptionGroup("a", [ExceptionGroup("b", [ConfigError("x"), DiskFull("y")]), Refused("z")])
    assert [str(error) for error in leaves(group)] == ["x", "y", "z"]
    assert [str(error) for error in leaves(Overloaded("alone"))] == ["alone"]


def test_the_file_of_the_current_directory_is_taken(site: Site) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gk", "config", "check"], capture_output=True, text=True, cwd=site.directory,
        env=site.environment(),
    )  # fmt: skip
    assert done.stdout == f"{site.path} is well\n"
