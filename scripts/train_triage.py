"""Train the weights of gk/ai/data/triage.json.gz from the text in tests/data/triage, and say how good they are.

usage: python scripts/train_triage.py [--epochs 40] [--copies 8] [--held-out 5] [--dry]
The text was written for this project. Each mail there is made into several: names, sums and dates filled in, words and
sentences left out, greetings and headers varied. One in five (`--held-out`, by a hash of its text) is kept out, its
macro-F1 printed; the weights that are written then learn from all. Pure Python: three minutes.
"""

import argparse
import base64
import gzip
import hashlib
import json
import math
import random
import struct
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP), str(TOP / "scripts")]

from train_triage_text import Written, concepts, made, read  # noqa: E402

from gk.ai.signals.judging import BANT, CATEGORIES, OUTPUTS, SECOND, SENTIMENTS, URGENCIES, purpose  # noqa: E402
from gk.ai.signals.words import fold, stems  # noqa: E402
from gk.ai.triage import noticed  # noqa: E402

TEXTS = TOP / "tests/data/triage"
TARGET = TOP / "gk/ai/data/triage.json.gz"
UNIT = 0.02
RARE = {CATEGORIES: 0.3, URGENCIES: 0.5, SENTIMENTS: 0.8}  # how far rare labels are made up for, from 0 to 1
FORGOTTEN = 0.2  # how often the other outputs must do without the category
PAIR = 0.5  # what a pair of words counts beside a word
VERSION = 1

Row = list[float]


class Example:
    """The features of one mail and what each output should say; None where an output is not asked."""

    def __init__(self, written: Written, seed: int, known: dict[str, tuple[str, ...]]) -> None:
        seen = noticed(made(written, random.Random(seed)))
        self.words: dict[str, float] = {word: PAIR if " " in word else 1.0 for word in seen.words}
        for word in seen.words:
            for concept in known.get(word, ()):
                self.words[concept] = self.words.get(concept, 0.0) + 1.0
        self.marks = seen.marks
        known_as = purpose(written.category, written.automatic)
        self.purpose = known_as if random.Random(seed).random() > FORGOTTEN else ""
        self.scale = seen.scale
        self.written = written


def shares(written: Sequence[Written]) -> dict[str, float]:
    """How much more than the average each label of the three kinds counts: as much as it is rarer."""
    out: dict[str, float] = {}
    for names, labels in (
        (CATEGORIES, [each.category for each in written]), (URGENCIES, [each.urgency for each in written]),
        (SENTIMENTS, [each.sentiment for each in written]),
    ):  # fmt: skip
        counts = Counter(labels)
        out |= {name: (len(labels) / len(names) / counts[name]) ** RARE[names] for name in names}
    return out


def goals(written: Written) -> list[tuple[int, int, int | None]]:
    """Groups of outputs: (first, behind the last, which is true); a single output is true or not."""
    sets: list[tuple[Sequence[str], str]] = [
        (CATEGORIES, written.category), (URGENCIES, written.urgency), (SENTIMENTS, written.sentiment)
    ]  # fmt: skip
    out: list[tuple[int, int, int | None]] = []
    at = 0
    for names, name in sets:
        out.append((at, at + len(names), at + names.index(name)))
        at += len(names)
    for flag in (written.response, written.automatic, *(letter in written.bant for letter in BANT)):
        out.append((at, at + 1, at if flag else None))
        at += 1
    if written.category != "sales":  # the letters are asked of sales alone
        out[-len(BANT) :] = []
    return out


class Weights:
    """Rows of weights by feature, and the bias."""

    def __init__(self, shares: dict[str, float]) -> None:
        self.shares = shares
        self.words: dict[str, Row] = defaultdict(lambda: [0.0] * len(OUTPUTS))
        self.marks: dict[str, Row] = defaultdict(lambda: [0.0] * len(OUTPUTS))
        self.bias: Row = [0.0] * len(OUTPUTS)

    def scores(self, example: Example) -> Row:
        total = list(self.bias)
        for table, features in ((self.words, example.words), (self.marks, dict.fromkeys(example.marks, 1))):
            for feature, count in features.items():
                row = table.get(feature)
                if row is not None:
                    value = count * example.scale if table is self.words else 1.0
                    total = [a + value * b for a, b in zip(total, row, strict=True)]
        if example.purpose in self.marks:
            total = [a + b for a, b in zip(total, self.marks[example.purpose], strict=True)]
        return total

    def learn(self, example: Example, rate: float) -> None:
        scores = self.scores(example)
        wrong = [0.0] * len(OUTPUTS)
        for first, behind, right in goals(example.written):
            if behind - first == 1:
                wrong[first] = (1.0 if right is not None else 0.0) - 1 / (
                    1 + math.exp(-max(-30, min(30, scores[first])))
                )
                continue
            most = max(scores[first:behind])
            powers = [math.exp(score - most) for score in scores[first:behind]]
            total = sum(powers)
            rare = self.shares[OUTPUTS[right or 0]]
            for number, power in enumerate(powers):
                wrong[first + number] = rare * ((1.0 if first + number == right else 0.0) - power / total)
        step = [rate * each for each in wrong]
        self.bias = [a + 0.2 * b for a, b in zip(self.bias, step, strict=True)]
        for feature, count in example.words.items():
            value = count * example.scale * 3
            self.words[feature] = [a + value * b for a, b in zip(self.words[feature], step, strict=True)]
        for feature in example.marks:
            self.marks[feature] = [a + 0.3 * b for a, b in zip(self.marks[feature], step, strict=True)]
        if example.purpose:
            own = self.marks[example.purpose]
            self.marks[example.purpose] = [
                a + 0.3 * b if name in SECOND else 0.0 for name, a, b in zip(OUTPUTS, own, step, strict=True)
            ]

    def fade(self, by: float) -> None:
        for table in (self.words, self.marks):
            for feature, row in table.items():
                table[feature] = [weight * by for weight in row]


