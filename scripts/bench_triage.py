"""What triage of a mail costs, and how good it is on labelled mail.

usage: python scripts/bench_triage.py [LABELLED] [--rounds 5] [--burst N]
LABELLED is a folder with `labels.jsonl` and mails; without one the mails of tests/data/triage are timed. Times are CPU,
the best of the rounds, on one core: reading (scan, decode, HTML to lines), triage (all signals, reasons, summary) and
what a delivery takes in all, packing included. `--burst` delivers N of the mails, then starts the service and says how
many it judges and keeps in a second.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP), str(TOP / "scripts")]

from train_triage_text import made, mails  # noqa: E402

from gk.ai.judged import judge  # noqa: E402
from gk.ai.signals import entities, names  # noqa: E402
from gk.ai.signals.compression import own, summary  # noqa: E402
from gk.ai.signals.features import features  # noqa: E402
from gk.ai.signals.linear import model  # noqa: E402
from gk.ai.signals.words import fold  # noqa: E402
from gk.ai.triage import Triage, triage  # noqa: E402
from gk.ai.triaging import Triaging  # noqa: E402
from gk.ai.view import View, view  # noqa: E402
from gk.bus import Bus  # noqa: E402
from gk.config import parse  # noqa: E402
from gk.events import MessageTriaged  # noqa: E402
from gk.service import supervise  # noqa: E402
from gk.store.db import Store  # noqa: E402
from gk.store.values import Recipient  # noqa: E402

LABELS = ("language", "category", "urgency", "sentiment", "needs_response", "notification")


def timed(name: str, function: Callable[[Any], object], items: Sequence[Any], rounds: int) -> None:
    """Print the microseconds of CPU a call takes."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for item in items:
            function(item)
        best = min(best, time.process_time() - began)
    print(f"{name:24}{best / len(items) * 1e6:8.1f} µs")


def speed(views: Sequence[View], rounds: int) -> None:
    """Time the whole and its parts."""
    own_texts = [own(each.text) for each in views]
    texts = [f"{each.subject}\n{mine.text}" for each, mine in zip(views, own_texts, strict=True)]
    print(f"{len(views)} mails, {sum(map(len, texts)) / len(texts):.0f} characters of own text each")
    timed("triage, everything", triage, views, rounds)
    timed("triage at delivery", lambda each: triage(each, placed=False), views, rounds)
    timed("  own words", lambda each: own(each.text), views, rounds)
    timed("  summary", lambda mine: summary(mine.text), own_texts, rounds)
    timed("  entities", entities.found, texts, rounds)
    pairs = list(zip(views, texts, map(entities.found, texts), strict=True))
    timed("  names", lambda it: names.named(it[1], it[0].name, it[0].domain, it[2][0]), pairs, rounds)
    seen = list(zip(views, own_texts, texts, map(fold, texts), map(entities.found, texts), strict=True))
    timed("  features", lambda it: features(*it[:4], *it[4]), seen, rounds)
    noted = [features(*it[:4], *it[4]) for it in seen]
    weights = model()
    timed("  scores", lambda it: weights.scores(it.words, it.marks, it.scale), noted, rounds)


def quality(labels: Sequence[dict[str, object]], found: Sequence[Triage]) -> None:
    """Print accuracy and macro-F1 of each label."""
    for name in LABELS:
        hits: dict[object, list[int]] = defaultdict(lambda: [0, 0])
        right = 0
        for label, said in zip(labels, found, strict=True):
            truth, answer = label[name], getattr(said, name)
            right += truth == answer
            hits[truth][1] += 1
            hits[answer][1] += 1
            hits[truth][0] += 2 * (truth == answer)
        scores = [two / named for truth, (two, named) in hits.items() if any(each[name] == truth for each in labels)]
        print(f"{name:16}accuracy {right / len(labels):.3f}, macro-F1 {sum(scores) / len(scores):.3f}")


async def burst(contents: Sequence[bytes], count: int, directory: Path) -> None:
    """Deliver mails while nobody judges, then time how long the service takes until the last result is kept."""
    tree = {"hostname": "mail.example.test", "domains": ["example.test"], "data": str(directory / "data")}
    async with Store.open(parse(tree), Bus()) as store:
        await store.accounts.add("ann@example.test", None)
        account = store.accounts.get("ann@example.test")
        to = [Recipient(account.id, store.mailboxes.get(account.id, "INBOX").id, account.address)]
        for number in range(count):
            raw = b"X-Number: %d\r\n" % number + contents[number % len(contents)]
            await store.deliver(await store.prepare(raw), to)
        await store.filer.rest()
        with store.bus.subscribe(MessageTriaged) as heard:
            began = time.monotonic()
            async with supervise(Triaging(store, marking=True)):
                while store.triages.waiting():
                    await anext(heard)
                took = time.monotonic() - began
    print(f"{count} mails after a burst: {count / took:.0f} a second, keywords and commits included")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labelled", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--burst", type=int, default=0)
    options = parser.parse_args()
    if options.labelled is None:
        chance = random.Random(1)
        speed([made(each, chance) for each in mails(TOP / "tests/data/triage")], options.rounds)
        return
    labels = [json.loads(line) for line in (options.labelled / "labels.jsonl").read_text().splitlines()]
    contents = [(options.labelled / str(label["file"])).read_bytes() for label in labels]
    timed("reading", view, contents, options.rounds)
    timed("a delivery, in all", judge, contents, options.rounds)
    views = list(map(view, contents))
    speed(views, options.rounds)
    quality(labels, list(map(triage, views)))
    if options.burst:
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(burst(contents, options.burst, Path(directory)))


if __name__ == "__main__":
    main()
