"""How many messages to take at once: many small ones, few large ones, so that a slice is bounded in memory and time."""

FEWEST = 2
LITTLE, MUCH = 256 << 10, 1 << 20  # bytes of a slice that make the next one larger, smaller


class Pace:
    """Begins carefully; `took` says what a slice turned out to weigh."""

    __slots__ = ("_most", "count")

    def __init__(self, first: int, most: int) -> None:
        self.count, self._most = min(first, most), most

    def took(self, size: int) -> None:
        if size > MUCH:
            self.count = max(FEWEST, self.count // 4)
        elif size < LITTLE:
            self.count = min(self._most, self.count * 2)
