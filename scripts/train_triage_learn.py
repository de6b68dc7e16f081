"""How scripts/train_triage.py learns: linear classifiers that begin as naive Bayes and are corrected by what they miss.

A word's weight begins with how much more frequent it is in the mails of one label than in the others, which few mails
suffice for; then each mail that is judged badly moves the weights of its words (stochastic descent of the logistic
loss, faded each round). Words count by how rare they are. Pure Python, one kind of label after the other.
"""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from train_triage_text import Written, made

from gk.ai.signals.judging import BANT, CATEGORIES, MASS, SENTIMENTS, URGENCIES
from gk.ai.triage import noticed

ROUNDS = 10
FADE = 0.97  # of the learnt part of each weight, a round
BIAS, WORD, MARK = 0.2, 5.0, 0.3  # how fast each learns
SEEN = 0.3  # how often a word counts as seen with every label
COMMON = 4.0  # log of the rarity at which a word counts in full

Row = list[float]
Shared = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of label.

    `labels` exclude each other, or are one or several questions of yes and no. `right` gives the index of the label, or
    an answer for each question; `asked` says of which mails. `bayes` is how much of naive Bayes it begins with,
    `rarity` the power of the rarity of words, `even` how far rare labels are made up for, `pair` what a pair of words
    counts. `lean` is added to the scores in the end: of an unknown mail less is recognised, which must not make it
    neutral.
    """

    name: str
    labels: tuple[str, ...]
    right: Callable[[Written], int | tuple[bool, ...]]
    asked: Callable[[Written], bool]
    bayes: float = 0.0
    rarity: float = 0.5
    even: float = 0.5
    pair: float = 0.5
    lean: tuple[float, ...] = ()


def _person(written: Written) -> bool:
    return not written.automatic and written.category not in MASS


KINDS = (
    Kind("category", CATEGORIES, lambda w: CATEGORIES.index(w.category), lambda w: True, bayes=0.7),
    Kind("urgency", URGENCIES, lambda w: URGENCIES.index(w.urgency), lambda w: w.category not in MASS, bayes=0.5,
         lean=(0.5, 0.0, 1.25, 1.75)),
    Kind("sentiment", SENTIMENTS, lambda w: SENTIMENTS.index(w.sentiment), _person, bayes=0.5, even=1.0,
         lean=(1.0, 0.0, 1.0)),
    Kind("needs_response", ("needs_response",), lambda w: (w.response,), _person, bayes=0.2, pair=1.0,
         lean=(-0.5,)),
    Kind("notification", ("automatic",), lambda w: (w.automatic,), lambda w: True, bayes=0.5),
    Kind("bant", BANT, lambda w: tuple(letter in w.bant for letter in BANT), lambda w: w.category == "sales",
         lean=(0.5, 0.5, 0.5, 0.5)),
)  # fmt: skip


class Example:
    """The features of one mail as it might have come."""

    __slots__ = ("marks", "scale", "words", "written")

    def __init__(self, written: Written, seed: int, shared: Shared) -> None:
        seen = noticed(made(written, random.Random(seed)))
        self.written, self.marks, self.scale = written, seen.marks, seen.scale
        self.words = Counter(seen.words)
        for word in seen.words:
            self.words.update(shared.get(word, ()))


class Learner:
    """The weights of one kind: a row for each word and mark, and the bias."""

    def __init__(self, kind: Kind, examples: Sequence[Example], common: Counter[str]) -> None:
        self.kind, self._size = kind, len(kind.labels)
        self.words: defaultdict[str, Row] = defaultdict(self._nothing)
        self.marks: defaultdict[str, Row] = defaultdict(self._nothing)
        self.bias = self._nothing()
        self._examples = [example for example in examples if kind.asked(example.written)]
        total = len(examples)
        self._worth = {
            word: (max(0.05, math.log(total / count)) / COMMON) ** kind.rarity * (kind.pair if " " in word else 1.0)
            for word, count in common.items()
        }
        self._exclusive = not isinstance(kind.right(examples[0].written), tuple)
        counts = Counter(map(self._label, self._examples)) if self._exclusive else Counter()
        mean = len(self._examples) / self._size
        self._share = [(mean / max(1, counts[number])) ** kind.even for number in range(self._size)]

    def _nothing(self) -> Row:
        return [0.0] * self._size

    def _label(self, example: Example) -> int:
        right = self.kind.right(example.written)
        return right if isinstance(right, int) else int(right[0])

    def learn(self) -> None:
        """Begin with naive Bayes, then correct what is judged badly."""
        known = [
            (
                [(word, count * example.scale * self._worth[word]) for word, count in example.words.items()
                 if word in self._worth],
                tuple(example.marks), self.kind.right(example.written),
            )
            for example in self._examples
        ]  # fmt: skip
        first = self._bayes()
        for word, row in first.items():
            self.words[word] = list(row)
        order = random.Random(7)
        for number in range(ROUNDS):
            order.shuffle(known)
            rate = 0.5 / (1 + 0.3 * number)
            for words, marks, right in known:
                self._correct(words, marks, right, rate)
            for word, row in self.words.items():
                start = first.get(word)
                self.words[word] = (
                    [s + FADE * (w - s) for s, w in zip(start, row, strict=True)] if start else [FADE * w for w in row]
                )
            for mark, row in self.marks.items():
                self.marks[mark] = [FADE * w for w in row]
        for word, row in self.words.items():
            self.words[word] = [self._worth[word] * w for w in row]
        if self.kind.lean:
            self.bias = [a + b for a, b in zip(self.bias, self.kind.lean, strict=True)]

    def _bayes(self) -> dict[str, Row]:
        if not self.kind.bayes:
            return {}
        labels = range(self._size if self._exclusive else 2)
        counts: dict[str, Row] = {word: [SEEN] * len(labels) for word in self._worth}
        for example in self._examples:
            label = self._label(example)
            for word in example.words:
                if word in counts:
                    counts[word][label] += 1.0
        totals = [sum(row[label] for row in counts.values()) for label in labels]
        out: dict[str, Row] = {}
        for word, row in counts.items():
            logs = [math.log(count / total) for count, total in zip(row, totals, strict=True)]
            mean = sum(logs) / len(logs)
            out[word] = [self.kind.bayes * (log - mean) for log in logs]
            if not self._exclusive:
                out[word] = [out[word][1] - out[word][0]]
        return out

    def _correct(
        self, words: list[tuple[str, float]], marks: tuple[str, ...], right: int | tuple[bool, ...], rate: float
    ) -> None:
        known, by_word, by_mark = self.words, self.words, self.marks
        scores = self._sum(words, marks)
        if isinstance(right, int):
            most = max(scores)
            powers = [math.exp(score - most) for score in scores]
            total, rare = sum(powers), rate * self._share[right]
            step = [-rare * power / total for power in powers]
            step[right] += rare
        else:
            step = [
                rate * (yes - 1 / (1 + math.exp(-max(-30.0, min(30.0, score)))))
                for yes, score in zip(right, scores, strict=True)
            ]
        if max(map(abs, step)) < 1e-4:
            return
        self.bias = [a + BIAS * b for a, b in zip(self.bias, step, strict=True)]
        for word, value in words:
            by = WORD * value
            known[word] = [a + by * b for a, b in zip(by_word[word], step, strict=True)]
        for mark in marks:
            by_mark[mark] = [a + MARK * b for a, b in zip(by_mark[mark], step, strict=True)]

    def _sum(self, words: Sequence[tuple[str, float]], marks: Sequence[str]) -> Row:
        rows = [[value * weight for weight in self.words[word]] for word, value in words]
        rows += [self.marks[mark] for mark in marks]
        return [a + sum(column) for a, column in zip(self.bias, zip(*rows, strict=True), strict=True)]


def learnt(examples: Sequence[Example], copies: int) -> list[Learner]:
    """All kinds learnt; words that only one mail has teach nothing."""
    counts = Counter(word for example in examples for word in example.words)
    common = Counter({word: count for word, count in counts.items() if count > copies})
    out = []
    for kind in KINDS:
        learner = Learner(kind, examples, common)
        learner.learn()
        out.append(learner)
    return out
