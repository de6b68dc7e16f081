"""sd_notify(3) and socket activation, sd_listen_fds(3): a few bytes each, so no library."""

import asyncio
import os
import socket

FIRST_FD = 3  # SD_LISTEN_FDS_START


def notify(text: str) -> None:
    """Tell systemd `READY=1`, `RELOADING=1`, `STOPPING=1`, `STATUS=…` or `WATCHDOG=1`; nothing without it."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        try:
            door.connect("\0" + path[1:] if path[0] == "@" else path)
            door.sendall(text.encode())
        except OSError:
            pass  # a supervisor that went away is no reason to stop serving


def inherited() -> list[socket.socket]:
    """The listening sockets systemd opened for this process, each to be matched by its address."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    sockets = [socket.socket(fileno=FIRST_FD + i) for i in range(int(os.environ.pop("LISTEN_FDS", "0")))]
    for door in sockets:
        door.set_inheritable(False)
    return sockets


class Watchdog:
    """Pets systemd's watchdog from the event loop: a stalled loop is a stalled server (WatchdogSec=)."""

    name = "watchdog"

    async def run(self, ready: asyncio.Event) -> None:
        ready.set()
        microseconds = int(os.environ.get("WATCHDOG_USEC", "0"))
        if not microseconds or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            await asyncio.Event().wait()
        while True:
            notify("WATCHDOG=1")
            await asyncio.sleep(microseconds / 3e6)
