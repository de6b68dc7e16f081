"""Urgency: what is lost if the mail is read later, from 0 to 1; 0.8 is critical. Never how loud it is."""

from gk.ai.signals.judging import MASS, URGENCIES, Verdict, chances

CRITICAL = 0.8  # from which value on a mail must be read within the hour
FLOORS = {"low": 0.0, "normal": 0.3, "high": 0.6, "critical": CRITICAL}
_WIDTHS = {"low": 0.3, "normal": 0.3, "high": 0.2, "critical": 0.2}
LEAST = 0.3  # chance from which on a mail counts as critical though another level is likelier: a miss costs more


def urgency(scores: dict[str, float], category: str) -> Verdict:
    """The level and its value; spam and newsletters are low by rule."""
    if category in MASS:
        return Verdict("low", 0.05, 1.0, category)
    found = chances(scores, URGENCIES)
    label = "critical" if found["critical"] >= LEAST else max(found, key=found.__getitem__)
    sure = found[label]
    return Verdict(label, round(FLOORS[label] + _WIDTHS[label] * min(0.999, sure), 3), round(sure, 3), label)
