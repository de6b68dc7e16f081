"""What the search index does: indexing N messages in the child, and questions about a mailbox of N.

usage: python scripts/bench_search.py [--messages N] [--size BYTES] [DIRECTORY]   (default: a temporary directory)
"""

import argparse
import asyncio
import base64
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP)]

from gk.bus import Bus  # noqa: E402
from gk.config import parse  # noqa: E402
from gk.service import supervise  # noqa: E402
from gk.store.db import Store  # noqa: E402
from gk.store.search.indexer import Indexer  # noqa: E402
from gk.store.values import Flags  # noqa: E402

ALPHABET = "eeeeeetttttaaaaooooiiinnnssshhrrddlluccmmwfgypbvkjxqz"


def vocabulary(chance: random.Random) -> list[str]:
    return ["".join(chance.choice(ALPHABET) for _ in range(chance.randint(2, 10))) for _ in range(20_000)]


def message(number: int, size: int, words: list[str], chance: random.Random) -> bytes:
    """Every hundredth message has `needle77` in its text, every fiftieth `topic42` in its subject."""

    def text(length: int) -> str:
        out = ""
        while len(out) < length:
            out += words[min(len(words) - 1, int(chance.paretovariate(0.5)))] + (" " if chance.random() < 0.9 else "\n")
        return out

    subject = text(40).replace("\n", " ") + (" topic42" if number % 50 == 0 else "")
    body = text(size - 900) + (" needle77" if number % 100 == 0 else "")
    encoded = number % 3 == 0
    content = base64.encodebytes(body.encode()).decode() if encoded else body + "\n"
    head = "".join(f"Received: from relay{i}.example ([192.0.2.{i}]) by mx.test; {number}{i}\n" for i in range(5))
    head += f"From: {words[number % 50]} <{words[number % 50]}@example.org>\nTo: me@example.test\n"
    head += f"Subject: {subject}\nDate: Fri, {number % 28 + 1} Nov 2025 10:00:00 +0000\nMessage-ID: <{number}@b.test>\n"
    head += f"References: <{number // 10}@b.test>\nContent-Type: text/plain; charset=utf-8\n"
    head += f"Content-Transfer-Encoding: {'base64' if encoded else '8bit'}\n\n"
    return (head + content).replace("\n", "\r\n").encode()


async def timed(label: str, work: Callable[[], Awaitable[Any]], size: Callable[[Any], int]) -> None:
    times = []
    for _ in range(9):
        began = time.perf_counter()
        found = await work()
        times.append((time.perf_counter() - began) * 1e3)
    print(f"{label:46} {statistics.median(times):9.2f} ms   worst {max(times):.2f} ms, {size(found)} found")


def cpu(pid: int) -> tuple[float, int]:
    """Seconds of CPU and the most memory, in MiB, of a process."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    peak = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK"), int(peak.split()[1]) >> 10


async def main(data: Path, count: int, size: int) -> None:
    config = parse({"domains": ["bench.test"], "data": str(data), "limits": {"journal_messages": 1 << 30}})
    chance = random.Random(7)
    words = vocabulary(chance)
    async with Store.open(config, Bus()) as store:
        account = await store.accounts.add("user@bench.test", None)
        inbox = store.mailboxes.get(account.id, "INBOX")
        for start in range(0, count, 500):
            arrivals = [
                (await store.prepare(message(n, size, words, chance)), Flags(), 1_700_000_000 + n)
                for n in range(start, min(count, start + 500))
            ]
            await store.mailboxes.append(inbox, arrivals)
        await store.filer.rest()
        indexer = Indexer(store)
        began = time.perf_counter()
        async with supervise(indexer):
            await indexer.rest()
            wall = time.perf_counter() - began
            assert indexer.pid
            spent, peak = cpu(indexer.pid)
            room = sum(p.stat().st_size for p in data.glob("search.db*"))
            label = f"index {count:,} messages of {size} bytes"
            print(f"{label:46} {wall * 1e3:9.0f} ms   {spent / count * 1e6:.0f} us CPU each,"
                  f" child {peak} MiB, search.db {room / count:.0f} bytes each")  # fmt: skip
            find, uids = store.search.find, range(1, count + 1)

            def found(result: Any) -> int:
                return len(result.uids) + len(result.unsure)

            await timed("BODY, every 100th", lambda: find(inbox, "needle77", "body"), found)
            await timed("TEXT, every 100th", lambda: find(inbox, "needle77", "text"), found)
            await timed("SUBJECT, every 50th", lambda: find(inbox, "topic42", "subject"), found)
            await timed("FROM, every 50th", lambda: find(inbox, words[3] + "@example", "from"), found)
            await timed("TEXT, nowhere", lambda: find(inbox, "qqqzzzxxx", "text"), found)
            await timed("TEXT, a common word", lambda: find(inbox, words[0] + " ", "text"), found)
            await timed("TEXT, everywhere", lambda: find(inbox, "example.org", "text"), found)
            await timed("TEXT, two characters", lambda: find(inbox, "zq", "text"), found)
            await timed("SUBJECT, one character", lambda: find(inbox, "z", "subject"), found)
            await timed(
                "words, three of them", lambda: store.search.words(inbox, "needle77 topic42 the"), lambda r: len(r[0])
            )
            await timed("keys: sent", lambda: store.search.keys(inbox, uids, ("sent",)), len)
            await timed("keys: subject, sent", lambda: store.search.keys(inbox, uids, ("subject", "sent")), len)
            threads = ("message_id", "references", "subject", "reply", "sent")
            await timed("keys: what THREAD needs", lambda: store.search.keys(inbox, uids, threads), len)
            await timed("previews of 50", lambda: store.search.previews(inbox, range(1, 51)), len)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=4096)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(main((chosen.directory or Path(temporary)) / "data", chosen.messages, chosen.size))
