"""French or English, told by the frequent small words of each; mixed where each has a quarter of the text."""

import re

from gk.ai.signals.features import ENGLISH, FRENCH, Features
from gk.ai.signals.words import fold

SHARE = 0.25  # of the words, from which on a second language counts
SUSPICION = 0.15  # of the small words, from which on sentences are looked at one by one

_SENTENCE = re.compile(r"[.!?;:\n]+")
SENTENCES = 200


def language(features: Features, text: str) -> str:
    """`fr`, `en`, `mixed`, or "" where no word tells."""
    french, english = features.french, features.english
    if not french and not english:
        return ""
    if min(french, english) > SUSPICION * (french + english) and french + english > 12:
        counts = {"fr": 0, "en": 0}
        for sentence in _SENTENCE.split(text, SENTENCES):
            tokens = fold(sentence).split()
            here, there = sum(map(FRENCH.__contains__, tokens)), sum(map(ENGLISH.__contains__, tokens))
            if here != there:
                counts["fr" if here > there else "en"] += len(tokens)
        if min(counts.values()) >= SHARE * sum(counts.values()) > 0:
            return "mixed"
    return "fr" if french >= english else "en"
