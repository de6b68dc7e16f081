"""Marks are sets of places."""

import os
from array import array

from hypothesis import given, settings
from hypothesis import strategies as st

from gk.imap import marks

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 300
sets = st.sets(st.integers(0, 19))


@settings(max_examples=EXAMPLES)
@given(sets, sets)
def test_marks_do_what_sets_do(some: set[int], others: set[int]) -> None:
    a, b = marks.at(some, 20), marks.at(others, 20)
    assert set(marks.places(marks.both(a, b))) == some & others
    assert set(marks.places(marks.either(a, b))) == some | others
    assert set(marks.places(marks.without(a, b))) == some - others
    assert marks.count(a) == len(some)
    assert marks.places(marks.all_of(20)) == range(20) and marks.places(marks.none_of(20)) == []


@settings(max_examples=EXAMPLES)
@given(st.sets(st.integers(1, 300)), st.sets(st.integers(1, 300)))
def test_values_are_found_in_an_ascending_column(wanted: set[int], there: set[int]) -> None:
    column = array("I", sorted(there))
    expected = [p for p, value in enumerate(column) if value in wanted]
    assert list(marks.places(marks.among(array("I", sorted(wanted)), column))) == expected
    assert list(marks.places(marks.among(sorted(wanted), tuple(column)))) == expected
    assert list(marks.places(marks.among(column, column))) == list(range(len(column)))


@settings(max_examples=EXAMPLES)
@given(st.lists(st.integers(1, 60), unique=True, max_size=8).map(sorted), st.sets(st.integers(1, 70)))
def test_ranges_take_what_lies_in_them(ends: list[int], there: set[int]) -> None:
    ranges = list(zip(ends[::2], ends[1::2], strict=False))
    column = sorted(there)
    expected = [p for p, value in enumerate(column) if any(a <= value <= b for a, b in ranges)]
    assert list(marks.places(marks.within(ranges, column))) == expected


@settings(max_examples=EXAMPLES)
@given(st.lists(st.integers(0, 2**32 - 1)), st.integers(0, 7))
def test_a_bit_is_looked_for_in_the_lowest_byte(values: list[int], bit: int) -> None:
    expected = [p for p, value in enumerate(values) if value & 1 << bit]
    for column in (values, array("I", values)):
        assert list(marks.places(marks.having(1 << bit, marks.low_bytes(column)))) == expected
