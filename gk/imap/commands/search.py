"""SEARCH and UID SEARCH (RFC 3501 §6.4.4, §6.4.8; MODSEQ of RFC 7162 §3.1.5, ids of RFC 8474 §6).

Cheap keys go first and what they leave is what the dear ones look at; between slices others have their turn.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from gk.imap import matching, search_keys
from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.search_keys import (
    All,
    Any,
    Everything,
    HasFlag,
    HasKeyword,
    InContent,
    InHeader,
    Key,
    Modified,
    Not,
    Numbers,
    Recent,
)
from gk.imap.session import SELECTED
from gk.store.content import IN_MEMORY, Content

ARRAYS, ROWS, CONTENTS = 20_000, 500, 50  # messages of a slice
ROW_BYTES = 1 << 20  # of the column of a slice
IN_LOOP = 64 << 10  # bytes of a message or a header that is searched in the event loop; larger ones go to a thread


@command("SEARCH", when=SELECTED, expunges=False)
async def search(c: Conversation, args: Cursor) -> Reply:
    return await _search(c, args, by_uid=False)


@command("UID SEARCH", when=SELECTED)
async def uid_search(c: Conversation, args: Cursor) -> Reply:
    return await _search(c, args, by_uid=True)


async def _search(c: Conversation, args: Cursor, *, by_uid: bool) -> Reply:
    args.space()
    key = search_keys.parse(args, c.limits.search_keys)
    with_modseq = _asks_modseq(key)
    if with_modseq:
        c.session.enable("CONDSTORE")
    searching = _Searching(c)
    places = await searching.run(key)
    part = searching.part
    found = part.uids if by_uid else part.numbers
    line = " ".join(["* SEARCH", *(str(found[p]) for p in places)])
    if with_modseq and places:
        line += f" (MODSEQ {max(part.modseqs[p] for p in places)})"
    c.tell(line.encode() + b"\r\n")
    return ok("that is what was found")


def _asks_modseq(key: Key) -> bool:
    match key:
        case All(keys=keys) | Any(keys=keys):
            return any(_asks_modseq(k) for k in keys)
        case Not(key=inner):
            return isinstance(inner, Modified)
    return isinstance(key, Modified)


def _cost(key: Key) -> int:
    """The order in which keys are looked at."""
    match key:
        case All(keys=keys) | Any(keys=keys):
            return max(map(_cost, keys))
        case Not(key=inner):
            return _cost(inner)
        case Everything() | HasFlag() | HasKeyword() | Recent() | Numbers() | Modified():
            return 0
        case InHeader():
            return 2
        case InContent():
            return 3
    return 1


class _Searching:
    """One SEARCH under way: the messages as they were when it began. A place counts them from 0."""

    def __init__(self, c: Conversation) -> None:
        self._c, self._view = c, c.view
        self.part = c.view.look(range(1, c.view.count + 1))

    async def run(self, key: Key) -> Sequence[int]:
        return await self._among(key, range(len(self.part.uids)))

    async def _among(self, key: Key, places: Sequence[int]) -> Sequence[int]:
        """Which of the messages at these places, ascending, meet the key; keys are at most 50 deep."""
        match key:
            case All(keys=keys):
                for inner in sorted(keys, key=_cost):
                    places = await self._among(inner, places)
                return places
            case Any(keys=keys):
                found: set[int] = set()
                rest = places
                for inner in sorted(keys, key=_cost):
                    found.update(await self._among(inner, rest))
                    rest = [p for p in places if p not in found]
                return sorted(found)
            case Not(key=inner):
                met = set(await self._among(inner, places))
                return [p for p in places if p not in met]
            case InContent():
                return await self._in_contents(key, places)
            case Everything():
                return places
            case HasFlag() | HasKeyword() | Recent() | Numbers() | Modified():
                return await self._by_arrays(self._by_array(key), places)
        return await self._by_rows(*matching.by_row(key), places)

    async def _by_arrays(self, test: Callable[[int], bool], places: Sequence[int]) -> Sequence[int]:
        found: list[int] = []
        for start in range(0, len(places), ARRAYS):
            found += [p for p in places[start : start + ARRAYS] if test(p)]
            await self._c.breathe()
        return found

    def _by_array(self, key: "HasFlag | HasKeyword | Recent | Numbers | Modified") -> Callable[[int], bool]:
        part, view = self.part, self._view
        match key:
            case HasFlag(bit=bit):
                flags = part.flags
                return lambda p: bool(flags[p] & bit)
            case HasKeyword(keyword=keyword):
                words = {v: {w.lower() for w in view.snapshot.words(v)} for v in set(part.flags)}
                having = {value for value, held in words.items() if keyword in held}
                return lambda p: part.flags[p] in having
            case Recent():
                return lambda p: view.is_recent(part.uids[p])
            case Modified(modseq=modseq):
                return lambda p: part.modseqs[p] >= modseq
            case Numbers(numbers=numbers, uid=by_uid):
                column = part.uids if by_uid else part.numbers
                ranges = numbers.resolve(view.last_uid if by_uid else view.count)
                return _within(ranges, column)

    async def _by_rows(self, column: str, test: matching.Test, places: Sequence[int]) -> Sequence[int]:
        found: list[int] = []
        start = 0
        while start < len(places):
            here = {self.part.uids[p]: p for p in places[start : start + ROWS]}
            rows = self._c.store.mailboxes.rows(self._c.mailbox, list(here), (column,), ROW_BYTES)
            start = bisect_right(places, here[rows[-1][0]], start) if rows else start + ROWS
            for uid, value in rows:
                large = isinstance(value, bytes) and len(value) > IN_LOOP
                if await asyncio.to_thread(test, value) if large else test(value):
                    found.append(here[uid])
                await self._c.breathe()
        return found

    async def _in_contents(self, key: InContent, places: Sequence[int]) -> Sequence[int]:
        mailboxes, mailbox = self._c.store.mailboxes, self._c.mailbox
        found: list[int] = []
        for start in range(0, len(places), CONTENTS):
            here = {self.part.uids[p]: p for p in places[start : start + CONTENTS]}
            parts: dict[int, bytes] = dict(mailboxes.rows(mailbox, list(here), ("parts",)))
            contents = await mailboxes.contents(mailbox, list(parts))
            for uid, content in zip(parts, contents, strict=True):
                if content is None:
                    continue
                try:
                    if content.size <= min(IN_LOOP, IN_MEMORY):
                        met = matching.in_content(key, content.whole(), parts[uid])
                    else:
                        met = await asyncio.to_thread(matching.in_content, key, _Slices(content), parts[uid])
                finally:
                    content.close()
                if met:
                    found.append(here[uid])
                await self._c.breathe()
        return found


class _Slices:
    """A large message: what is looked at is read when it is looked at."""

    def __init__(self, content: Content) -> None:
        self._content = content

    def __getitem__(self, where: slice, /) -> bytes:
        return self._content.read(where.start, where.stop - where.start)


def _within(ranges: Iterable[tuple[int, int]], column: Sequence[int]) -> Callable[[int], bool]:
    """Whether the column's value at a place lies in one of the ordered ranges; asked with ascending places."""
    left = iter(ranges)
    current = next(left, (0, -1))

    def test(place: int) -> bool:
        nonlocal current
        value = column[place]
        while value > current[1]:
            following = next(left, None)
            if following is None:
                return False
            current = following
        return value >= current[0]

    return test
