"""Triage of one message: all signals together, in one value, each with the reasons it had.

What stands where: `subject` and `text` of the evidence name the two texts of the view; `start` and `end` are octets of
their UTF-8 form, so that a program in any language finds the place again. Marks of the header have no place.
"""

from dataclasses import dataclass

from gk.ai.reasons import Evidence, Places, located, reasons
from gk.ai.signals import entities, names
from gk.ai.signals.bant import bant
from gk.ai.signals.category import category
from gk.ai.signals.compression import own, summary
from gk.ai.signals.features import Features, features
from gk.ai.signals.judging import Verdict
from gk.ai.signals.keywords import keywords
from gk.ai.signals.language import language
from gk.ai.signals.linear import Model, model
from gk.ai.signals.needs_response import needs_response
from gk.ai.signals.notification import notification
from gk.ai.signals.sentiment import sentiment
from gk.ai.signals.urgency import urgency
from gk.ai.signals.words import fold
from gk.ai.view import View

ENTITIES = 50  # kept of one mail


@dataclass(frozen=True, slots=True)
class Named:
    """An entity: `type` and `text`, and where it stands, as in `Evidence`."""

    type: str
    text: str
    where: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Triage:
    """What is known of one message.

    `language` is fr, en, mixed or "" (no words). `urgency_value` goes from 0 to 1, `sentiment_value` from -1 to 1,
    `spam` is a chance. `bant` holds the letters that hold, `keywords` the stems of loud words, `confidence` a chance
    for each signal. `summary` has at most 500 characters. `reason` says what could not be read; `version` is that of
    the weights.
    """

    language: str
    category: str
    urgency: str
    urgency_value: float
    sentiment: str
    sentiment_value: float
    needs_response: bool
    notification: bool
    spam: float
    bant: tuple[str, ...]
    keywords: tuple[str, ...]
    entities: tuple[Named, ...]
    summary: str
    confidence: dict[str, float]
    evidence: tuple[Evidence, ...]
    reason: str
    version: int


def noticed(view: View) -> Features:
    """The features of a message, without a verdict: what the classifiers learn from."""
    mine = own(view.text)
    text = f"{view.subject}\n{mine.text}"
    folded = fold(text)
    found, days = entities.found(text, folded)
    return features(view, mine, text, folded, found, days)


def triage(view: View, weights: Model | None = None, *, placed: bool = True) -> Triage:
    """All signals of one message; any view gives a value. `placed`: with the places of the evidence."""
    weights = weights or model()
    mine = own(view.text)
    text = f"{view.subject}\n{mine.text}"
    folded = fold(text)
    found, days = entities.found(text, folded)
    seen = features(view, mine, text, folded, found, days)
    scores = weights.scores(seen.words, seen.marks, seen.scale)
    what = category(scores, seen.marks)
    machine = notification(scores, seen.marks)
    automatic = machine.label == "notification"
    verdicts: dict[str, Verdict] = {
        "category": what,
        "urgency": urgency(scores, what.label),
        "sentiment": sentiment(scores, what.label, automatic),
        "needs_response": needs_response(scores, what.label, automatic),
        "notification": machine,
    }
    letters = bant(scores, what.label, automatic)
    place = Places(view, mine, text, folded)
    told = reasons(verdicts | letters, seen, weights)
    found += names.named(text, view.name, view.domain, found)
    return Triage(
        language(seen, text),
        what.label,
        verdicts["urgency"].label,
        verdicts["urgency"].value,
        verdicts["sentiment"].label,
        verdicts["sentiment"].value,
        verdicts["needs_response"].label == "yes",
        automatic,
        what.value,
        tuple(letters),
        keywords(seen.words),
        tuple(Named(item.type, item.text, *place.of(item.start, item.end)) for item in found[:ENTITIES]),
        summary(mine.text),
        {name: verdict.confidence for name, verdict in verdicts.items()},
        tuple(located(told, place) if placed else told),
        view.reason,
        weights.version,
    )
