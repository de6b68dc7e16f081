"""What judging costs: messages accepted a second with everything on and a local DNS, and the time of a verdict.

usage: python scripts/bench_judge.py [--messages 4000] [--domains 50] [--size 4096] [--connections 10]
                                    [--off | --spam | --alone]

Each message has one RSA-2048 signature, SPF by an include, and DMARC. The DNS and the clients are this script's, each
in a process of its own; the server is `gk serve`. The first message of each domain is sent before the clock starts, as
DNS answers are remembered. `--off` measures the same without judging, `--spam` with the spam filter as well, `--alone`
the verdict without a server.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import re
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
from load_smtp import Smtp, wire_form  # noqa: E402

from gk.bus import Bus  # noqa: E402
from gk.config import Judge as Rules  # noqa: E402
from gk.config import parse  # noqa: E402
from gk.control.client import call  # noqa: E402
from gk.inbound.accept import Incoming, Message  # noqa: E402
from gk.inbound.judge import Judge  # noqa: E402
from gk.inbound.trace import Client  # noqa: E402
from gk.mailauth.authentic import Authenticator  # noqa: E402
from gk.mailauth.keys import Keys  # noqa: E402
from gk.mailauth.pair import SigningKey  # noqa: E402
from gk.mailauth.signing import Signer  # noqa: E402
from gk.mailauth.verifying import Verifying  # noqa: E402
from gk.message.address import parse_address  # noqa: E402
from gk.net.dns import SystemResolver  # noqa: E402
from gk.store.db import Store  # noqa: E402
from tests.mailauth.test_spf import txt  # noqa: E402
from tests.server import free_ports  # noqa: E402
from tests.strangers import zone  # noqa: E402

CONFIG = """\
hostname = "mail.bench.test"
domains = ["bench.test"]
data = "data"
[smtp]
mx = ["127.0.0.1:{mx}"]
submission = []
submissions = []
[imap]
starttls = []
tls = []
[managesieve]
listen = []
[dns]
resolver = ["127.0.0.1:{dns}"]
[judge]
enabled = {enabled}
trusted = []
[spam]
enabled = {spam}
[limits]
connections_per_address = 300
new_connections_per_minute = 100000
[log]
level = "warning"
"""
Signed = tuple[str, bytes]  # the domain, and the message as it goes over the wire


class OneKey(Keys):
    """The same key for every domain."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key

    def signing(self, domain: str) -> tuple[SigningKey, ...]:
        return (self._key,)


async def _dns(door: Connection, records: dict[str, list[str]]) -> None:
    async with zone() as served:
        served.authority = True
        served.add("1.0.0.127.in-addr.arpa", "PTR", "mx.bench.test.")
        served.add("mx.bench.test", "A", "127.0.0.1")
        for name, texts in records.items():
            served.add(name, "TXT", *map(txt, texts))
        door.send(served.port)
        await asyncio.to_thread(door.recv)


def _run_dns(door: Connection, records: dict[str, list[str]]) -> None:
    asyncio.run(_dns(door, records))


def prepare(directory: Path, domains: int, size: int) -> tuple[dict[str, list[str]], list[Signed]]:
    """The records of the domains, and a signed message of each."""
    keys = Keys(directory)
    keys.ensure(["d0.test"])  # all share one: what is measured is not their making
    rsa, _ = keys.signing("d0.test")
    records = {"spf.test": ["v=spf1 ip4:127.0.0.0/8 -all"]}
    messages = []
    for number in range(domains):
        domain = f"d{number}.test"
        records[f"{rsa.selector}._domainkey.{domain}"] = [rsa.record]
        records[domain] = ["v=spf1 include:spf.test -all"]
        records[f"_dmarc.{domain}"] = ["v=DMARC1; p=reject"]
        body = mix.message(number + 1, size=2 * size).partition(b"\r\n\r\n")[2][: size - 700].rpartition(b"\r\n")[0]
        head = f"From: Ann <ann@{domain}>\r\nTo: user@bench.test\r\nSubject: message {number}\r\nDate: Fri, 30 Jan 2026"
        content = f"{head} 12:00:00 +0000\r\nMessage-ID: <{number}@{domain}>\r\n\r\n".encode() + body + b"\r\n"
        messages.append((domain, wire_form(Signer(OneKey(rsa)).sign(domain, content, len(content)) + content)))
    return records, messages


async def send(port: int, messages: list[Signed], count: int, connections: int) -> list[float]:
    """The latencies of so many messages."""
    latencies: list[float] = []
    left = iter(range(count))

    async def worker() -> None:
        while True:
            client = await Smtp.open("127.0.0.1", port)
            for _ in range(20):
                number = next(left, None)
                if number is None:
                    await client.quit()
                    return
                domain, wire = messages[number % len(messages)]
                began = time.perf_counter()
                await client.send(f"ann@{domain}".encode(), b"user@bench.test", wire)
                latencies.append(time.perf_counter() - began)
            await client.quit()

    await asyncio.gather(*(worker() for _ in range(connections)))
    return latencies


