"""Sets of messages as marks: one byte for each message of a view, 1 where it belongs to the set.

What 100,000 messages need is then done by a few calls over whole byte strings, whatever the messages are.
"""

import sys
from array import array
from bisect import bisect_left
from collections.abc import Container, Iterable, Sequence
from functools import lru_cache
from itertools import compress

Marks = bytes
SPARSE = 16  # of so many messages one: then each is looked up

_OPPOSITE = bytes([1, 0]) + bytes(254)


def all_of(count: int) -> Marks:
    return b"\1" * count


def none_of(count: int) -> Marks:
    return bytes(count)


def both(some: Marks, others: Marks) -> Marks:
    """What is in both of them."""
    return (int.from_bytes(some, "little") & int.from_bytes(others, "little")).to_bytes(len(some), "little")


def either(some: Marks, others: Marks) -> Marks:
    """What is in one of them or in both."""
    return (int.from_bytes(some, "little") | int.from_bytes(others, "little")).to_bytes(len(some), "little")


def without(some: Marks, others: Marks) -> Marks:
    """What is in the first and not in the second."""
    return both(some, others.translate(_OPPOSITE))


def count(marks: Marks) -> int:
    return marks.count(1)


def places(marks: Marks) -> Sequence[int]:
    """Where the marks are, ascending, counted from 0; a range where all are marked."""
    everywhere = range(len(marks))
    return everywhere if count(marks) == len(marks) else list(compress(everywhere, marks))


def at(places: Iterable[int], count: int) -> Marks:
    """Marks at these places."""
    marks = bytearray(count)
    for place in places:
        marks[place] = 1
    return bytes(marks)


def among(wanted: Sequence[int], values: Sequence[int]) -> Marks:
    """Marks where a value of an ascending column is among the wanted ones, which ascend, too."""
    if not len(wanted):
        return none_of(len(values))
    if type(wanted) is type(values) and wanted == values:
        return all_of(len(values))
    if len(wanted) * SPARSE < len(values):
        found = ((bisect_left(values, value), value) for value in wanted)
        return at((p for p, value in found if p < len(values) and values[p] == value), len(values))
    return holding(frozenset(wanted), values)


def holding(wanted: Container[int], values: Iterable[int]) -> Marks:
    """Marks where a value is in a set."""
    return bytes([value in wanted for value in values])


def within(ranges: Iterable[tuple[int, int]], values: Sequence[int]) -> Marks:
    """Marks where a value of an ascending column lies in one of the ranges: ordered, both ends included."""
    pieces: list[bytes] = []
    done = 0
    for first, last in ranges:
        start = bisect_left(values, first, done)
        stop = bisect_left(values, last + 1, start)
        pieces += [bytes(start - done), b"\1" * (stop - start)]
        done = stop
    return b"".join([*pieces, bytes(len(values) - done)])


def low_bytes(values: Sequence[int]) -> bytes:
    """The lowest byte of each of some 32-bit values."""
    words = values if isinstance(values, array) and values.typecode == "I" else array("I", values)
    first = 0 if sys.byteorder == "little" else words.itemsize - 1
    return words.tobytes()[first :: words.itemsize]


@lru_cache(8)
def _having(bit: int) -> bytes:
    return bytes(1 if value & bit else 0 for value in range(256))


def having(bit: int, low: bytes) -> Marks:
    """Marks where a byte has this bit."""
    return low.translate(_having(bit))
