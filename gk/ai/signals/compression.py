"""Semantic compression: the sender's own words without what was quoted, disclaimers and tracking; and their sum.

What a mail says is told by what its sender wrote now. Quoted text, the header of an answered message and legal or
advertising lines count as context only; forwarded text counts, since it is the point of the mail. `summary` then keeps
the sentences that say most, in their order.
"""

import re
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass

from gk.ai.signals.words import fold

LONGEST = 6_000  # characters of the sender's own text that are looked at
LINES = 600
LIMIT = 500  # characters of a summary
PRECISION = 0.5  # the share of the own text a summary keeps at most

_ANSWERED = re.compile(
    r"(?:(?:On|Le|Am|Il|El)\b.{4,250}?(?:wrote|writes|a écrit|écrivait|schrieb)|.{3,120}(?:wrote|a écrit))\s*:?\s*\Z",
    re.DOTALL,
)
_CUT = re.compile(
    r"\s*[-_*=]{2,}\s*(?:original message|message d'origine|message original|message initial|reply above|forwarded by|"
    r"ursprüngliche nachricht)|\s*[-_]{20,}\s*\Z",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"\s*[-_*=]{2,}\s*(?:forwarded|message transféré|transféré|début du message)|begin forwarded", re.I
)
_HEADER = re.compile(r"\s*\*?(?:from|de|von)\s?:\*?\s", re.IGNORECASE)
_HEADER_2 = re.compile(r"\s*\*?(?:sent|date|envoyé|to|à|subject|objet|cc|reply-to)\s?(?:le)?\s?:", re.IGNORECASE)

