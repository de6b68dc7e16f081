"""Tests of the header and of the message as a whole: header, exists, size, true, false (RFC 5228 §5)."""

import re
from collections.abc import Sequence

from gk.sieve.compilation import Compilation
from gk.sieve.errors import SieveError
from gk.sieve.grammar import INDEX, MATCH, NUMBER, STRINGS, Bound, Tag, Test, test
from gk.sieve.mail import Field
from gk.sieve.parser import Piece
from gk.sieve.run import Run
from gk.sieve.strings import Text

_NAME = re.compile(r"[!-9;-~]+")  # RFC 5322 §2.2


def field_names(unit: Compilation, pieces: Sequence[Piece]) -> tuple[Text, ...]:
    """Names of header fields; raises SieveError for a constant that can be none (RFC 5228 §2.4.2.2)."""
    texts = unit.texts(pieces)
    for text in texts:
        if text.constant is not None and not _NAME.fullmatch(text.constant):
            raise SieveError(text.piece.place, "this can be no name of a header field")
    return texts


def position(bound: Bound) -> tuple[int, bool]:
    """(:index, whether it counts from the end) (RFC 5260 §6), 0 for all."""
    if "last" in bound.tags and "index" not in bound.tags:
        raise SieveError(bound.tags["last"][2], ":last needs :index")
    index = bound.number("index", 0)
    if "index" in bound.tags and not index:
        raise SieveError(bound.tags["index"][2], ":index counts from 1")
    return index, "last" in bound.tags


def chosen(run: Run, names: Sequence[Text], index: int, last: bool) -> list[Field]:
    """The fields of those names, or of each name the one at that place."""
    found: list[Field] = []
    for name in names:
        fields = run.named(name.of(run).lower())
        run.spend(1 + len(fields) // 16)
        if not index:
            found += fields
        elif index <= len(fields):
            found.append(fields[-index] if last else fields[index - 1])
    return found


@test("header", (STRINGS, STRINGS), tags=MATCH | INDEX)
def header(unit: Compilation, bound: Bound) -> Test:
    """Whether a field's value matches (RFC 5228 §5.7)."""
    names, (index, last) = field_names(unit, bound.strings(0)), position(bound)
    matcher = unit.matcher(bound, bound.strings(1))
    return lambda run: matcher.holds(run, [field.text for field in chosen(run, names, index, last)])


@test("exists", (STRINGS,))
def exists(unit: Compilation, bound: Bound) -> Test:
    """Whether all of these fields are there (RFC 5228 §5.5)."""
    names = field_names(unit, bound.strings(0))

    def holds(run: Run) -> bool:
        run.spend(len(names))
        return all(run.named(name.of(run).lower()) for name in names)

    return holds


@test("size", (NUMBER,), tags={"over": Tag("side"), "under": Tag("side")})
def size(unit: Compilation, bound: Bound) -> Test:
    """Whether the message is larger or smaller, the limit itself being neither (RFC 5228 §5.9)."""
    side, (limit,) = bound.tag("side"), bound.values
    assert isinstance(limit, int)
    if not side:
        raise SieveError(bound.place, "size needs :over or :under")
    if side == "over":
        return lambda run: run.size() > limit
    return lambda run: run.size() < limit


@test("true")
def true(unit: Compilation, bound: Bound) -> Test:
    return lambda run: True


@test("false")
def false(unit: Compilation, bound: Bound) -> Test:
    return lambda run: False