def train(written: Sequence[Written], options: argparse.Namespace, known: dict[str, tuple[str, ...]]) -> Weights:
    weights = Weights(shares(written))
    examples = [Example(each, hash_of(each) + copy, known) for each in written for copy in range(options.copies)]
    counts = Counter(word for example in examples for word in set(example.words))
    for example in examples:
        example.words = {w: n for w, n in example.words.items() if " " not in w or counts[w] > options.copies}
    order = random.Random(7)
    for epoch in range(options.epochs):
        order.shuffle(examples)
        for example in examples:
            weights.learn(example, 0.5 / (1 + 0.3 * epoch))
        weights.fade(0.97)
    return weights


def hash_of(written: Written) -> int:
    return int.from_bytes(hashlib.sha256((written.subject + written.body).encode()).digest()[:6], "big")


def judge(weights: Weights, written: Sequence[Written], known: dict[str, tuple[str, ...]]) -> dict[str, float]:
    """Macro-F1 of each kind of output on mails as they were written."""
    answers: dict[str, list[tuple[object, object]]] = defaultdict(list)
    for each in written:
        example = Example(each, 1, known)
        example.purpose = ""
        scores = dict(zip(OUTPUTS, weights.scores(example), strict=True))
        example.purpose = purpose(max(CATEGORIES, key=scores.__getitem__), scores["automatic"] > 0)
        scores = dict(zip(OUTPUTS, weights.scores(example), strict=True))
        for name, names, right in (
            ("category", CATEGORIES, each.category), ("urgency", URGENCIES, each.urgency),
            ("sentiment", SENTIMENTS, each.sentiment),
        ):  # fmt: skip
            answers[name].append((right, max(names, key=scores.__getitem__)))
        answers["needs_response"].append((each.response, scores["needs_response"] > 0))
        answers["notification"].append((each.automatic, scores["automatic"] > 0))
        if each.category == "sales":
            for letter in BANT:
                answers["bant"].append((letter in each.bant, scores[letter] > 0))
    return {name: round(macro(pairs_), 3) for name, pairs_ in answers.items()}


def macro(answers: Sequence[tuple[object, object]]) -> float:
    out = []
    for label in {right for right, _ in answers}:
        hits = sum(right == label == said for right, said in answers)
        named = sum(right == label for right, _ in answers) + sum(said == label for _, said in answers)
        out.append(2 * hits / named if named else 0.0)
    return sum(out) / len(out)


def write(weights: Weights, known: dict[str, tuple[str, ...]]) -> None:
    """Concepts are added to the words they hold, small weights left out, the rest held as 16-bit integers."""
    for word in weights.words:
        if " " in word:
            weights.words[word] = [PAIR * each for each in weights.words[word]]
    for word, names in known.items():
        row = weights.words[word]
        for name in names:
            if name in weights.words:
                row = [a + b for a, b in zip(row, weights.words[name], strict=True)]
        weights.words[word] = row
    names = {name for each in known.values() for name in each}
    held: dict[str, object] = {
        "version": VERSION, "outputs": OUTPUTS, "unit": UNIT, "bias": [round(each, 3) for each in weights.bias]
    }  # fmt: skip
    for kind, table, least in (("words", weights.words, 0.15), ("marks", weights.marks, 0.02)):
        kept = {}
        for feature in sorted(table.keys() - names):
            row = [max(-1_500, min(1_500, round(each / UNIT))) for each in table[feature]]
            if max(map(abs, row)) * UNIT >= least:
                kept[feature] = base64.b85encode(struct.pack(f"<{len(row)}h", *row)).decode()
        held[kind] = kept
        print(f"{len(kept)} {kind}")
    TARGET.write_bytes(gzip.compress(json.dumps(held).encode(), 9, mtime=0))
    print(f"{TARGET.relative_to(TOP)}: {TARGET.stat().st_size >> 10} KiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--copies", type=int, default=8)
    parser.add_argument("--held-out", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="only say how good")
    parser.add_argument("--all", action="store_true", help="only write")
    options = parser.parse_args()
    written = [each for path in sorted(TEXTS.glob("*.txt")) if path.stem != "concepts" for each in read(path)]
    known = concepts(TEXTS / "concepts.txt", lambda words: " ".join(stems(fold(words))))
    print(f"{len(written)} mails, {len(known)} words of concepts")
    if not options.all:
        held_out = [each for each in written if hash_of(each) % options.held_out == 0]
        seen = [each for each in written if hash_of(each) % options.held_out]
        print("held out:", len(held_out), judge(train(seen, options, known), held_out, known))
    if not options.dry:
        write(train(written, options, known), known)


if __name__ == "__main__":
    main()
