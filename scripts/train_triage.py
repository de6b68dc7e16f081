"""Train the weights of gk/ai/data/triage.json.gz from the text in tests/data/triage, and say how good they are.

usage: python scripts/train_triage.py [--copies 2] [--held-out 5] [--dry | --all]
The text was written for this project. Each mail there is made into several: names, sums and dates filled in, words and
sentences left out, greetings and headers varied. One in five (`--held-out`, by a hash of its text) is kept out, its
macro-F1 printed; the weights that are written then learn from all. Pure Python: some three minutes.
"""

import argparse
import base64
import gzip
import hashlib
import json
import random
import struct
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP), str(TOP / "scripts")]

from train_triage_learn import Example, Learner, Row, Shared, learnt  # noqa: E402
from train_triage_text import Written, concepts, made, mails, thesaurus  # noqa: E402

from gk.ai.signals.judging import BANT, OUTPUTS  # noqa: E402
from gk.ai.signals.linear import Model, load  # noqa: E402
from gk.ai.signals.words import fold, stems  # noqa: E402
from gk.ai.triage import triage  # noqa: E402

TEXTS = TOP / "tests/data/triage"
TARGET = TOP / "gk/ai/data/triage.json.gz"
UNIT = 0.02
LEAST_WORD, LEAST_MARK = 1.0, 0.02  # weights below are left out
VERSION = 2


def hash_of(written: Written) -> int:
    """A number that stays with the text of a mail."""
    return int.from_bytes(hashlib.sha256((written.subject + written.body).encode()).digest()[:6], "big")


def train(written: Sequence[Written], shared: Shared, copies: int) -> bytes:
    """Learn, and give the weights as they are stored."""
    examples = [Example(each, hash_of(each) + copy, shared) for each in written for copy in range(copies)]
    return stored(learnt(examples, copies), shared)


def stored(learners: Sequence[Learner], shared: Shared) -> bytes:
    """What groups learnt is added to the words they hold, small weights are left out, the rest held in 16 bits each."""
    first = {}
    at = 0
    for learner in learners:
        first[learner.kind.name] = at
        at += len(learner.kind.labels)
    bias: Row = [0.0] * at
    tables: dict[str, defaultdict[str, Row]] = {name: defaultdict(lambda: [0.0] * at) for name in ("words", "marks")}
    for learner in learners:
        start = first[learner.kind.name]
        end = start + len(learner.kind.labels)
        bias[start:end] = learner.bias
        for name, rows in (("words", learner.words), ("marks", learner.marks)):
            for feature, row in rows.items():
                tables[name][feature][start:end] = row
    words = tables["words"]
    groups = {name for each in shared.values() for name in each}
    for word, names in shared.items():
        row = words[word]
        for name in names:
            if name in words:
                row = [a + b for a, b in zip(row, words[name], strict=True)]
        words[word] = row
    held: dict[str, object] = {
        "version": VERSION, "outputs": OUTPUTS, "unit": UNIT, "bias": [round(each, 3) for each in bias]
    }  # fmt: skip
    for kind, least in (("words", LEAST_WORD), ("marks", LEAST_MARK)):
        kept = {}
        for feature in sorted(tables[kind].keys() - groups):
            row_ = [max(-1_500, min(1_500, round(each / UNIT))) for each in tables[kind][feature]]
            if max(map(abs, row_)) * UNIT >= least:
                kept[feature] = base64.b85encode(struct.pack(f"<{len(row_)}h", *row_)).decode()
        held[kind] = kept
        print(f"{len(kept)} {kind}")
    return gzip.compress(json.dumps(held).encode(), 9, mtime=0)


def judge(weights: Model, written: Sequence[Written]) -> dict[str, float]:
    """Macro-F1 of each signal on mails as they were written."""
    answers: dict[str, list[tuple[object, object]]] = defaultdict(list)
    for each in written:
        found = triage(made(each, random.Random(1)), weights)
        answers["category"].append((each.category, found.category))
        answers["urgency"].append((each.urgency, found.urgency))
        answers["sentiment"].append((each.sentiment, found.sentiment))
        answers["needs_response"].append((each.response, found.needs_response))
        answers["notification"].append((each.automatic, found.notification))
        if each.urgency == "critical":
            answers["critical"].append((True, found.urgency == "critical"))
        if each.category == "sales":
            answers["bant"] += [(letter in each.bant, letter in found.bant) for letter in BANT]
    return {name: round(macro(pairs), 3) for name, pairs in answers.items()}


def macro(answers: Sequence[tuple[object, object]]) -> float:
    """The mean of the F1 of each label."""
    out = []
    for label in {right for right, _ in answers}:
        hits = sum(right == label == said for right, said in answers)
        named = sum(right == label for right, _ in answers) + sum(said == label for _, said in answers)
        out.append(2 * hits / named if named else 0.0)
    return sum(out) / len(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=2)
    parser.add_argument("--held-out", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="only say how good")
    parser.add_argument("--all", action="store_true", help="only write")
    options = parser.parse_args()
    written = mails(TEXTS)
    shared = concepts(TEXTS, _stem)
    for word, names in thesaurus(TEXTS, _stem).items():
        shared[word] = (*shared.get(word, ()), *names)
    print(f"{len(written)} mails, {len(shared)} words in groups")
    if not options.all:
        held_out = [each for each in written if hash_of(each) % options.held_out == 0]
        seen = [each for each in written if hash_of(each) % options.held_out]
        print("held out:", len(held_out), judge(load(train(seen, shared, options.copies)), held_out))
    if not options.dry:
        TARGET.write_bytes(train(written, shared, options.copies))
        print(f"{TARGET.relative_to(TOP)}: {TARGET.stat().st_size >> 10} KiB")


def _stem(words: str) -> str:
    return " ".join(stems(fold(words)))


if __name__ == "__main__":
    main()
