"""How long it takes to bring 140 new mails of an account elsewhere here, at Dovecot on this machine (needs root).

usage: python scripts/bench_remote.py [ROUNDS]          (default 5; each begins with a server and a store of its own)

30 of the senders are new and 20 mails begin a conversation, the others answer in those there are. No model is asked.
Counted are the statements of the writing connection and of the reading one, and the commits.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from email.utils import formatdate
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP)]

from tests.dovecot import dovecot  # noqa: E402
from tests.inbound.remote.elsewhere import USES, both, put  # noqa: E402

KNOWN, NEW, SENDERS, CONVERSATIONS = 60, 140, 30, 20
BODY = "The words of a mail of usual length, which somebody wrote to somebody else about something.\r\n" * 20


def mail(number: int, sender: int, answers: int | None) -> bytes:
    """About 2 KB; `answers` is the number of the mail it belongs to."""
    head = f"From: Somebody <sender{sender}@far.test>\r\nTo: ann@far.test\r\nDate: {formatdate()}\r\n"
    head += f"Message-ID: <{number}@far.test>\r\nSubject: {'Re: ' if answers is not None else ''}About {number}\r\n"
    if answers is not None:
        head += f"In-Reply-To: <{answers}@far.test>\r\nReferences: <{answers}@far.test>\r\n"
    return f"{head}MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{BODY}".encode()


async def one(directory: Path) -> tuple[float, float, Counter[str]]:
    """Seconds of a round on the wall clock and of CPU, and what was counted."""
    known = [mail(n, n % 20, None) for n in range(KNOWN)]
    fresh = [
        mail(1000 + n, 100 + n if n < SENDERS else n % 20, None if n < CONVERSATIONS else n % KNOWN) for n in range(NEW)
    ]
    root = directory / "dovecot"
    root.mkdir()
    with dovecot(root, uses=USES) as there:
        async with both(directory, there.port) as side:
            await side.there(put(*known))
            await side.sync()
            counted: Counter[str] = Counter()
            side.store.reader.set_trace_callback(lambda _: counted.update(["read"]))
            await side.store.commits.do(lambda db, facts: db.set_trace_callback(lambda s: count(counted, s)))
            await side.there(put(*fresh))
            counted.clear()
            cpu, began = time.process_time(), time.perf_counter()
            done = await side.sync()
            took, busy = time.perf_counter() - began, time.process_time() - cpu
            side.store.reader.set_trace_callback(None)
            assert (done.new, done.senders, done.conversations) == (NEW, SENDERS, CONVERSATIONS), done
            return took, busy, counted


def count(counted: Counter[str], statement: str) -> None:
    word = statement.split(None, 1)[0].upper()
    counted.update(["commits"] if word == "COMMIT" else [] if word in ("BEGIN", "SAVEPOINT", "RELEASE") else ["write"])


def main(rounds: int) -> None:
    times, cpus = [], []
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="gk-remote-") as place:
            took, busy, counted = asyncio.run(one(Path(place)))
        print(
            f"{number + 1}: {took * 1000:6.0f} ms, CPU {busy * 1000:5.0f} ms, "
            f"{counted['commits']} commits, {counted['read']} questions, {counted['write']} statements written"
        )
        times.append(took)
        cpus.append(busy)
    print(f"median {statistics.median(times) * 1000:.0f} ms, CPU {statistics.median(cpus) * 1000:.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
