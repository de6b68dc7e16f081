"""What a mail is for: one of twelve categories, the first of the list that fits."""

from collections.abc import Set as AbstractSet

from gk.ai.signals.judging import CATEGORIES, MASS, Verdict, chances

SURE = 0.7  # chance from which plain words alone make a mail mass mail
_WIDE = frozenset(  # one of these has what is sent to many: it leads somewhere, or admits to it
    {
        "#unsubscribe", "#list", "#bulk", "#automatic", "#robot", "#role", "#links", "#one link", "#only-html", "#html",
        "#attached",
    }
)  # fmt: skip


def category(scores: dict[str, float], marks: AbstractSet[str]) -> Verdict:
    """The likeliest category; `value` is the chance that the mail is spam.

    A loud mail in a person's plain text, which leads nowhere, is mass mail only where its words leave little doubt.
    """
    found = chances(scores, CATEGORIES)
    ranked = sorted(found, key=found.__getitem__, reverse=True)
    label = ranked[0]
    if label in MASS and found[label] < SURE and not marks & _WIDE:
        label = next(other for other in ranked if other not in MASS)
    return Verdict(label, round(found["spam"], 3), round(found[label], 3), label)
