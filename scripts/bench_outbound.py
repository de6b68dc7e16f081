"""How fast the queue empties into a fast mail exchanger, what a message costs, and what pipelining is worth.

usage: python scripts/bench_outbound.py [--messages 5000] [--domains 20] [--size 2048] [--latency MS] [--no-pipelining]
                                        [--backlog N]
The exchanger and the DNS are this script's own, in a process of their own; the server is `gk serve`. `--latency` is
added to every reply, as a link of that round trip would. `--backlog` puts so many messages for an unreachable domain in
front.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP), str(TOP / "scripts" / "bench")]

import mix  # noqa: E402

from gk.bus import Bus  # noqa: E402
from gk.config import parse  # noqa: E402
from gk.store.db import Store  # noqa: E402
from gk.store.outgoing import QueuedRecipient  # noqa: E402
from tests.server import free_ports  # noqa: E402
from tests.strangers import zone  # noqa: E402

CONFIG = """\
hostname = "mail.bench.test"
domains = ["bench.test"]
data = "data"
[smtp]
mx = []
submission = []
submissions = []
[imap]
starttls = []
tls = []
[dns]
resolver = ["127.0.0.1:{dns}"]
[outbound]
port = {port}
[log]
level = "warning"
"""


class Sink(asyncio.Protocol):
    """A session of an exchanger that takes everything."""

    received = 0
    sessions = 0
    latency = 0.0
    pipelining = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        Sink.sessions += 1
        self._transport, self._buffer, self._content = transport, b"", False
        self._say(b"220 sink ESMTP\r\n")

    def _say(self, reply: bytes) -> None:
        if self.latency:
            asyncio.get_running_loop().call_later(self.latency, self._transport.write, reply)
        else:
            self._transport.write(reply)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        out = []
        while self._buffer:
            if self._content:
                end = self._buffer.find(b"\r\n.\r\n")
                if end < 0:
                    break
                self._buffer, self._content = self._buffer[end + 5 :], False
                Sink.received += 1
                out.append(b"250 2.0.0 kept\r\n")
                continue
            line, found, rest = self._buffer.partition(b"\r\n")
            if not found:
                break
            self._buffer = rest
            match line[:4].upper():
                case b"EHLO":
                    extensions = b"250-PIPELINING\r\n" if self.pipelining else b""
                    out.append(b"250-sink\r\n" + extensions + b"250-8BITMIME\r\n250 SIZE 100000000\r\n")
                case b"DATA":
                    self._content = True
                    out.append(b"354 go\r\n")
                case b"QUIT":
                    out.append(b"221 bye\r\n")
                case _:
                    out.append(b"250 ok\r\n")
        if out:
            self._say(b"".join(out))


async def _sink(door: Connection, port: int, domains: int, latency: float, pipelining: bool) -> None:
    Sink.latency, Sink.pipelining = latency, pipelining
    loop = asyncio.get_running_loop()
    async with zone() as dns:
        for number in range(domains):
            dns.domain(f"d{number}.test", f"127.0.1.{number % 250 + 1}")
        dns.domain("dead.test", "127.0.2.1")
        await loop.create_server(Sink, [f"127.0.1.{n % 250 + 1}" for n in range(min(domains, 250))], port)
        door.send(dns.port)
        while True:
            await asyncio.to_thread(door.recv)
            door.send((Sink.received, Sink.sessions, time.process_time()))


def _run_sink(door: Connection, *arguments: object) -> None:
    asyncio.run(_sink(door, *arguments))  # type: ignore[arg-type]


async def fill(data: Path, messages: int, domains: int, size: int, backlog: int) -> None:
    limits = {"queue_messages": 1_000_000, "messages_per_day": 0, "new_recipients_per_day": 0}
    config = parse({"domains": ["bench.test"], "data": str(data), "limits": limits})
    contents = [mix.message(i, size=size) for i in range(100)]
    async with Store.open(config, Bus()) as store:
        await store.accounts.add("user@bench.test", None)

        async def queue(number: int, domain: str) -> None:
            to = [QueuedRecipient(f"u{number}@{domain}", domain)]
            arrival = await store.prepare(contents[number % 100])
            await store.outgoing.add(arrival, "user@bench.test", to, account=1, origin="user")

        for start in range(0, backlog, 500):
            await asyncio.gather(*(queue(n, "dead.test") for n in range(start, min(backlog, start + 500))))
        for start in range(0, messages, 500):
            await asyncio.gather(*(queue(n, f"d{n % domains}.test") for n in range(start, min(messages, start + 500))))


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--domains", type=int, default=20)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds")
    parser.add_argument("--no-pipelining", action="store_true")
    parser.add_argument("--backlog", type=int, default=0)
    options = parser.parse_args()
    (port,) = free_ports(1)
    here, there = multiprocessing.Pipe()
    arguments = (there, port, options.domains, options.latency / 1000, not options.no_pipelining)
    sink = multiprocessing.Process(target=_run_sink, args=arguments, daemon=True)
    sink.start()
    dns = here.recv()
    with tempfile.TemporaryDirectory(prefix="gk-outbound-") as made:
        directory = Path(made)
        (directory / "gk.toml").write_text(CONFIG.format(dns=dns, port=port))
        asyncio.run(fill(directory / "data", options.messages, options.domains, options.size, options.backlog))
        command = [sys.executable, "-m", "gk", "--config", str(directory / "gk.toml"), "serve"]
        server = subprocess.Popen(command, cwd=TOP)
        try:
            first = 0.0
            while True:
                here.send(None)
                received, sessions, sink_cpu = here.recv()
                now = time.perf_counter()
                if received and not first:
                    first, began, before = now, received, cpu(server.pid)
                if received >= options.messages:
                    break
                time.sleep(0.02)
            took = now - first
            used = cpu(server.pid) - before
            done = received - began
            memory = int(Path(f"/proc/{server.pid}/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
            print(
                json.dumps(
                    {
                        "messages/s": round(done / took),
                        "CPU ms each": round(used / done * 1e3, 3),
                        "sessions": sessions,
                        "messages": received,
                        "peak MiB": memory,
                        "sink CPU ms each": round(sink_cpu / received * 1e3, 3),
                    }
                )
            )
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
            sink.terminate()


if __name__ == "__main__":
    main()
