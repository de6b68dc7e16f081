"""What systemd is told, and the sockets it hands over (sd_notify(3), sd_listen_fds(3))."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gk.net import systemd
from gk.service import supervise


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """systemd's end of NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(tmp_path / "notify"))
        door.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield door


def test_a_state_is_told_in_one_datagram(supervisor: socket.socket) -> None:
    systemd.notify("RELOADING=1\nMONOTONIC_USEC=5")
    assert supervisor.recv(100) == b"RELOADING=1\nMONOTONIC_USEC=5"


def test_an_abstract_socket_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(f"\0gk-test-{os.getpid()}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@gk-test-{os.getpid()}")
        systemd.notify("READY=1")
        assert door.recv(100) == b"READY=1"


def test_nobody_to_tell_is_no_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "absent"))
    systemd.notify("READY=1")


async def test_the_watchdog_is_petted_three_times_in_its_period(
    supervisor: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    loop = asyncio.get_running_loop()
    supervisor.setblocking(False)
    async with supervise(systemd.Watchdog()):
        began = loop.time()
        for _ in range(4):
            assert await asyncio.wait_for(loop.sock_recv(supervisor, 100), 10) == b"WATCHDOG=1"
        assert 0.02 < loop.time() - began < 10


async def test_without_a_watchdog_nothing_is_said(supervisor: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    async with supervise(systemd.Watchdog()):
        await asyncio.sleep(0)
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    monkeypatch.setenv("WATCHDOG_PID", "1")  # another process is meant
    async with supervise(systemd.Watchdog()):
        await asyncio.sleep(0)
    supervisor.setblocking(False)
    with pytest.raises(BlockingIOError):
        supervisor.recv(100)


CHILD = """
import os, socket
os.environ["LISTEN_PID"] = str(os.getpid())
from gk.net import systemd
doors = systemd.inherited()
print([door.getsockname()[1] for door in doors], [door.get_inheritable() for door in doors], systemd.inherited())
"""


def test_the_sockets_of_socket_activation_are_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = [one.getsockname()[1], two.getsockname()[1]]
        script = (
            "import os, sys\n"
            f"os.dup2({one.fileno()}, 100); os.dup2({two.fileno()}, 101)\n"
            "os.dup2(100, 3); os.dup2(101, 4)\n"
            f"exec({CHILD!r})\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            pass_fds=(one.fileno(), two.fileno()), env={**os.environ, "LISTEN_FDS": "2"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert done.stdout == f"{ports} [False, False] []\n"


def test_sockets_meant_for_another_process_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "2")
    assert systemd.inherited() == []
