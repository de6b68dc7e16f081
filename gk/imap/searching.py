"""Finding the messages that meet search keys, for SEARCH, SORT and THREAD (RFC 3501 §6.4.4).

Cheap keys go first and what they leave is what the dear ones look at; texts are asked of the index, and what it does
not know for certain is read. Between slices others have their turn.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from gk.imap import marks, matching
from gk.imap.conversation import Conversation
from gk.imap.marks import Marks
from gk.imap.search_keys import (
    All,
    Any,
    Everything,
    Exact,
    Fuzzy,
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
from gk.message.text import fold
from gk.store.content import IN_MEMORY, Content
from gk.store.search.room import Where
from gk.store.values import KEYWORDS

ARRAYS, NARROW, ROWS, CONTENTS = 20_000, 2_000, 500, 50  # messages of a slice
ROW_BYTES = 1 << 20  # of the column of a slice
IN_LOOP = 64 << 10  # bytes of a message or a header that is searched in the event loop; larger ones go to a thread
FEW = 20  # messages that are read rather than asked of the index
REMEMBERED = 8 << 20  # messages in remembered answers of the index: twice as many bytes
WORDS = 20  # of a FUZZY text that are looked at
SURE, LIKELY, POSSIBLE = 100, 60, 40  # relevancies the index has no part in (RFC 6203 §4)

_INDEXED: dict[bytes, Where] = {b"subject": "subject", b"from": "from", b"to": "to", b"cc": "cc", b"bcc": "bcc"}
_WIDE = frozenset({"envelope", "header"})


class Searching:
    """One search under way: the messages as they were when it began. A place counts them from 0."""

    def __init__(self, c: Conversation, key: Key, *, more: int = 0) -> None:
        """`more`: passes over all messages that come after the search."""
        self._c, self._view, self._key = c, c.view, key
        self.part = c.view.look(range(1, c.view.count + 1))
        self._count = len(self.part.uids)
        self._scores: dict[int, int] = {}  # by place
        self._asked: dict[InHeader | InContent, tuple[Marks, Marks]] = {}  # certain, and to be read
        self._low: bytes | None = None
        self._total = self._count * (_passes(key) + more)
        self._done = 0.0

    async def run(self) -> Sequence[int]:
        """The places of what is found, ascending."""
        return marks.places(await self._among(self._key, marks.all_of(self._count)))

    def scores(self, places: Sequence[int]) -> list[int]:
        """The relevancies of what was found; what no text decided fits wholly."""
        return [self._scores.get(place, SURE) for place in places]

    def work(self) -> tuple[int, int]:
        """Messages looked at, and to be looked at, each counted as often as there are keys that look into them."""
        return int(self._done), self._total

    def advance(self, share: float) -> None:
        """So much of a pass was done."""
        self._done += share * self._count

    async def _among(self, key: Key, left: Marks) -> Marks:
        """Which of the messages left meet the key; keys are at most 50 deep."""
        match key:
            case All(keys=keys):
                return await self._all(sorted(keys, key=_cost), left)
            case Any(keys=keys):
                found = marks.none_of(self._count)
                for inner in sorted(keys, key=_cost):
                    found = marks.either(found, await self._among(inner, marks.without(left, found)))
                return found
            case Not(key=inner):
                return marks.without(left, await self._among(inner, left))
            case Fuzzy(key=inner):
                return await self._roughly(inner, left)
            case Everything():
                return left
            case HasFlag() | HasKeyword() | Recent() | Numbers() | Modified():
                met = await self._by_array(key)
                await self._c.breathe()
                return marks.both(left, met)
            case InHeader() | InContent():
                return await self._in_text(key, left)
        return await self._by_rows(key, left)

    async def _all(self, keys: Sequence[Key], left: Marks) -> Marks:
        cheap = [key for key in keys if not _cost(key)]
        dear = keys[len(cheap) :]
        for key in cheap:
            left = await self._among(key, left)
        for key in dear:  # first what the index says of all texts: it costs little and leaves little
            if isinstance(key, InHeader | InContent) and key.text and marks.count(left) >= FEW:
                left = marks.both(left, marks.either(*await self._ask(key)))
        for key in dear:
            if not marks.count(left):
                return left
            left = await self._among(key, left)
        return left

    # -- what the view's arrays know

    async def _by_array(self, key: "HasFlag | HasKeyword | Recent | Numbers | Modified") -> Marks:
        part, view = self.part, self._view
        match key:
            case HasFlag(bit=bit):
                if self._low is None:
                    self._low = marks.low_bytes(part.flags)
                return marks.having(bit, self._low)
            case HasKeyword(keyword=keyword):
                values = await self._holding(keyword)
                return await self._sliced(lambda start, end: marks.holding(values, part.flags[start:end]), values)
            case Recent():
                return await self._sliced(
                    lambda start, end: bytes([view.is_recent(uid) for uid in part.uids[start:end]]), view.recent()
                )
            case Modified(modseq=modseq):
                return await self._sliced(lambda start, end: bytes([m >= modseq for m in part.modseqs[start:end]]))
            case Numbers(numbers=numbers, uid=by_uid):
                if numbers.saved:  # RFC 5182 §2.1
                    return marks.among(view.select(numbers, by_uid=False) or (), part.numbers)
                column = part.uids if by_uid else part.numbers
                return marks.within(numbers.resolve(view.last_uid if by_uid else view.count), column)

    async def _holding(self, keyword: str) -> frozenset[int]:
        """The flags values of the messages that have this keyword."""
        words: dict[str, bool] = {}  # the words of a mailbox are few, the sets of them may be many
        held: set[int] = set()
        sets: dict[int, bool] = {}
        for value in set(self.part.flags):
            number = value >> KEYWORDS
            if number not in sets:
                sets[number] = False
                for word in self._view.snapshot.words(value):
                    met = words.get(word)
                    if met is None:
                        met = words[word] = word.lower() == keyword
                    if met:
                        sets[number] = True
                        break
                await self._c.breathe()
            if sets[number]:
                held.add(value)
        return frozenset(held)

    async def _sliced(self, made: Callable[[int, int], Marks], any_: object = True) -> Marks:
        """The marks of all messages, made slice by slice; none when there is nothing to look for."""
        if not any_:
            return marks.none_of(self._count)
        pieces: list[Marks] = []
        for start in range(0, self._count, ARRAYS):
            pieces.append(made(start, min(start + ARRAYS, self._count)))
            await self._c.breathe()
        return b"".join(pieces)

    # -- what the rows of the store know

    async def _by_rows(self, key: matching.Row, left: Marks) -> Marks:
        columns, test = matching.by_row(key, int(time.time()))
        places = marks.places(left)
        found: list[int] = []
        uids = self.part.uids
        most = NARROW if _WIDE.isdisjoint(columns) else ROWS
        start = 0
        while start < len(places):
            here = {uids[p]: p for p in places[start : start + most]}
            rows = self._c.store.mailboxes.rows(self._c.mailbox, list(here), columns, ROW_BYTES)
            end = bisect_right(places, here[rows[-1][0]], start) if rows else start + most
            if len(columns) > 1:
                found += [here[uid] for uid, *values in rows if test(values)]
            elif most == NARROW:
                found += [here[uid] for uid, value in rows if test(value)]
            else:
                for uid, value in rows:
                    if await self._c.computed(test, value) if len(value) > IN_LOOP else test(value):
                        found.append(here[uid])
                    await self._c.breathe()
            self.advance((end - start) / len(places))
            start = end
            await self._c.breathe()
        return marks.at(found, self._count)

    # -- texts

    async def _in_text(self, key: "InHeader | InContent", left: Marks) -> Marks:
        if key not in self._asked and (not fold(key.text) or marks.count(left) < FEW):
            return await self._read(key, left)
        certain, unsure = await self._ask(key)
        return marks.either(marks.both(left, certain), await self._read(key, marks.both(left, unsure)))

    async def _ask(self, key: "InHeader | InContent") -> tuple[Marks, Marks]:
        """What the index says: messages that meet the key for certain, and those it cannot tell of."""
        if key not in self._asked:
            found = await self._c.store.search.find(self._c.mailbox, fold(key.text), _where(key))
            await self._c.breathe()  # the end of the search when its client is gone
            uids = self.part.uids
            answer = marks.among(found.uids, uids), marks.among(found.unsure, uids)
            if len(self._asked) * self._count >= REMEMBERED:
                return answer  # asked again when it is needed again
            self._asked[key] = answer
        return self._asked[key]

    async def _read(self, key: "InHeader | InContent", left: Marks) -> Marks:
        if isinstance(key, InHeader):
            return await self._by_rows(key, left)
        if not key.text:
            return left
        return await self._in_contents(key, left)

    async def _in_contents(self, key: InContent, left: Marks) -> Marks:
        mailboxes, mailbox = self._c.store.mailboxes, self._c.mailbox
        places = marks.places(left)
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
                        met = await self._c.computed(matching.in_content, key, _Slices(content), parts[uid])
                finally:
                    content.close()
                if met:
                    found.append(here[uid])
                await self._c.breathe()
            self.advance(len(here) / len(places))
        return marks.at(found, self._count)

    # -- FUZZY

    async def _roughly(self, key: Exact, left: Marks) -> Marks:
        """FUZZY: a text is met by messages with its words, in whatever order; the more of it is there, the higher the
        score (RFC 6203 §3, §4). Other keys are exact (§5)."""
        if not isinstance(key, InHeader | InContent) or not (words := fold(key.text).split()[:WORDS]):
            return await self._among(key, left)
        if isinstance(key, InHeader):
            met = await self._with_words([InHeader(key.field, word) for word in words], left)
            whole = await self._in_text(key, met)
            self._score(marks.places(whole), SURE)
            self._score(marks.places(marks.without(met, whole)), LIKELY)
            return met
        answers, unknown = await self._c.store.search.words(self._c.mailbox, " ".join(words))
        scores = dict(answers)
        known = marks.both(left, marks.among(sorted(scores), self.part.uids))
        for place in marks.places(known):
            self._score((place,), scores[self.part.uids[place]])
        rest = marks.without(marks.both(left, marks.among(unknown, self.part.uids)), known)
        for word in words:
            rest = await self._read(InContent(key.header, word), rest)
        self._score(marks.places(rest), POSSIBLE)
        return marks.either(known, rest)

    async def _with_words(self, keys: Sequence[InHeader], left: Marks) -> Marks:
        for key in keys:
            left = await self._in_text(key, left)
        return left

    def _score(self, places: Iterable[int], score: int) -> None:
        """The best of the scores counts."""
        for place in places:
            self._scores[place] = max(score, self._scores.get(place, 0))


def _where(key: "InHeader | InContent") -> Where:
    if isinstance(key, InHeader):
        return _INDEXED.get(key.field, "header")
    return "text" if key.header else "body"


def _cost(key: Key) -> int:
    """The order in which keys are looked at."""
    match key:
        case All(keys=keys) | Any(keys=keys):
            return max(map(_cost, keys))
        case Not(key=inner) | Fuzzy(key=inner):
            return _cost(inner)
        case Everything() | HasFlag() | HasKeyword() | Recent() | Numbers() | Modified():
            return 0
        case InHeader():
            return 2
        case InContent():
            return 3
    return 1


def _passes(key: Key) -> int:
    """How many keys look into messages."""
    match key:
        case All(keys=keys) | Any(keys=keys):
            return sum(map(_passes, keys))
    return 1 if _cost(key) else 0


class _Slices:
    """A large message: what is looked at is read when it is looked at."""

    def __init__(self, content: Content) -> None:
        self._content = content

    def __getitem__(self, where: slice, /) -> bytes:
        return self._content.read(where.start, where.stop - where.start)
