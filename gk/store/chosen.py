"""Sets of uids: as SQL, and as runs."""

import json
from collections.abc import Iterable, Sequence


def chosen(uids: Sequence[int]) -> tuple[str, tuple[object, ...]]:
    """SQL that picks these uids, sorted ones, from the rows of a mailbox: a range where they are one."""
    if uids and uids[-1] - uids[0] == len(uids) - 1:
        return "uid BETWEEN ? AND ?", (uids[0], uids[-1])
    return "uid IN (SELECT value FROM json_each(?))", (json.dumps(list(uids)),)


def runs(uids: Sequence[int], present: Sequence[int]) -> list[tuple[int, int]]:
    """The uids as (first, last) runs without gaps among those present; both sorted."""
    out: list[tuple[int, int]] = []
    wanted, first, last = set(uids), 0, 0
    for uid in present:
        if uid in wanted:
            first, last = (first or uid), uid
        elif first:
            out.append((first, last))
            first = 0
    if first:
        out.append((first, last))
    return out


def uid_set(uids: Iterable[int]) -> str:
    """Ascending uids as IMAP writes them: `3:5,9`."""
    parts: list[str] = []
    first = last = 0
    for uid in uids:
        if last and uid == last + 1:
            last = uid
            continue
        if last:
            parts.append(f"{first}:{last}" if last > first else str(first))
        first = last = uid
    if last:
        parts.append(f"{first}:{last}" if last > first else str(first))
    return ",".join(parts)


def uid_ranges(text: str) -> list[tuple[int, int]]:
    """What `uid_set` wrote, as (first, last)."""
    ranges = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        ranges.append((int(first), int(last or first)))
    return ranges


def joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges in order, neighbours as one."""
    out: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if out and first <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(last, out[-1][1]))
        else:
            out.append((first, last))
    return out


def overlap(some: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """What lies in both; each ordered and without overlaps of its own."""
    out: list[tuple[int, int]] = []
    i = j = 0
    while i < len(some) and j < len(others):
        first, last = max(some[i][0], others[j][0]), min(some[i][1], others[j][1])
        if first <= last:
            out.append((first, last))
        if some[i][1] < others[j][1]:
            i += 1
        else:
            j += 1
    return out
