"""What an operation costs as the mailbox grows: the same work on mailboxes of 1,000 to 1,000,000 messages.

usage: python scripts/bench_growth.py [--sizes 1000,10000,100000] [--directory D] [--keep]
The mailboxes are made by the store's own append, filed and indexed; then the server is asked over IMAP and SMTP.
A million messages take about half an hour and 8 GB to make.
"""

import argparse
import asyncio
import random
import shutil
import signal
import smtplib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP))

from gk.accounts.passwords import Passwords  # noqa: E402
from gk.bus import Bus  # noqa: E402
from gk.config import parse  # noqa: E402
from gk.service import supervise  # noqa: E402
from gk.store.db import Store  # noqa: E402
from gk.store.search.indexer import Indexer  # noqa: E402
from gk.store.values import SEEN, Flags  # noqa: E402
from tests.server import free_ports  # noqa: E402

BATCH = 500
REPEATS = 15
PASSWORD, USER = "bench-password", "user@bench.test"
WORDS = [f"{a}{b}{c}" for a in ("ba", "co", "du", "fi", "gro") for b in ("lan", "mer", "nis", "pol") for c in "aeioust"]
CONFIG = """\
hostname = "mail.bench.test"
domains = ["bench.test"]
data = "data"
[smtp]
mx = ["127.0.0.1:{mx}"]
submission = []
submissions = []
[imap]
starttls = ["127.0.0.1:{imap}"]
tls = []
[security]
require_tls = false
[log]
level = "warning"
"""


def message(number: int) -> bytes:
    chance = random.Random(number)
    mark = f"quartz{number % 1000:03}" if number % 1000 < 3 else "plain"  # each marked word stands in one of 1,000
    text = "\r\n".join(" ".join(chance.choices(WORDS, k=10)) for _ in range(8))
    return (
        f"From: Sender {number % 97} <s{number % 97}@example.org>\r\nTo: {USER}\r\nSubject: {mark} number {number}\r\n"
        f"Date: Mon, {number % 28 + 1} Jun 2026 10:{number % 60:02}:00 +0000\r\nMessage-ID: <{number}@bench.test>\r\n"
        f"\r\n{text}\r\n{mark} {number}\r\n"
    ).encode()


async def fill(data: Path, size: int) -> None:
    config = parse({"domains": ["bench.test"], "data": str(data), "limits": {"journal_messages": 50_000}})
    async with Store.open(config, Bus()) as store:
        account = await store.accounts.add(USER, await Passwords().hash(PASSWORD))
        inbox = store.mailboxes.get(account.id, "INBOX")
        indexer = Indexer(store)
        async with supervise(indexer):
            for start in range(0, size, BATCH):
                numbers = range(start, min(size, start + BATCH))
                new = [(await store.prepare(message(n)), Flags(SEEN if n % 50 else 0), None) for n in numbers]
                await store.mailboxes.append(inbox, new)
            await store.filer.rest()
            await indexer.rest()


