"""Whether a person expects an answer or a decision to be told to them by this reader."""

from gk.ai.signals.judging import MASS, Verdict, chance


def needs_response(scores: dict[str, float], category: str, automatic: bool) -> Verdict:
    """`yes` or `no`; machines and mass mail wait for nobody by rule, even where something must be done."""
    if automatic or category in MASS:
        return Verdict("no", 0.0, 1.0, "automatic" if automatic else category)
    value = chance(scores["needs_response"])
    sure = round(max(value, 1 - value), 3)
    if value > 0.5:
        return Verdict("yes", round(value, 3), sure, "needs_response")
    return Verdict("no", round(value, 3), sure, "-needs_response")