def _run_send(door: Connection, *arguments: object) -> None:
    began = time.perf_counter()
    latencies = asyncio.run(send(*arguments))  # type: ignore[arg-type]
    door.send((time.perf_counter() - began, latencies, time.process_time()))


def children(pid: int) -> list[int]:
    """The processes it has started, and those they have."""
    own = [int(c) for tasks in Path(f"/proc/{pid}/task").glob("*/children") for c in tasks.read_text().split()]
    return [one for child in own for one in (child, *children(child))]


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(metrics: str, name: str, share: float, before: str) -> float:
    """The upper edge, in milliseconds, of the bucket of a histogram that holds the share, since an earlier look."""

    def buckets(text: str) -> list[tuple[float, float]]:
        return [(float(e), float(n)) for e, n in re.findall(rf'{name}_bucket{{le="([^"]+)"}} (\S+)', text)]

    counts = [(edge, n - m) for (edge, n), (_, m) in zip(buckets(metrics), buckets(before), strict=True)]
    return next((edge * 1e3 for edge, n in counts if n >= share * counts[-1][1]), 0.0)


async def alone(port: int, messages: list[Signed], rounds: int, *, remember: bool) -> float:
    """The CPU time of a verdict in milliseconds, in the quietest of ten rounds over the messages."""
    resolver = SystemResolver([f"127.0.0.1:{port}"], remember=remember)
    judge = Judge(Authenticator(resolver, Verifying(), "mail.bench.test", 10), Rules(trusted=()), "mail.bench.test")
    client = Client("mx.bench.test", "127.0.0.1", True, None, False)
    work = [
        (Incoming("id", client, parse_address(f"ann@{domain}"), False, []), Message(wire.removesuffix(b".\r\n")))
        for domain, wire in messages
    ]
    best = float("inf")
    for _ in range(10):
        began = time.process_time()
        for incoming, message in work * rounds:
            verdict = await judge.judge(incoming, message)
            assert verdict.results["dmarc"] == ("pass",)
        best = min(best, (time.process_time() - began) / len(work) / rounds)
    return best * 1e3


async def _account(data: Path) -> None:
    async with Store.open(parse({"domains": ["bench.test"], "data": str(data)}), Bus()) as store:
        await store.accounts.add("user@bench.test", None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--domains", type=int, default=50)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--off", action="store_true")
    parser.add_argument("--spam", action="store_true")
    parser.add_argument("--alone", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gk-judge-") as made:
        directory = Path(made)
        records, messages = prepare(directory / "keys", options.domains, options.size)
        here, there = multiprocessing.Pipe()
        dns = multiprocessing.Process(target=_run_dns, args=(there, records), daemon=True)
        dns.start()
        served = here.recv()
        if options.alone:
            known, asked = (asyncio.run(alone(served, messages, 4, remember=remember)) for remember in (True, False))
            print(
                json.dumps(
                    {
                        "CPU ms of a verdict": round(known, 3),
                        "with every question asked": round(asked, 3),
                        "bytes": len(messages[0][1]),
                    }
                )
            )
            dns.terminate()
            return
        (port,) = free_ports(1)
        switches = {"enabled": str(not options.off).lower(), "spam": str(options.spam).lower()}
        (directory / "gk.toml").write_text(CONFIG.format(dns=served, mx=port, **switches))
        asyncio.run(_account(directory / "data"))
        command = [sys.executable, "-m", "gk", "--config", str(directory / "gk.toml"), "serve"]
        server = subprocess.Popen(command, cwd=TOP)
        try:
            while True:
                try:
                    asyncio.run(send(port, messages, options.domains, 4))
                    break
                except OSError:
                    time.sleep(0.1)
            look = {"metrics": True}
            before, used = call(directory / "data", "status", look)["metrics"], cpu(server.pid)
            beside = {child: cpu(child) for child in children(server.pid)}
            arguments = (there, port, messages, options.messages, options.connections)
            client = multiprocessing.Process(target=_run_send, args=arguments)
            client.start()
            took, latencies, client_cpu = here.recv()
            used = cpu(server.pid) - used
            others = sum(cpu(child) - beside.get(child, 0.0) for child in children(server.pid))
            after = call(directory / "data", "status", look)["metrics"]
            verdicts = re.findall(r'gk_verdicts_total\{action="(\w+)"\} (\S+)', after)
            latencies.sort()
            print(
                json.dumps(
                    {
                        "messages/s": round(options.messages / took),
                        "CPU ms each": round(used / options.messages * 1e3, 3),
                        "CPU ms each, in the processes of the server beside it": round(
                            others / options.messages * 1e3, 3
                        ),
                        "p99 ms of a message": round(latencies[len(latencies) * 99 // 100] * 1e3, 1),
                        "p99 ms of a verdict, at most": percentile(after, "gk_judge_seconds", 0.99, before),
                        "verdicts": dict(verdicts),
                        "bytes": len(messages[0][1]),
                        "client CPU ms each": round(client_cpu / options.messages * 1e3, 3),
                    }
                )
            )
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
            dns.terminate()


if __name__ == "__main__":
    main()
