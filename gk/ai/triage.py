"""Triage of one message: all signals together, in one value, each with the reasons it had.

What stands where: `subject` and `text` of the evidence name the two texts of the view; `start` and `end` are octets of
their UTF-8 form, so that a program in any language finds the place again. Marks of the header have no place.
"""

from dataclasses import dataclass

from gk.ai.signals import entities, names
from gk.ai.signals.bant import bant
from gk.ai.signals.category import category
from gk.ai.signals.compression import Own, own, summary
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

REASONS = 3  # pieces of evidence of one verdict
ENTITIES = 50  # kept of one mail
LOOKS = 20  # for the place of one feature


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason of one verdict: `feature` is a word or two as they stand there, or a mark of form or header (`#`).

    `where` is subject, text or header; `start` and `end` are octets of its UTF-8 form, 0 in the header. `weight` is
    what it added to the log-odds.
    """

    signal: str
    feature: str
    where: str
    start: int
    end: int
    weight: float


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


def triage(view: View, weights: Model | None = None) -> Triage:
    """All signals of one message; any view gives a value."""
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
    place = _Places(view, mine, text)
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
        tuple(_evidence(verdicts | letters, seen, weights, place)),
        view.reason,
        weights.version,
    )


class _Places:
    """From characters of subject and own text to octets of the subject or of the whole text."""

    def __init__(self, view: View, mine: Own, text: str) -> None:
        self._view, self._mine, self._head = view, mine, len(view.subject) + 1
        self._plain = view.text.isascii() and view.subject.isascii()
        self.text = text

    def of(self, start: int, end: int) -> tuple[str, int, int]:
        if start < self._head:
            return "subject", *self._octets(self._view.subject, start, min(end, self._head - 1))
        first = self._mine.origin(start - self._head)
        return "text", *self._octets(self._view.text, first, first + end - start)

    def _octets(self, text: str, start: int, end: int) -> tuple[int, int]:
        if self._plain:
            return start, end
        first = len(text[:start].encode("utf-8", "surrogatepass"))
        return first, first + len(text[start:end].encode("utf-8", "surrogatepass"))


def _evidence(verdicts: dict[str, Verdict], seen: Features, weights: Model, place: _Places) -> list[Evidence]:
    """The strongest reasons of each verdict."""
    wanted: dict[str, list[tuple[float, str]]] = {verdict.output: [] for verdict in verdicts.values()}
    telling = weights.telling
    for known, scale in ((seen.words, seen.scale), (seen.marks, 1.0)):
        for feature in telling.keys() & known:
            for output, weight in telling[feature]:
                if output in wanted:
                    wanted[output].append((weight * scale, feature))
    out: list[Evidence] = []
    places: dict[str, tuple[str, str, int, int]] = {}
    for signal, verdict in verdicts.items():
        for weight, feature in sorted(wanted[verdict.output], reverse=True)[:REASONS]:
            if feature not in places:
                places[feature] = _found(feature, seen.folded, place)
            shown, where, start, end = places[feature]
            out.append(Evidence(signal, shown, where, start, end, round(weight, 3)))
    return out


def _found(feature: str, folded: str, place: _Places) -> tuple[str, str, int, int]:
    """The words of a feature as they stand, and where."""
    if feature[0] == "#" or feature[:2] == "f:":
        return feature.replace("f:", "#from "), "header", 0, 0
    first, _, second = feature.removeprefix("s:").partition(" ")
    at = -1
    for _ in range(LOOKS):
        at = folded.find(first, at + 1)
        if at < 0:
            break
        if at and folded[at - 1] != " ":
            continue
        end = _word_end(folded, at)
        if second:
            start = end
            while folded[start : start + 1] == " ":
                start += 1
            if not folded.startswith(second, start):
                continue
            end = _word_end(folded, start)
        return " ".join(place.text[at:end].split()), *place.of(at, end)
    return feature, "text", 0, 0


def _word_end(folded: str, at: int) -> int:
    end = folded.find(" ", at)
    return len(folded) if end < 0 else end
