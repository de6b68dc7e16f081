"""The labels of the classifiers, and how scores become chances."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

CATEGORIES = (
    "spam", "newsletter", "security", "legal", "hr", "billing", "sales", "scheduling", "support", "personal",
    "notification", "other",
)  # fmt: skip
URGENCIES = ("low", "normal", "high", "critical")
SENTIMENTS = ("negative", "neutral", "positive")
BANT = ("budget", "authority", "need", "timing")
OUTPUTS = (*CATEGORIES, *URGENCIES, *SENTIMENTS, "needs_response", "automatic", *BANT)

MASS = frozenset(("spam", "newsletter"))  # nobody waits for an answer to these, and nothing is lost unread


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one signal says: its label, its value on the signal's scale, how sure it is (0 to 1), and the output that
    speaks for it in the weights."""

    label: str
    value: float
    confidence: float
    output: str


def chances(scores: dict[str, float], labels: Sequence[str]) -> dict[str, float]:
    """Log-odds of labels that exclude each other as probabilities."""
    most = max(map(scores.__getitem__, labels))
    powers = [math.exp(scores[label] - most) for label in labels]
    total = sum(powers)
    return {label: power / total for label, power in zip(labels, powers, strict=True)}


def chance(score: float) -> float:
    """Log-odds of yes as a probability."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))
