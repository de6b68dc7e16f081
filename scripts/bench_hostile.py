"""How long the event loop stands still while messages and DNS records made to hurt are judged, each of them alone.

usage: python scripts/bench_hostile.py [--rounds 5]

Of the rounds the quietest counts: what another program took of the machine is none of theirs. The last row is the
border before the judge: a header of forged Authentication-Results, cleaned.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP)]

from gk.config import Judge as Rules  # noqa: E402
from gk.inbound.accept import Incoming, Message  # noqa: E402
from gk.inbound.judge import Judge  # noqa: E402
from gk.inbound.trace import Client, without_alien  # noqa: E402
from gk.mailauth.authentic import Authenticator  # noqa: E402
from gk.mailauth.verifying import Verifying  # noqa: E402
from gk.message.address import parse_address  # noqa: E402
from gk.service import supervise  # noqa: E402
from tests.mailauth.hostile import Hostile, attempts  # noqa: E402
from tests.mailauth.table import watched  # noqa: E402

CLIENT = Client("mx.b.test", "192.0.2.9", True, None, False)


async def measured(attempt: Hostile, verifying: Verifying, rounds: int) -> tuple[float, float, str]:
    """(milliseconds until the verdict, the longest the loop stood still, the results) of the quietest round."""
    message = Message(attempt.message)
    incoming = Incoming("id", CLIENT, parse_address(attempt.sender), False, [])
    best = (float("inf"), float("inf"))
    for _ in range(rounds):
        judge = Judge(Authenticator(attempt.names(), verifying, "mail.test", 5), Rules(trusted=()), "mail.test")
        with watched() as lag:
            await asyncio.sleep(0.01)
            began = time.perf_counter()
            verdict = await judge.judge(incoming, message)
            took = time.perf_counter() - began
            await asyncio.sleep(0.01)
        best = min(best[0], took), min(best[1], lag.longest)
    said = ", ".join(f"{method}={'/'.join(words)}" for method, words in verdict.results.items() if method != "iprev")
    return best[0] * 1e3, best[1] * 1e3, said


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    sys.setswitchinterval(0.0005)  # as the server
    verifying = Verifying()
    print("| attempt | ms until the verdict | ms the loop stood still | results |\n|---|---|---|---|")
    async with supervise(verifying):
        for attempt in attempts():
            took, still, said = await measured(attempt, verifying, rounds)
            print(f"| {attempt.name} | {took:.1f} | {still:.1f} | {said} |", flush=True)
    header = b"Authentication-Results: (((x))(y)) mail.test; dmarc=pass\r\n" * 17_000
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        without_alien(header, "mail.test")
        times.append((time.perf_counter() - began) * 1e3)
    print(f"| a megabyte of forged results | | {min(times):.1f} | removed |")


if __name__ == "__main__":
    asyncio.run(main())
