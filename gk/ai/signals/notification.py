"""Notification or person: whether anybody wrote this text to this reader or a small circle."""

from gk.ai.signals.judging import Verdict, chance

ADMITTED = frozenset(("#automatic", "#null", "#report"))  # RFC 3834 section 5, RFC 5321 section 4.5.5, RFC 3464


def notification(scores: dict[str, float], marks: frozenset[str]) -> Verdict:
    """`notification` or `person`; `value` is the chance of a machine. What its header admits needs no guess."""
    if marks & ADMITTED:
        return Verdict("notification", 1.0, 1.0, "automatic")
    value = chance(scores["automatic"])
    label = "notification" if value > 0.5 else "person"
    return Verdict(
        label, round(value, 3), round(max(value, 1 - value), 3), "automatic" if value > 0.5 else "-automatic"
    )
