"""A mapped file under the operations the scanner needs; `mmap` itself counts nothing and searches slowly."""

from mmap import mmap

CHUNK = 1 << 20  # octets searched at once


class Mapped:
    """The length, slices, `find` and `count` of a mapped file, as those of bytes."""

    __slots__ = ("map",)

    def __init__(self, mapped: mmap) -> None:
        self.map = mapped

    def __len__(self) -> int:
        return len(self.map)

    def __getitem__(self, where: slice) -> bytes:
        return self.map[where]

    def find(self, needle: bytes, start: int, end: int) -> int:
        """As `bytes.find`."""
        end = min(end, len(self.map))
        while start < end:
            stop = min(end, start + CHUNK)
            at = self.map[start:stop].find(needle)
            if at >= 0:
                return start + at
            if stop == end:
                break
            start = stop - len(needle) + 1
        return -1

    def count(self, needle: bytes, start: int, end: int) -> int:
        """As `bytes.count`, for a needle of one octet."""
        return sum(self.map[at : min(end, at + CHUNK)].count(needle) for at in range(start, end, CHUNK))
