"""systemd/gk.service: tight, and the server lives within it."""

import os
import re
import signal
import smtplib
import subprocess
import sys
from imaplib import IMAP4
from pathlib import Path

import pytest

from tests.peers import need
from tests.server import PASSWORD, prepared

UNIT = Path(__file__).parent.parent / "systemd" / "gk.service"

pytestmark = pytest.mark.peer

# Runs a command as the unit would: no new privileges, no memory both writable and executable, umask 0077.
CONFINED = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0, "no_new_privs"
if libc.prctl(65, 1, 0, 0, 0) != 0:
    sys.stderr.write("this kernel has no MDWE\\n")
os.umask(0o077)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_the_unit_scores_two_or_better() -> None:
    analyze = need("systemd-analyze", "systemd")
    told = subprocess.run(
        [analyze, "security", "--offline=yes", "--no-pager", str(UNIT)], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"exposure level for gk.service: ([\d.]+)", told)
    assert found and float(found[1]) <= 2.0, told[-400:]


def allowed_calls() -> set[str]:
    """The system calls of SystemCallFilter=, sets spelled out."""
    told = subprocess.run(
        [need("systemd-analyze", "systemd"), "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True
    ).stdout
    sets: dict[str, list[str]] = {}
    name = ""
    for line in told.splitlines():
        if line.startswith("@"):
            name = line.strip()
            sets[name] = []
        elif line.startswith("    ") and not line.strip().startswith("#"):
            sets[name].append(line.strip())

    def spelled(word: str) -> set[str]:
        return set().union(*(spelled(w) for w in sets.get(word, []))) if word.startswith("@") else {word}

    calls: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.MULTILINE):
        words = set().union(*(spelled(word) for word in line.removeprefix("~").split()))
        calls = calls - words if line.startswith("~") else calls | words
    return calls


def test_the_server_serves_within_the_units_system_calls_and_restrictions(tmp_path: Path) -> None:
    strace = need("strace")
    server = prepared(tmp_path)
    trace = tmp_path / "trace"
    wrapper = tmp_path / "python"
    wrapper.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c '{CONFINED}'"
        f' {strace} -f -qq -c -U name -o {trace} {sys.executable} "$@"\n'
    )
    wrapper.chmod(0o755)
    server.start(timeout=40, python=str(wrapper))
    with smtplib.SMTP("127.0.0.1", server.ports["submission"]) as session:
        session.starttls()
        session.login("alice@example.test", PASSWORD)
        session.sendmail("alice@example.test", ["bob@example.test"], b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 40_000)
    box = IMAP4("127.0.0.1", server.ports["starttls"])
    box.login("bob@example.test", PASSWORD)
    assert box.select("INBOX")[1] == [b"1"]
    assert box.copy("1", "Archive")[0] == box.rename("Archive", "Elsewhere")[0] == "OK"
    box.logout()
    assert server.gk("verify").returncode == 0
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
    assert server.process.wait(20) == 0, server.log.read_text()
    used = set(re.findall(r"^[a-z_0-9]+$", trace.read_text(), re.MULTILINE)) - {"name", "syscall", "total"}
    assert {"fsync", "accept4"} <= used
    # execve is strace starting python; SQLite calls fchown as root only, which the service is not
    assert used - allowed_calls() - {"execve", "fchown"} == set()
