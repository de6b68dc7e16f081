"""Several hosts on one network, each a network namespace with its own addresses and its own port 25.

A hub of its own joins them, so that nothing of the machine's network is touched. Sockets of a test's own strangers are
opened inside a host and served from the test's loop; whole servers run there as processes.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gk.control.client import call
from tests.site import TOP, supervisor

T = TypeVar("T")
CLONE_NEWNET = 0x40000000  # sched.h
PASSWORD = "demo-password"
PATIENCE = 20.0

CONFIG = """\
hostname = "mail.{domain}"
domains = ["{domain}", "six.{domain}", "lost.{domain}"]
data = "data"
[smtp]
mx = ["{address}:25"]
submission = []
submissions = []
[imap]
starttls = []
tls = []
[dns]
resolver = ["{resolver}:53"]
[limits]
free_space_bytes = 0
{more}
"""


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Host:
    """One namespace with its addresses."""

    def __init__(self, name: str, link: str) -> None:
        self._name, self._link = name, link

    def inside(self, work: Callable[[], T]) -> T:
        """Do something in a thread that sees this host's network only; sockets it opens stay there."""

        def enter() -> T:
            with open(f"/run/netns/{self._name}") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            return work()

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(enter).result()

    def listening(self, address: str, port: int = 25) -> socket.socket:
        """A socket for strangers to serve."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return self.inside(lambda: socket.create_server((address, port), family=family))

    def datagrams(self, address: str, port: int = 53) -> socket.socket:
        def work() -> socket.socket:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((address, port))
            sock.setblocking(False)
            return sock

        return self.inside(work)

    def unplug(self, *, again: bool = False) -> None:
        """Take its cable out, or put it in again."""
        _ip("-n", self._name, "link", "set", self._link, "up" if again else "down")

    @contextlib.contextmanager
    def gk(self, directory: Path, domain: str, address: str, resolver: str, more: str = "") -> Iterator["Server"]:
        """A GK server here with the account ann, listening on port 25 of the address."""
        directory.mkdir()
        config = directory / "gk.toml"
        config.write_text(CONFIG.format(domain=domain, address=address, resolver=resolver, more=more))
        command = [sys.executable, "-m", "gk", "--config", str(config)]
        environment = {k: v for k, v in os.environ.items() if k != "NOTIFY_SOCKET"} | {"PYTHONPATH": str(TOP)}
        add = [*command, "user", "add", f"ann@{domain}", "--password-stdin"]
        subprocess.run(add, input=PASSWORD, text=True, env=environment, check=True, capture_output=True)
        with supervisor() as (told, door), (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self._name, *command, "serve"],
                env=environment | {"NOTIFY_SOCKET": told}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
            try:
                assert door.recv(100) == b"READY=1"
                yield Server(directory)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE)


class Server:
    """A GK server in some namespace, reached by its control socket."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def act(self, action: str, **arguments: Any) -> Any:
        return call(self._directory / "data", action, arguments)

    @property
    def log(self) -> str:
        return (self._directory / "log").read_text()


@contextlib.contextmanager
def network(**hosts: list[str]) -> Iterator[dict[str, Host]]:
    """Hosts by name, each with its addresses (with prefix length) on one network. Skips where there can be none."""
    if os.geteuid() or shutil.which("ip") is None:
        pytest.skip("needs root and ip (apt-get install iproute2)")
    mark = f"gk{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", f"{mark}-hub"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no network namespaces")
    made = [f"{mark}-hub"]
    try:
        _ip("-n", made[0], "link", "add", "hub", "type", "bridge")
        _ip("-n", made[0], "link", "set", "hub", "up")
        found: dict[str, Host] = {}
        for number, (name, addresses) in enumerate(hosts.items()):
            namespace, link, port = f"{mark}-{name}", "wire", f"port{number}"
            _ip("netns", "add", namespace)
            made.append(namespace)
            _ip("-n", namespace, "link", "add", link, "type", "veth", "peer", "name", port, "netns", made[0])
            _ip("-n", made[0], "link", "set", port, "master", "hub", "up")
            for address in addresses:
                # No duplicate address detection: an address that is being tried cannot be used yet.
                options = ["nodad"] if ":" in address else []
                _ip("-n", namespace, "address", "add", address, "dev", link, *options)
            for each in ("lo", link):
                _ip("-n", namespace, "link", "set", each, "up")
            found[name] = Host(namespace, link)
        yield found
    finally:
        for namespace in made:
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
