"""What the store alone does: deliveries at 1, 10 and 50 callers, filing, and the reads and writes IMAP asks for.

usage: python scripts/bench_store.py [DIRECTORY]      (on the disk to be measured; default: a temporary one)
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP), str(TOP / "scripts" / "bench")]

import mix  # noqa: E402

from gk.bus import Bus  # noqa: E402
from gk.config import parse  # noqa: E402
from gk.store.db import Store  # noqa: E402
from gk.store.values import FLAGGED, Flags, Recipient  # noqa: E402

COUNT = 10_000


async def timed(label: str, work: Awaitable[Any], operations: int = 1) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    await work
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rate = f"{operations / wall:,.0f}/s, {cpu / operations * 1e6:.0f} us CPU each" if operations > 1 else ""
    print(f"{label:42} {wall * 1e3:9.1f} ms   {rate}")


async def main(data: Path) -> None:
    config = parse({"domains": ["bench.test"], "data": str(data), "limits": {"journal_messages": 50_000}})
    async with Store.open(config, Bus()) as store:
        account = await store.accounts.add("user@bench.test", None)
        boxes = store.mailboxes
        inbox, archive, trash = (boxes.get(account.id, name) for name in ("INBOX", "Archive", "Trash"))
        to = [Recipient(account.id, inbox.id, account.address)]
        messages = [mix.message(i, size=2048) for i in range(400)]

        async def deliver(callers: int, count: int) -> None:
            numbers = iter(range(count))

            async def caller() -> None:
                for number in numbers:
                    await store.deliver(await store.prepare(messages[number % 400]), to)

            await asyncio.gather(*(caller() for _ in range(callers)))

        for callers, count in ((1, 1000), (10, COUNT // 2), (50, COUNT // 2)):
            await timed(f"deliver 2 KB, {callers} callers", deliver(callers, count), count)
        await timed("file all of them", store.filer.rest(), COUNT + 1000)
        snapshot = await boxes.open(inbox)
        uids = snapshot.uids[:COUNT]

        async def rows() -> None:
            for start in range(0, COUNT, 500):
                boxes.rows(
                    inbox, uids[start : start + 500], ("flags", "internaldate", "size", "envelope", "bodystructure")
                )

        async def bodies() -> None:
            for start in range(0, 1000, 100):
                for content in await boxes.contents(inbox, uids[start : start + 100]):
                    assert content is not None
                    content.read()

        await timed("rows of 10,000 for ENVELOPE, BODYSTRUCTURE", rows())
        await timed("contents of 1,000", bodies())
        await timed("flag 10,000", boxes.store_flags(inbox, uids, "add", Flags(FLAGGED)))
        await timed("copy 1,000", boxes.copy(inbox, uids[:1000], archive))
        await timed("move 1,000", boxes.move(archive, range(1, 1001), trash))
        large = mix.message(5, size=1_000_000)

        async def deliver_large() -> None:
            async def one() -> None:
                await store.deliver(await store.prepare(large), to)

            for _ in range(10):
                await asyncio.gather(*(one() for _ in range(10)))

        await timed("deliver 1 MB, 10 callers", deliver_large(), 100)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else temporary) / "data"))
