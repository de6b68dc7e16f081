"""What a mail is for: one of twelve categories, the first of the list that fits."""

from gk.ai.signals.judging import CATEGORIES, Verdict, chances


def category(scores: dict[str, float]) -> Verdict:
    """The likeliest category; `value` is the chance that the mail is spam."""
    found = chances(scores, CATEGORIES)
    label = max(found, key=found.__getitem__)
    return Verdict(label, round(found["spam"], 3), round(found[label], 3), label)
