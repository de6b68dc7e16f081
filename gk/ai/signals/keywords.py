"""The loud words of French and English, found by one look-up of a set: what a sender calls urgent, true or not."""

from gk.ai.signals.words import fold, stems

_WORDS = """
    urgent, urgente, urgence, urgemment, critical, critique, asap, immediate, immediately, immédiat, immédiate,
    immédiatement, alert, alerte, emergency, important, prioritaire, priority, priorité, deadline, échéance, dernier
    délai, last reminder, dernier rappel, final notice, dernier avis, mise en demeure, as soon, au plus vite, dès
    que possible, sans délai, sans attendre, right away, tout de suite, right now, action required, action requise,
    time sensitive, haute importance, high importance, outage, panne, incident, failure, échec, warning,
    avertissement, danger, SOS
"""
KEYWORDS = {" ".join(stems(fold(word))[:2]): " ".join(word.split()) for word in _WORDS.split(",")}


def keywords(words: frozenset[str]) -> tuple[str, ...]:
    """Which of them a mail holds, by its stems and pairs of stems, in alphabetical order."""
    return tuple(sorted(KEYWORDS.keys() & words))
