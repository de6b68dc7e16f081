"""BANT: what a possible buyer told of budget, authority, need and timing. Asked of sales mail alone."""

from gk.ai.signals.judging import BANT, Verdict, chance


def bant(scores: dict[str, float], category: str, automatic: bool) -> dict[str, Verdict]:
    """The letters that hold; none where nobody might buy."""
    if category != "sales" or automatic:
        return {}
    found = {letter: chance(scores[letter]) for letter in BANT}
    return {
        letter: Verdict(letter, round(value, 3), round(value, 3), letter)
        for letter, value in found.items()
        if value > 0.5
    }
