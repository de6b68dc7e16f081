"""The real server in a process of its own, on free loopback ports; ready when it says so, stopped by its pid."""

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "demo-password"
USERS = ("alice@example.test", "bob@example.test")
DOORS = ("mx", "submission", "submissions", "starttls", "tls", "managesieve")

CONFIG = """\
hostname = "mail.example.test"
domains = ["example.test"]
data = "data"
[smtp]
mx = ["127.0.0.1:{mx}"]
submission = ["127.0.0.1:{submission}"]
submissions = ["127.0.0.1:{submissions}"]
[imap]
starttls = ["127.0.0.1:{starttls}"]
tls = ["127.0.0.1:{tls}"]
[managesieve]
listen = ["127.0.0.1:{managesieve}"]
[security]
require_tls = false
[triage]
keywords = false
[limits]
connections_per_address = 300
sessions_per_user = 200
new_connections_per_minute = 100000
messages_per_day = 0
new_recipients_per_day = 0
{more}
"""


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, below those the kernel gives to outgoing connections."""
    held: list[socket.socket] = []
    try:
        while len(held) < count:
            try:
                held.append(socket.create_server(("127.0.0.1", random.randrange(20_000, 32_000))))
            except OSError:
                continue
        return [door.getsockname()[1] for door in held]
    finally:
        for door in held:
            door.close()


@dataclass
class Running:
    """One server: its directory, ports, and process."""

    directory: Path
    ports: dict[str, int]
    environment: Mapping[str, str]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def config(self) -> Path:
        return self.directory / "gk.toml"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> Path:
        return self.directory / "log"

    def gk(self, *arguments: str, stdin: str = "", check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a verb of the CLI."""
        command = [sys.executable, "-m", "gk", "--config", str(self.config), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=60)
        assert not check or done.returncode == 0, done.stderr
        return done

    def start(self, timeout: float = 20, python: str = sys.executable) -> None:
        """Start it and return once it is ready."""
        with tempfile.TemporaryDirectory(prefix="gk-") as short:  # a socket's path is at most 107 bytes
            told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            told.bind(f"{short}/notify")
            told.settimeout(0.2)
            with told, self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    [python, "-m", "gk", "--config", str(self.config), "serve"],
                    env=dict(os.environ) | self.environment | {"NOTIFY_SOCKET": f"{short}/notify"},
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
                for _ in range(int(timeout / 0.2)):
                    try:
                        if b"READY=1" in told.recv(4096):
                            return
                    except TimeoutError:
                        assert self.process.poll() is None, self.log.read_text()
        raise AssertionError(f"not ready: {self.log.read_text()}")

    def stop(self, number: int = signal.SIGTERM, timeout: float = 20) -> int:
        """Send it a signal and wait for its end; its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout)
        self.process = None
        return status


def prepared(directory: Path, more: str = "", environment: Mapping[str, str] | None = None) -> Running:
    """A configuration with free ports and two accounts, not started yet."""
    ports = dict(zip(DOORS, free_ports(len(DOORS)), strict=True))
    server = Running(directory, ports, environment or {})
    server.config.write_text(CONFIG.format(more=more, **ports))
    for user in USERS:
        server.gk("user", "add", user, "--password-stdin", stdin=f"{PASSWORD}\n")
    return server


@contextmanager
def running(directory: Path, more: str = "", environment: Mapping[str, str] | None = None) -> Iterator[Running]:
    """A server that runs for as long as the block."""
    server = prepared(directory, more, environment)
    server.start()
    try:
        yield server
    finally:
        if server.process is not None:
            status = server.stop()
            assert status == 0, server.log.read_text()
