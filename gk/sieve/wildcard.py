"""`:matches` (RFC 5228 §2.7.1): patterns with `*` and `?`, and what each wildcard stood for (RFC 5229 §3.2)."""

import re
from dataclasses import dataclass

_ITEM = re.compile(r"\\(.)|([*?])|([^\\*?]++|\\\Z)", re.DOTALL)


@dataclass(slots=True)
class _Segment:
    """What stands between two stars: literal text, or with question marks a regular expression of as many characters.

    That one is made when it is needed: most patterns are decided before their last segment.
    """

    text: str
    blanks: tuple[int, ...]  # where its question marks stand
    made: "re.Pattern[str] | None" = None

    @property
    def dotted(self) -> "re.Pattern[str] | None":
        if self.blanks and self.made is None:
            blanks = set(self.blanks)
            self.made = re.compile(
                "".join("." if index in blanks else re.escape(c) for index, c in enumerate(self.text)), re.DOTALL
            )
        return self.made

    def find(self, value: str, start: int, end: int) -> int:
        """The first place in value[start:end] it fits, -1 if none."""
        dotted = self.dotted
        if dotted is None:
            return value.find(self.text, start, end)
        found = dotted.search(value, start, end)
        return found.start() if found else -1

    def fits(self, value: str, at: int) -> bool:
        """Whether it stands there."""
        dotted = self.dotted
        if dotted is None:
            return value.startswith(self.text, at)
        return dotted.match(value, at) is not None


class Wildcard:
    """A pattern, compiled.

    `cost` is the length of the longest segment with a question mark, `unmade` how many of these there are.
    Stars take as little as they can, the first ones first; since nothing is tried twice, the work is at most the
    length of the value times the length of the longest segment with a question mark.
    """

    def __init__(self, pattern: str) -> None:
        segments: list[_Segment] = []
        text: list[str] = []
        for item in _ITEM.finditer(pattern):
            if item[2] == "*":
                segments.append(_segment(text))
                text = []
            else:
                text += [""] if item[2] else list(item[1] or item[3])
        segments.append(_segment(text))
        self._segments = segments
        dotted = [len(segment.text) for segment in segments if segment.blanks]
        self.cost = max(dotted, default=0)
        self.unmade = len(dotted)

    def match(self, value: str) -> list[tuple[int, int]] | None:
        """(start, end) of what each wildcard stands for, in their order; None where the value does not match."""
        segments = self._segments
        first, last = segments[0], segments[-1]
        size, end = len(value), len(value) - len(last.text)
        if end < 0 or not first.fits(value, 0):
            return None
        spans = [(blank, blank + 1) for blank in first.blanks]
        at = len(first.text)
        if len(segments) == 1:
            return spans if at == size else None
        for segment in segments[1:-1]:
            found = segment.find(value, at, end)
            if found < 0:
                return None
            spans.append((at, found))
            spans += [(found + blank, found + blank + 1) for blank in segment.blanks]
            at = found + len(segment.text)
        if at > end or not last.fits(value, end):
            return None
        spans.append((at, end))
        spans += [(end + blank, end + blank + 1) for blank in last.blanks]
        return spans


def _segment(characters: list[str]) -> _Segment:
    blanks = tuple(index for index, character in enumerate(characters) if not character)
    return _Segment("".join(character or "?" for character in characters), blanks)


def quoted(text: str) -> str:
    """The pattern that stands for this text (RFC 5229 §4.1.2)."""
    return re.sub(r"([*?\\])", r"\\\1", text)
