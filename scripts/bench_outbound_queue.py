"""What the queue's rows cost: a claim of ten and a record of what came of each, with few messages queued and with many.

usage: python scripts/bench_outbound_queue.py [--rows 1000,100000] [--domains 1000] [--claims 200]
The store alone, without a runner. Records are made ten at once, as deliveries that end together share a commit.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP), str(TOP / "scripts" / "bench")]

import mix  # noqa: E402

from gk.bus import Bus  # noqa: E402
from gk.config import parse  # noqa: E402
from gk.store.db import Store  # noqa: E402
from gk.store.queued import PENDING, SENT, Claim, Outcome, QueuedRecipient  # noqa: E402

BATCH, SHARE = 10, 20


async def measure(data: Path, rows: int, domains: int, claims: int) -> dict[str, object]:
    limits = {"queue_messages": 1_000_000, "messages_per_day": 0, "new_recipients_per_day": 0}
    config = parse({"domains": ["bench.test"], "data": str(data), "limits": limits})
    contents = [mix.message(i, size=2048) for i in range(100)]
    async with Store.open(config, Bus()) as store:
        await store.accounts.add("user@bench.test", None)

        async def queue(number: int) -> None:
            domain = f"d{number % domains}.test"
            arrival = await store.prepare(contents[number % 100])
            to = [QueuedRecipient(f"u{number}@{domain}", domain)]
            await store.outgoing.add(arrival, "user@bench.test", to, account=1, origin="user")

        began = time.perf_counter()
        for start in range(0, rows, 500):
            await asyncio.gather(*(queue(n) for n in range(start, min(rows, start + 500))))
        filled = time.perf_counter() - began

        async def record(claim: Claim, status: str) -> None:
            due = time.time() + 120 if status == PENDING else 0.0
            outcome = Outcome(claim.recipients[0].no, status, "250 2.0.0 kept", "mx.test", due)
            await store.outgoing.record(claim.queue_id, claim.domain, [outcome], [], time.time(), [])

        took: dict[str, list[float]] = {"claim": [], SENT: [], PENDING: []}
        cpu = time.process_time()
        for number in range(claims):
            began = time.perf_counter()
            found, _ = await store.outgoing.claim(time.time(), BATCH, {}, SHARE)
            claimed = time.perf_counter()
            status = SENT if number % 2 else PENDING
            await asyncio.gather(*(record(claim, status) for claim in found))
            took["claim"].append(claimed - began)
            took[status].append(time.perf_counter() - claimed)
        used = time.process_time() - cpu
    medians = {name: round(statistics.median(times) * 1e3, 2) for name, times in took.items()}
    return {
        "rows": rows,
        "queued/s": round(rows / filled),
        "claim of 10, ms": medians["claim"],
        "record of 10 sent, ms": medians[SENT],
        "record of 10 put off, ms": medians[PENDING],
        "CPU ms a message": round(used / claims / BATCH * 1e3, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="1000,100000")
    parser.add_argument("--domains", type=int, default=1000)
    parser.add_argument("--claims", type=int, default=200)
    options = parser.parse_args()
    for rows in map(int, options.rows.split(",")):
        with tempfile.TemporaryDirectory(prefix="gk-queue-") as made:
            claims = min(options.claims, rows // BATCH)
            found = asyncio.run(measure(Path(made) / "data", rows, min(options.domains, rows), claims))
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
