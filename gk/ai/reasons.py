"""Why a verdict is what it is: the words and marks with the largest weights, and where they stand.

Which features told is known when a mail is judged, and kept. Where they stand follows from the text alone, so it is
looked for only when somebody asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gk.ai.signals.compression import Own, own
from gk.ai.signals.features import Features
from gk.ai.signals.judging import Verdict
from gk.ai.signals.linear import Model
from gk.ai.signals.words import fold
from gk.ai.view import View

REASONS = 3  # pieces of evidence of one verdict
LOOKS = 20  # for the place of one feature


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason of one verdict: `feature` is a word or two as they stand there, or a mark of form or header (`#`).

    `where` is subject, text or header; `start` and `end` are octets of its UTF-8 form, 0 in the header. `weight` is
    what it added to the log-odds. Where nobody looked for its place, `feature` is the stem of the word or words, and
    `where` "".
    """

    signal: str
    feature: str
    where: str
    start: int
    end: int
    weight: float


class Places:
    """From characters of subject and own text to octets of the subject or of the whole text."""

    def __init__(self, view: View, mine: Own, text: str, folded: str) -> None:
        self._view, self._mine, self._head = view, mine, len(view.subject) + 1
        self._plain = view.text.isascii() and view.subject.isascii()
        self.text, self.folded = text, folded

    def of(self, start: int, end: int) -> tuple[str, int, int]:
        """`subject` or `text`, and the octets from `start` up to `end`."""
        if start < self._head:
            return "subject", *self._octets(self._view.subject, start, min(end, self._head - 1))
        first = self._mine.origin(start - self._head)
        return "text", *self._octets(self._view.text, first, first + end - start)

    def _octets(self, text: str, start: int, end: int) -> tuple[int, int]:
        if self._plain:
            return start, end
        first = len(text[:start].encode("utf-8", "surrogatepass"))
        return first, first + len(text[start:end].encode("utf-8", "surrogatepass"))


def reasons(verdicts: dict[str, Verdict], seen: Features, weights: Model) -> list[Evidence]:
    """The strongest reasons of each verdict, without their places."""
    wanted: dict[str, list[tuple[float, str]]] = {verdict.output: [] for verdict in verdicts.values()}
    known = weights.telling.get
    for features, scale in ((seen.words, seen.scale), (seen.marks, 1.0)):
        for feature, told in zip(features, map(known, features), strict=True):
            if told is not None:
                for output, weight in told:
                    if output in wanted:
                        wanted[output].append((weight * scale, feature))
    out: list[Evidence] = []
    for signal, verdict in verdicts.items():
        strongest = sorted(wanted[verdict.output], reverse=True)[:REASONS]
        out += [Evidence(signal, feature, "", 0, 0, round(weight, 3)) for weight, feature in strongest]
    return out


def places_in(view: View) -> Places:
    """The places of a message."""
    mine = own(view.text)
    text = f"{view.subject}\n{mine.text}"
    return Places(view, mine, text, fold(text))


def located(found: Sequence[Evidence], places: Places) -> list[Evidence]:
    """The same reasons with their places in the message; what stands at one place is one reason."""
    weights: dict[tuple[str, str, str, int, int], float] = {}
    for one in found:
        place = one.signal, *_found(one.feature, places.folded, places)
        weights[place] = weights.get(place, 0.0) + one.weight
    return [Evidence(*place, round(weight, 3)) for place, weight in weights.items()]


def _found(feature: str, folded: str, place: Places) -> tuple[str, str, int, int]:
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
