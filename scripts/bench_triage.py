"""What triage of a mail costs, and how good it is on labelled mail.

usage: python scripts/bench_triage.py [LABELLED] [--rounds 5]
LABELLED is a folder with `labels.jsonl` and mails; without one the mails of tests/data/triage are timed. Times are CPU,
the best of the rounds, on one core: reading (scan, decode, HTML to lines) and triage (all signals, reasons, summary).
"""

import argparse
import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP), str(TOP / "scripts")]

from train_triage_text import made, mails  # noqa: E402

from gk.ai.signals import entities, names  # noqa: E402
from gk.ai.signals.compression import own, summary  # noqa: E402
from gk.ai.signals.features import features  # noqa: E402
from gk.ai.signals.linear import model  # noqa: E402
from gk.ai.signals.words import fold  # noqa: E402
from gk.ai.triage import Triage, triage  # noqa: E402
from gk.ai.view import View, view  # noqa: E402

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labelled", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.labelled is None:
        chance = random.Random(1)
        speed([made(each, chance) for each in mails(TOP / "tests/data/triage")], options.rounds)
        return
    labels = [json.loads(line) for line in (options.labelled / "labels.jsonl").read_text().splitlines()]
    contents = [(options.labelled / str(label["file"])).read_bytes() for label in labels]
    timed("reading", view, contents, options.rounds)
    views = list(map(view, contents))
    speed(views, options.rounds)
    quality(labels, list(map(triage, views)))


if __name__ == "__main__":
    main()