# Lines that say the same under every mail; found by a look at the whole before any line is looked at.
_BOILERPLATE = (
    "confiden", "unsubscr", "desabonn", "desinscri", "in your browser", "votre navigateur", "sent from my",
    "envoye depuis", "envoye de mon", "get outlook", "the environment before", "a l environnement avant",
    "vous recevez ce", "receiving this", "you receive this", "manage preferences", "gerer vos preferences",
    "update your preferences", "tous droits reserves", "all rights reserved", "view online", "version en ligne",
    "virus free", "sans virus", "se reserve aux seuls",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Own:
    """The sender's own words.

    `text` is at most 6,000 characters; `spans` say, in order, (offset in it, offset in the whole text) of each piece;
    `quoted`, `boilerplate` and `forwarded` count lines that were found and, but for forwarded ones, left out.
    """

    text: str
    spans: tuple[tuple[int, int], ...] = ()
    quoted: int = 0
    boilerplate: int = 0
    forwarded: int = 0

    def origin(self, at: int) -> int:
        """Where the character at `at` stands in the whole text."""
        if not self.spans:
            return at
        here, there = self.spans[max(0, bisect_right(self.spans, at, key=_first) - 1)]
        return there + at - here


def _first(span: tuple[int, int]) -> int:
    return span[0]


def own(text: str) -> Own:
    """The part of `text` that its sender wrote now; all of it where nothing else is there."""
    if not _suspect(text):
        return Own(text[:LONGEST])
    folded = fold(text[: LONGEST * 3])
    suspects = [mark for mark in _BOILERPLATE if mark in _squeezed(folded)]
    kept: list[str] = []
    spans: list[tuple[int, int]] = []
    at = size = quoted = boilerplate = forwarded = 0
    skipping = False
    lines = text.split("\n", LINES)
    for number, line in enumerate(lines[:LINES]):
        start, at = at, at + len(line) + 1
        head = line.lstrip(" \t")
        if not head:
            skipping = False
        elif head[0] == ">":
            quoted += 1
            continue
        elif skipping:
            continue
        elif suspects and _holds(line, suspects):
            boilerplate += 1
            skipping = len(line) > 60
            continue
        elif head[0] in "-_*=Bb" and (_CUT.match(line) or _FORWARDED.match(line)):
            if _FORWARDED.match(line):
                forwarded += 1
                continue
            quoted += len(lines) - number - 1
            break
        elif head[-1] in ":te" and _answers(lines, number):
            quoted += 1
            continue
        elif (
            head[0] in "OLA"
            and number + 1 < len(lines)
            and _ANSWERED.match(line + " " + lines[number + 1])
            and _quotes(lines, number + 2)
        ):
            quoted += 2
            lines[number + 1] = ">" + lines[number + 1][1:]
            continue
        elif (
            not forwarded
            and number
            and _HEADER.match(line)
            and any(map(_HEADER_2.match, lines[number + 1 : number + 4]))
        ):
            if kept and any(piece.strip() for piece in kept):
                quoted += len(lines) - number
                break
            forwarded += 1
        spans.append((size, start))
        kept.append(line + "\n")
        size += len(line) + 1
        if size > LONGEST:
            break
    found = "".join(kept)[:LONGEST].rstrip()
    if not found.strip():
        return Own(text[:LONGEST], (), quoted, boilerplate, forwarded)
    return Own(found, tuple(spans), quoted, boilerplate, forwarded)


def _suspect(text: str) -> bool:
    """Whether anything but own words may be in it; most short mails are done with this."""
    if "\n>" in text or text[:1] == ">" or "---" in text or "___" in text or "wrote" in text or "écrit" in text:
        return True
    folded = _squeezed(fold(text))
    if any(mark in folded for mark in _BOILERPLATE):
        return True
    return "\nFrom:" in text or "\nDe :" in text or "\nDe:" in text or "\n*From" in text or "\n*De" in text


def _squeezed(folded: str) -> str:
    return " ".join(folded.split())


def _holds(line: str, marks: list[str]) -> bool:
    folded = _squeezed(fold(line))
    return any(mark in folded for mark in marks)


def _answers(lines: list[str], number: int) -> bool:
    return (
        len(lines[number]) < 300 and _ANSWERED.match(lines[number].strip()) is not None and _quotes(lines, number + 1)
    )


def _quotes(lines: list[str], number: int) -> bool:
    """Whether the next line that says something is quoted, or none does."""
    for line in lines[number : number + 4]:
        if head := line.lstrip():
            return head[0] == ">"
    return True


_SENTENCE = re.compile(r"[^.!?…\n]++(?:[.!?…]++(?=\s|\Z)|\n|[.!?…]++|\Z)")
_GREETING = re.compile(r"(?:bonjour|bonsoir|hello|hi|dear|chère?s?|cordialement|regards|merci|thanks|salut)\b", re.I)
SENTENCES = 120


def summary(text: str, precision: float = PRECISION, limit: int = LIMIT) -> str:
    """The sentences of `text` that say most, in their order: at most `limit` characters and that share of it.

    A text that is short already is kept whole: of one below a third of `limit` everything counts.
    """
    flat = " ".join(text.split())
    room = limit if len(flat) <= limit // 3 else min(limit, max(limit // 3, int(len(flat) * precision)))
    if len(flat) <= room:
        return flat
    folded = fold(text)
    counts = Counter([word for word in folded.split() if len(word) > 3])
    ranked: list[tuple[float, int, str]] = []
    for found in _SENTENCE.finditer(text):
        if len(ranked) == SENTENCES:
            break
        sentence = found[0].strip()
        if len(sentence) > 1:
            number, start = len(ranked), found.start()
            ranked.append((_worth(number, sentence, folded[start : found.end()], counts), number, sentence))
    chosen: list[tuple[int, str]] = []
    said: set[str] = set()
    for _, number, sentence in sorted(ranked, reverse=True):
        if len(sentence) < room and sentence not in said:
            said.add(sentence)
            chosen.append((number, sentence))
            room -= len(sentence) + 1
    if not chosen:
        return flat[: room - 1].rsplit(" ", 1)[0] + "…"
    return " ".join(" ".join(sentence.split()) for _, sentence in sorted(chosen))


def _worth(number: int, sentence: str, folded: str, counts: Counter[str]) -> float:
    """Frequent words, figures and questions speak for a sentence, an early place too; greetings against it."""
    words = folded.split()
    often = sum([4 if (count := counts[word]) > 4 else count for word in words if len(word) > 3])
    worth = often / (len(words) + 3) + 1.0 / (number + 2)
    if "?" in sentence:
        worth += 0.8
    if " 0" in folded or folded[:1] == "0":
        worth += 0.4
    if len(words) < 4 or _GREETING.match(sentence):
        worth -= 1.0
    return worth
