"""Which messages the other side has: 8 bytes for each, a million take 8 MB."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable

LATELY = 50_000  # kept in a set before they are sorted in


class Keys:
    """A set of 64-bit numbers."""

    __slots__ = ("_lately", "_sorted")

    def __init__(self, keys: Iterable[int] = ()) -> None:
        self._sorted = array("Q", sorted(keys))
        self._lately: set[int] = set()

    def __contains__(self, key: int) -> bool:
        if key in self._lately:
            return True
        at = bisect_left(self._sorted, key)
        return at < len(self._sorted) and self._sorted[at] == key

    def __len__(self) -> int:
        return len(self._sorted) + len(self._lately)

    def add(self, key: int) -> None:
        if key in self:
            return
        self._lately.add(key)
        if len(self._lately) >= LATELY:
            self._sorted.extend(self._lately)
            self._sorted = array("Q", sorted(self._sorted))
            self._lately.clear()
