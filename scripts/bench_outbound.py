"""How fast a full queue empties into a fast mail exchanger and what a message costs: GK, and Postfix beside it.

usage: python scripts/bench_outbound.py [--messages 4000] [--domains 20] [--size 2048] [--rounds 1] [--beside postfix]
                                        [--unsigned] [--latency MS] [--no-pipelining] [--backlog N]
The exchanger and the DNS are bench_outbound_sink.py, in a process of their own. GK's messages carry both DKIM
signatures unless --unsigned; what signing and queueing cost is a figure of its own. Postfix (as root) relays the same
mail with Debian's defaults and signs nothing. `--latency` is added to every reply, as a link of that round trip would.
`--backlog` puts so many messages for an unreachable domain in front.
"""

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP), str(TOP / "scripts"), str(TOP / "scripts" / "bench")]

import mix  # noqa: E402
import procs  # noqa: E402
from bench_outbound_postfix import postfix  # noqa: E402
from bench_outbound_sink import DEAD, Sink, address  # noqa: E402

from gk.bus import Bus  # noqa: E402
from gk.config import parse  # noqa: E402
from gk.mailauth.keys import Keys  # noqa: E402
from gk.mailauth.signing import Signer  # noqa: E402
from gk.store.db import Store  # noqa: E402
from gk.store.queued import QueuedRecipient  # noqa: E402
from tests.server import free_ports  # noqa: E402

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


def contents(size: int) -> list[bytes]:
    """A hundred different messages of one author."""
    made = [mix.message(i, size=size) for i in range(100)]
    return [b"From: Ann <user@bench.test>\r\n" + b"".join(_without_from(each)) for each in made]


def _without_from(message: bytes) -> list[bytes]:
    head, blank, body = message.partition(b"\r\n\r\n")
    kept: list[bytes] = []
    inside = False
    for line in head.split(b"\r\n"):
        inside = line.lower().startswith(b"from:") or (inside and line[:1] in (b" ", b"\t"))
        if not inside:
            kept.append(line)
    return [b"\r\n".join(kept), blank, body]


async def fill(data: Path, options: argparse.Namespace, messages: list[bytes]) -> float:
    """Queue everything; CPU seconds a message took to be signed and queued."""
    limits = {"queue_messages": 1_000_000, "messages_per_day": 0, "new_recipients_per_day": 0}
    config = parse({"domains": ["bench.test"], "data": str(data), "limits": limits})
    keys = Keys(data / "keys")
    keys.ensure(["bench.test"])
    signer = None if options.unsigned else Signer(keys)
    async with Store.open(config, Bus()) as store:
        await store.accounts.add("user@bench.test", None)

        async def queue(number: int, domain: str) -> None:
            to = [QueuedRecipient(f"u{number}@{domain}", domain)]
            content = messages[number % len(messages)]
            prefix = await signer.fields("bench.test", content, len(content)) if signer else b""
            arrival = await store.prepare(content)
            await store.outgoing.add(arrival, "user@bench.test", to, account=1, origin="user", prefix=prefix)

        for start in range(0, options.backlog, 500):
            await asyncio.gather(*(queue(n, DEAD) for n in range(start, min(options.backlog, start + 500))))
        began, count = time.process_time(), options.messages
        for start in range(0, count, 500):
            numbers = range(start, min(count, start + 500))
            await asyncio.gather(*(queue(n, f"d{n % options.domains}.test") for n in numbers))
        return (time.process_time() - began) / count


def watch(sink: Sink, pid: int, before: int, count: int) -> dict[str, object]:
    """Figures from the first of `count` messages to the last; `before` were there already."""
    first = used = 0.0
    began, most = before, 0
    while True:
        seen, now = sink.seen(), time.perf_counter()
        most = max(most, seen.most)
        if seen.messages > before and not first:
            first, began, used = now, seen.messages, procs.cpu([pid])
        if seen.messages >= before + count:
            break
        time.sleep(0.02)
    done = seen.messages - began
    return {
        "messages/s": round(done / (now - first)),
        "CPU ms each": round((procs.cpu([pid]) - used) / done * 1e3, 3),
        "MiB": round(procs.memory([pid])["pss"]),
        "most sessions": most,
    }


def gk(directory: Path, sink: Sink, port: int, options: argparse.Namespace, messages: list[bytes]) -> dict[str, object]:
    directory.mkdir()
    (directory / "gk.toml").write_text(CONFIG.format(dns=sink.dns, port=port))
    queued = asyncio.run(fill(directory / "data", options, messages))
    before = sink.seen().messages
    command = [sys.executable, "-m", "gk", "--config", str(directory / "gk.toml"), "serve"]
    server = subprocess.Popen(command, cwd=TOP)
    try:
        found = watch(sink, server.pid, before, options.messages)
        memory = Path(f"/proc/{server.pid}/status").read_text().split("VmHWM:")[1].split()[0]
        return found | {"peak MiB": int(memory) // 1024, "CPU ms to sign and queue": round(queued * 1e3, 3)}
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def beside(
    directory: Path, sink: Sink, port: int, options: argparse.Namespace, messages: list[bytes]
) -> dict[str, object]:
    """The same mail from Postfix's queue."""
    (own,) = free_ports(1)
    targets = [(f"d{n}.test", f"{address(n)}:{port}") for n in range(options.domains)]
    with postfix(directory, own, targets) as running:
        running.fill(options.messages, options.domains, messages)
        before = sink.seen().messages
        running.let_go()
        return watch(sink, running.pid, before, options.messages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--domains", type=int, default=20)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--beside", choices=["postfix"])
    parser.add_argument("--unsigned", action="store_true")
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds")
    parser.add_argument("--no-pipelining", action="store_true")
    parser.add_argument("--backlog", type=int, default=0)
    options = parser.parse_args()
    messages = contents(options.size)
    (port,) = free_ports(1)
    sink = Sink(port, options.domains, options.latency / 1000, pipelining=not options.no_pipelining)
    runs = {"gk": gk} | ({"postfix": beside} if options.beside else {})
    try:
        with tempfile.TemporaryDirectory(prefix="gk-outbound-") as made:
            Path(made).chmod(0o755)  # Postfix's own user works in it
            for number in range(options.rounds):
                for name, run in runs.items():
                    found = run(Path(made) / f"{name}{number}", sink, port, options, messages)
                    print(json.dumps({"server": name, "round": number + 1} | found), flush=True)
    finally:
        sink.close()


if __name__ == "__main__":
    main()
