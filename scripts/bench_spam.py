"""How well junk is told from wanted mail, and what looking at a message costs.

usage: python scripts/bench_spam.py JUNK WANTED [--rounds 5] [--threshold 5]
JUNK and WANTED are directories of messages. Each round learns from a random half and judges the other: what a message
scores by rules alone, by words alone, and by both, as GK would without an answer from any DNS. Costs are CPU time.
"""

import argparse
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP))

from gk.inbound.spam import bayes  # noqa: E402
from gk.inbound.spam.bayes import Base, Own  # noqa: E402
from gk.inbound.spam.rule import Around  # noqa: E402
from gk.inbound.spam.scan import Scan, scan  # noqa: E402
from gk.inbound.spam.training import messages  # noqa: E402


def base_of(junk: Sequence[Scan], wanted: Sequence[Scan]) -> Base:
    in_junk: Counter[int] = Counter(sign for one in junk for sign in one.signs)
    in_wanted: Counter[int] = Counter(sign for one in wanted for sign in one.signs)
    return Base(((s, in_junk[s], in_wanted[s]) for s in in_junk | in_wanted), len(junk), len(wanted))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("junk", type=Path)
    parser.add_argument("wanted", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threshold", type=float, default=5.0)
    options = parser.parse_args()
    missed: list[str] = []
    raws = [list(messages(path, missed)) for path in (options.junk, options.wanted)]
    around = Around(frozenset({"example.org"}))
    count = len(raws[0]) + len(raws[1])
    print(f"{len(raws[0])} junk, {len(raws[1])} wanted, {sum(map(len, raws[0] + raws[1])) // count} octets each")
    began = time.process_time()
    seen = [[scan(raw, around, {}) for raw in kind] for kind in raws]
    print(f"looking at a message: {(time.process_time() - began) / count * 1e6:.0f} us")
    kinds: dict[str, list[tuple[list[float], list[float]]]] = {"rules": [], "words": [], "both": []}
    costs = []
    for number in range(options.rounds):
        chance = random.Random(number)
        parts = [chance.sample(kind, len(kind)) for kind in seen]
        taught, asked = [p[: len(p) // 2] for p in parts], [p[len(p) // 2 :] for p in parts]
        base = base_of(*taught)
        began = time.process_time()
        opinions = [[bayes.judge(one.signs, base, Own()) for one in part] for part in asked]
        costs.append((time.process_time() - began) / sum(map(len, asked)) * 1e6)
        by_words = [[o.points if o else 0.0 for o in kind] for kind in opinions]
        by_rules = [[sum(hit.points for hit in one.hits) for one in kind] for kind in asked]
        both = [[a + b for a, b in zip(*kind, strict=True)] for kind in zip(by_words, by_rules, strict=True)]
        for name, scores in (("rules", by_rules), ("words", by_words), ("both", both)):
            kinds[name].append((scores[0], scores[1]))
    print(f"an opinion of the words: {statistics.median(costs):.0f} us")
    for name, rounds in kinds.items():
        junk = [s for scores, _ in rounds for s in scores]
        wanted = [s for _, scores in rounds for s in scores]
        lost = sum(s >= options.threshold for s in wanted)
        missed_ = sum(s < options.threshold for s in junk)
        print(
            f"{name}: {lost / len(wanted):.2%} of wanted mail in Junk ({lost} of {len(wanted)}),"
            f" {missed_ / len(junk):.2%} of junk missed"
        )
        wanted.sort(reverse=True)
        for share in (0.002, 0.005, 0.01):
            limit = wanted[int(len(wanted) * share)]
            below = sum(s <= limit for s in junk) / len(junk)
            print(f"  at {share:.1%} lost (from {limit:.1f} points): {below:.2%} missed")


if __name__ == "__main__":
    main()