class Client:
    """A raw IMAP client: one command, its whole answer."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._file = self._socket.makefile("rb")
        self._file.readline()
        self.run(f"LOGIN {USER} {PASSWORD}")

    def run(self, command: str) -> bytes:
        self._socket.sendall(b"x " + command.encode() + b"\r\n")
        answer = b""
        while True:
            line = self._file.readline()
            answer += line
            if line.startswith(b"x "):
                assert line.startswith(b"x OK"), line
                return answer
            if line.endswith(b"}\r\n"):
                answer += self._file.read(int(line[line.rindex(b"{") + 1 : -3]))

    def pushed(self, act: Callable[[], object]) -> float:
        """Milliseconds from the end of `act` to EXISTS while idling."""
        self._socket.sendall(b"x IDLE\r\n")
        self._file.readline()
        act()
        began = time.perf_counter()
        while b"EXISTS" not in self._file.readline():
            pass
        took = time.perf_counter() - began
        self._socket.sendall(b"DONE\r\n")
        while not self._file.readline().startswith(b"x "):
            pass
        return took * 1e3


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1e3


def median(act: Callable[[], float], repeats: int = REPEATS) -> float:
    return statistics.median(act() for _ in range(repeats))


def measure(directory: Path, size: int, ports: dict[str, int]) -> dict[str, float]:
    serve = [sys.executable, "-m", "gk", "--config", str(directory / "gk.toml"), "serve"]
    began = time.perf_counter()
    server = subprocess.Popen(serve, cwd=TOP)
    found: dict[str, float] = {}
    try:
        while True:
            try:
                client = Client(ports["imap"])
                break
            except OSError:
                time.sleep(0.01)
        found["start of the server"] = (time.perf_counter() - began) * 1e3
        found["first SELECT"] = timed(lambda: client.run("SELECT INBOX"))
        found["SELECT"] = median(lambda: timed(lambda: client.run("SELECT INBOX")))
        found["STATUS"] = median(lambda: timed(lambda: client.run("STATUS INBOX (MESSAGES UNSEEN UIDNEXT SIZE)")))
        page = f"FETCH {size - 49}:{size} (UID FLAGS ENVELOPE BODYSTRUCTURE INTERNALDATE)"
        found["FETCH a page of 50"] = median(lambda: timed(lambda: client.run(page)))
        found["FETCH one body"] = median(lambda: timed(lambda: client.run(f"FETCH {size // 2} BODY.PEEK[]")))
        found["STORE one flag"] = median(
            lambda: timed(lambda: client.run(f"STORE {size // 3} +FLAGS (k{time.time_ns()})")), 9
        )
        found["SEARCH BODY, one"] = median(lambda: timed(lambda: client.run(f'SEARCH BODY "quartz001 {size - 999}"')))
        found["SEARCH SUBJECT, one"] = median(lambda: timed(lambda: client.run(f'SEARCH SUBJECT "number {size - 1}"')))
        found["SEARCH TEXT, 1 of 1,000"] = median(lambda: timed(lambda: client.run("SEARCH TEXT quartz002")), 5)
        found["SEARCH RETURN (COUNT) UNSEEN"] = median(
            lambda: timed(lambda: client.run("SEARCH RETURN (COUNT) UNSEEN"))
        )
        text = message(1)
        with smtplib.SMTP("127.0.0.1", ports["mx"]) as sender:
            found["delivery by SMTP"] = median(
                lambda: timed(lambda: sender.sendmail("a@example.org", [USER], text)), 30
            )
            found["IDLE push"] = median(
                lambda: client.pushed(lambda: sender.sendmail("a@example.org", [USER], text)), 15
            )
        append = f"APPEND INBOX {{{len(text)}+}}\r\n{text.decode()}"
        found["APPEND one"] = median(lambda: timed(lambda: client.run(append)))
        found["EXPUNGE one"] = median(lambda: _expunge(client), 7)
        status = Path(f"/proc/{server.pid}/status").read_text()
        found["memory, MiB"] = int(status.split("VmRSS:")[1].split()[0]) / 1024
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    return found


def _expunge(client: Client) -> float:
    client.run("STORE 5 +FLAGS.SILENT (\\Deleted)")
    return timed(lambda: client.run("EXPUNGE"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    base = options.directory or Path(tempfile.mkdtemp(prefix="gk-growth-"))
    sizes = [int(size) for size in options.sizes.split(",")]
    table: dict[int, dict[str, float]] = {}
    for size in sizes:
        directory = base / str(size)
        imap, mx = free_ports(2)
        if not (directory / "data" / "gk.db").exists():
            directory.mkdir(parents=True)
            began = time.perf_counter()
            asyncio.run(fill(directory / "data", size))
            took = time.perf_counter() - began
            print(f"{size:,} made, filed and indexed in {took:.0f} s, {size / took:,.0f}/s", flush=True)
        (directory / "gk.toml").write_text(CONFIG.format(imap=imap, mx=mx))
        table[size] = measure(directory, size, {"imap": imap, "mx": mx})
        if not options.keep:
            shutil.rmtree(directory)
    print("| ms | " + " | ".join(f"{size:,}" for size in sizes) + " |\n|---|" + "---|" * len(sizes))
    for what in table[sizes[0]]:
        print(f"| {what} | " + " | ".join(f"{table[size][what]:.2f}" for size in sizes) + " |")


if __name__ == "__main__":
    main()
