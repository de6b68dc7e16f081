"""RETURN options of SEARCH and SORT (RFC 4731 §3.1, RFC 5182 §2, RFC 9394 §3.1, RFC 6203 §4, RFC 5267 §3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gk.imap.grammar import BadSyntax, Cursor

_PLAIN = {b"MIN": "min", b"MAX": "max", b"ALL": "all", b"COUNT": "count", b"SAVE": "save", b"RELEVANCY": "relevancy"}


@dataclass(frozen=True, slots=True)
class Partial:
    """A page of the results: the places of its ends, counted from 1, or from the last backwards (RFC 9394 §3.1)."""

    first: int
    last: int  # not smaller
    backwards: bool = False
    written: bytes = field(default=b"", compare=False)

    def of(self, results: Sequence[int]) -> Sequence[int]:
        """The page, in the order of the results; what lies beyond them is left out."""
        if self.backwards:
            return results[max(0, len(results) - self.last) : max(0, len(results) - self.first + 1)]
        return results[self.first - 1 : self.last]


@dataclass(frozen=True, slots=True)
class Options:
    """What a search is to return; nothing asked for means ALL (RFC 4731 §3.1)."""

    min: bool = False
    max: bool = False
    all: bool = False
    count: bool = False
    save: bool = False
    relevancy: bool = False
    partial: Partial | None = None

    @property
    def silent(self) -> bool:
        """SAVE alone: there is no untagged response (RFC 5182 §1)."""
        return self == Options(save=True)

    def meant(self, results: Sequence[int]) -> Sequence[int]:
        """The results that `$` and MODSEQ speak of, in their order.

        Those of MIN, MAX and PARTIAL where ALL and COUNT were not asked for, else all that were found
        (RFC 5182 §2.4, RFC 7162 §3.1.10, RFC 9394 §3.2).
        """
        if self.all or self.count or not (self.min or self.max or self.partial):
            return results
        kept = set(self.partial.of(results)) if self.partial else set()
        kept.update(results[:1] if self.min else (), results[-1:] if self.max else ())
        return [result for result in results if result in kept]


def parse(cursor: Cursor) -> Options | None:
    """`RETURN (…)` and the space behind it; None where there is no RETURN."""
    if not cursor.skip_word(b"RETURN"):
        return None
    cursor.space()
    asked: dict[str, bool] = {}
    pages: list[Partial] = []

    def option() -> None:
        word = cursor.word()
        if word == b"PARTIAL":
            cursor.space()
            pages.append(page(cursor))
        elif word in _PLAIN:
            asked[_PLAIN[word]] = True
        else:
            raise BadSyntax("an unknown return option")

    cursor.listed(option, 20)
    cursor.space()
    if len(pages) + asked.get("all", False) > 1:
        raise BadSyntax("only one of ALL and PARTIAL can be returned")  # RFC 9394 §3.1
    if not asked and not pages:
        asked["all"] = True
    return Options(**asked, partial=pages[0] if pages else None)


def page(cursor: Cursor) -> Partial:
    """`1:100`, or `-1:-100` counted from the end; the larger may come first (RFC 9394 §4, partial-range)."""
    backwards = cursor.skip(b"-")
    first = cursor.nz_number()
    cursor.need(b":-" if backwards else b":")
    last = cursor.nz_number()
    sign = b"-" if backwards else b""
    written = b"%b%d:%b%d" % (sign, first, sign, last)
    return Partial(min(first, last), max(first, last), backwards, written)
