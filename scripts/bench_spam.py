"""How well junk is told from wanted mail, and what looking at a message costs.

usage: python scripts/bench_spam.py JUNK WANTED [--rounds 5] [--threshold 5] [--beside bogofilter]
JUNK and WANTED are directories of messages. Each round learns from a random half and judges the other: what a message
scores by rules alone, by words alone, and by both, as GK would without an answer from any DNS. Costs are CPU time.
bogofilter, if it is installed, learns and judges the same halves.
"""

import argparse
import random
import re
import statistics
import subprocess
import sys
import tempfile
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


def bogofilter(taught: Sequence[Sequence[bytes]], asked: Sequence[Sequence[bytes]]) -> tuple[list[float], list[float]]:
    """The spamicity it gives the messages it is asked about, junk and wanted, from 0 to 1."""
    with tempfile.TemporaryDirectory(prefix="gk-bogofilter-") as directory:
        program = ["bogofilter", "-C", "-d", directory]
        for flag, part in zip(("-s", "-n"), taught, strict=True):
            letters = [re.sub(rb"(?m)^From ", b">From ", raw.replace(b"\r\n", b"\n")) for raw in part]
            mbox = b"".join(b"From a@b.test Tue Nov  3 10:00:00 2026\n" + letter + b"\n\n" for letter in letters)
            subprocess.run([*program, "-M", flag], input=mbox, check=True)
        found: list[list[float]] = []
        for part in asked:
            said = [
                subprocess.run([*program, "-v"], input=raw.replace(b"\r\n", b"\n"), capture_output=True, check=False)
                for raw in part
            ]
            found.append([float(re.findall(rb"spamicity=([\d.]+)", one.stdout)[0]) for one in said])
    return found[0], found[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("junk", type=Path)
    parser.add_argument("wanted", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threshold", type=float, default=5.0)
    parser.add_argument("--beside", choices=["bogofilter"])
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
    if options.beside:
        kinds["bogofilter"] = []
    costs = []
    for number in range(options.rounds):
        chance = random.Random(number)
        order = [chance.sample(range(len(kind)), len(kind)) for kind in seen]
        parts = [[kind[i] for i in places] for kind, places in zip(seen, order, strict=True)]
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
        if options.beside:
            letters = [[kind[i] for i in places] for kind, places in zip(raws, order, strict=True)]
            halves = [[p[: len(p) // 2] for p in letters], [p[len(p) // 2 :] for p in letters]]
            kinds["bogofilter"].append(bogofilter(*halves))
    print(f"an opinion of the words: {statistics.median(costs):.0f} us")
    for name, rounds in kinds.items():
        junk = [s for scores, _ in rounds for s in scores]
        wanted = [s for _, scores in rounds for s in scores]
        threshold = 0.99 if name == "bogofilter" else options.threshold  # its own
        lost = sum(s >= threshold for s in wanted)
        missed_ = sum(s < threshold for s in junk)
        print(
            f"{name}: {lost / len(wanted):.2%} of wanted mail in Junk ({lost} of {len(wanted)}),"
            f" {missed_ / len(junk):.2%} of junk missed"
        )
        wanted.sort(reverse=True)
        for share in (0.002, 0.005, 0.01, 0.02):
            limit = wanted[int(len(wanted) * share)]
            below = sum(s <= limit for s in junk) / len(junk)
            print(f"  at {share:.1%} lost (from {limit:.2f} points): {below:.2%} missed")


if __name__ == "__main__":
    main()
