"""The sort program and the order it makes (RFC 5256, RFC 5957, RFC 6203)."""

import functools
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.imap import sorting
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.sorting import Criterion

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 300


def program(text: bytes) -> tuple[Criterion, ...]:
    return sorting.parse(Cursor(text))


def test_a_program_is_a_list_of_criteria() -> None:
    assert program(b"(SUBJECT REVERSE DATE)") == (Criterion("subject"), Criterion("sent", down=True))
    assert program(b"(arrival cc from size to displayfrom reverse DisplayTo)") == (
        Criterion("internaldate"),
        Criterion("cc"),
        Criterion("from"),
        Criterion("size"),
        Criterion("to"),
        Criterion("display_from"),
        Criterion("display_to", down=True),
    )
    assert program(b"(RELEVANCY REVERSE RELEVANCY)") == (Criterion("relevancy", down=True), Criterion("relevancy"))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"()",
        b"(",
        b"DATE",
        b"(REVERSE)",
        b"(REVERSE REVERSE DATE)",
        b"(WEIGHT)",
        b"(DATE",
        b"(" + b"CC " * 31 + b")",
    ],
)
def test_other_texts_are_no_program(text: bytes) -> None:
    with pytest.raises(BadSyntax):
        program(text)


PIECES = [b"(", b")", b" ", b"REVERSE", b"DATE", b"SUBJECT", b"RELEVANCY", b"x", b"\xff", b'"']


@settings(max_examples=EXAMPLES)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join) | st.binary(max_size=40))
def test_any_input_gives_a_program_or_bad_syntax(data: bytes) -> None:
    for text in (data, b"(" + data):
        try:
            assert program(text)
        except BadSyntax as error:
            assert str(error).isprintable()


rows = st.lists(st.tuples(st.integers(0, 3), st.text("AB", max_size=2), st.integers(1, 3)), max_size=12)
programs = st.lists(
    st.builds(Criterion, st.sampled_from(["sent", "subject", "size"]), st.booleans()), min_size=1, max_size=4
)


@settings(max_examples=EXAMPLES)
@given(rows, programs)
def test_the_order_is_that_of_comparing_two_messages_at_a_time(
    values: list[tuple[int, str, int]], wanted: list[Criterion]
) -> None:
    names = ("sent", "subject", "size")

    def compare(a: int, b: int) -> int:
        for criterion in wanted:
            one: Any = values[a][names.index(criterion.column)]
            other: Any = values[b][names.index(criterion.column)]
            if one != other:
                return (1 if one > other else -1) * (-1 if criterion.down else 1)
        return a - b  # the sequence number is the last criterion, never reversed

    columns = {name: [row[place] for row in values] for place, name in enumerate(names)}
    assert sorting.order(wanted, columns) == sorted(range(len(values)), key=functools.cmp_to_key(compare))
