"""Sentiment: the sender's attitude as expressed in the words, from -1 to 1."""

from gk.ai.signals.judging import MASS, SENTIMENTS, Verdict, chances


def sentiment(scores: dict[str, float], category: str, automatic: bool) -> Verdict:
    """The likeliest attitude; machines and mass mail have none by rule."""
    if automatic or category in MASS:
        return Verdict("neutral", 0.0, 1.0, "automatic" if automatic else category)
    found = chances(scores, SENTIMENTS)
    label = max(found, key=found.__getitem__)
    return Verdict(label, round(found["positive"] - found["negative"], 3), round(found[label], 3), label)
