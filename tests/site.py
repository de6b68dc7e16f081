"""A gk.toml of its own on free ports, where verbs run in this process and as commands, and the server as a process."""

import contextlib
import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from gk.actions import registry
from gk.cli.main import group, main
from gk.discover import module
from tests.strangers import free_port

TOP = Path(__file__).resolve().parent.parent
PASSWORD = "demo-password"
ALICE = "alice@example.test"
PATIENCE = 20.0
LOGGED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (info|warning|error) gk\.\S+ event=")

TEXT = """\
hostname = "mail.example.test"
domains = ["example.test"]
[smtp]
mx = ["127.0.0.1:{mx}"]
submission = ["127.0.0.1:{submission}"]
submissions = []
[imap]
starttls = ["127.0.0.1:{imap}"]
tls = []
[dns]
resolver = ["127.0.0.1:{dns}"]
[outbound]
port = {outbound}
[security]
require_tls = false
[triage]
keywords = false
[limits]
free_space_bytes = 0
"""


class Site:
    """One configuration and its data directory."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.path, self.data = directory, directory / "gk.toml", directory / "data"
        self.ports = {name: free_port() for name in ("mx", "submission", "imap", "dns", "outbound")}
        self.write(TEXT.format(**self.ports))

    def write(self, text: str) -> None:
        self.path.write_text(text)

    def append(self, text: str) -> None:
        self.write(self.path.read_text() + text)

    def environment(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "LOG_LEVEL", "DEBUG")}
        return kept | {"PYTHONPATH": str(TOP)} | more

    def click(self, *arguments: str, input: str | None = None) -> Result:
        """A verb in this process, by click's own runner."""
        return CliRunner().invoke(group, ["--config", str(self.path), *arguments], input=input, catch_exceptions=False)

    def json(self, *arguments: str, input: str | None = None) -> Any:
        """The same with --json, taken apart."""
        done = self.click(*arguments, "--json", input=input)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def run(self, *arguments: str, input: str = "", **more: Any) -> subprocess.CompletedProcess[str]:
        """A verb as a command."""
        return subprocess.run(
            [sys.executable, "-m", "gk", "--config", str(self.path), *arguments],
            input=input, capture_output=True, text=True, timeout=60, env=self.environment(), cwd=self.directory, **more,
        )  # fmt: skip

    def fails(self, code: int, *arguments: str, input: str = "", **more: Any) -> str:
        """The one line a command that fails says, beside the log of a server."""
        done = self.run(*arguments, input=input, **more)
        assert done.returncode == code, (done.returncode, done.stderr)
        lines = [line for line in done.stderr.splitlines() if not LOGGED.match(line)]
        assert len(lines) == 1 and lines[0].startswith("gk: "), done.stderr
        assert done.stdout == ""
        return lines[0][4:]

    def run_as(self, uid: int, *arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
        """The verb as another user, who need not be able to read this Python: the process is a copy of this one."""
        module("gk", "app")
        registry.every()
        with (
            tempfile.TemporaryFile("w+") as into,
            tempfile.TemporaryFile("w+") as out,
            tempfile.TemporaryFile("w+") as errors,
        ):
            into.write(input)
            into.seek(0)
            child = os.fork()
            if not child:
                try:
                    sys.stdin, sys.stdout, sys.stderr = into, out, errors
                    if uid:
                        os.setgroups([])
                        os.setgid(uid)
                        os.setuid(uid)
                    main(["--config", str(self.path), *arguments])
                except SystemExit as end:
                    out.flush()
                    errors.flush()
                    os._exit(int(end.code or 0))
                finally:
                    os._exit(99)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            out.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(arguments, code, out.read(), errors.read())

    def open_to_all(self) -> None:
        """Let other users reach the directory."""
        for path in (self.directory, *self.directory.parents):
            if path.stat().st_uid == os.geteuid():
                path.chmod(path.stat().st_mode | 0o055)

    def add_alice(self) -> None:
        assert self.click("user", "add", ALICE, "--password-stdin", input=PASSWORD).exit_code == 0

    @contextmanager
    def served(self, **environ: str) -> Iterator["Served"]:
        """`gk serve` as a process, ready; killed at the end if it still runs. Its log is the file `log`."""
        with supervisor() as (address, door), (self.directory / "log").open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "gk", "--config", str(self.path), "serve"],
                env=self.environment(NOTIFY_SOCKET=address, **environ), stdout=subprocess.DEVNULL,
                stderr=errors,
            )  # fmt: skip
            try:
                assert door.recv(100) == b"READY=1"
                yield Served(process, door)
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                    assert process.wait(PATIENCE) == 0
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                process.wait(PATIENCE)


@dataclasses.dataclass
class Served:
    """A running server, and what it tells systemd."""

    process: subprocess.Popen[bytes]
    door: socket.socket

    @property
    def pid(self) -> int:
        return self.process.pid

    def stopped(self, number: int) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def reload(self) -> None:
        """SIGHUP, until it is done."""
        self.process.send_signal(signal.SIGHUP)
        assert self.door.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert self.door.recv(100) == b"READY=1"


@contextmanager
def supervisor() -> Iterator[tuple[str, socket.socket]]:
    """systemd's end of NOTIFY_SOCKET: its address, and the socket."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(f"{directory}/notify")
        door.settimeout(PATIENCE)
        yield f"{directory}/notify", door
