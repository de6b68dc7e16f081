"""What one session was told of its mailbox: the sequence numbers it uses, and the news it has not heard.

The mailbox itself is one snapshot for all sessions. A view is a reference to the snapshot's array of uids and
how many of them were told; it costs nothing while the session is in step (RFC 3501 §2.3.1.2, §7.4.1).
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from gk.imap.grammar import SequenceSet
from gk.imap.reply import expunged, flags_of, vanished
from gk.store.snapshot import Expunged, Flagged, Snapshot
from gk.store.values import KEYWORDS

PIECE = 2000  # FETCH responses made at once


class Slice:
    """Some messages of a view as they are now: numbers, uids, flags and modseqs side by side."""

    __slots__ = ("complete", "flags", "modseqs", "numbers", "uids")

    def __init__(
        self,
        numbers: Sequence[int],
        uids: Sequence[int],
        flags: Sequence[int],
        modseqs: Sequence[int],
        complete: bool = True,
    ) -> None:
        self.numbers, self.uids, self.flags, self.modseqs = numbers, uids, flags, modseqs
        self.complete = complete  # no message asked for is gone

    def up_to(self, uid: int) -> "Slice":
        """Its beginning, to this uid."""
        end = bisect_right(self.uids, uid)
        return Slice(self.numbers[:end], self.uids[:end], self.flags[:end], self.modseqs[:end], self.complete)

    def only(self, uids: "set[int]") -> "Slice":
        """What of it is among `uids`."""
        rows = [r for r in zip(self.numbers, self.uids, self.flags, self.modseqs, strict=True) if r[1] in uids]
        numbers, kept, flags, modseqs = zip(*rows, strict=True) if rows else ((), (), (), ())
        return Slice(numbers, kept, flags, modseqs, complete=False)


class View:
    """One session's view. Sequence numbers count from 1."""

    __slots__ = (
        "_keyword_sets", "_recent", "_told", "_uids", "_version", "count", "keywords", "modseq", "read_only",
        "saved", "snapshot", "took_recent", "vanishing", "with_modseq",
    )  # fmt: skip

    def __init__(
        self, snapshot: Snapshot, *, read_only: bool, keywords: Iterable[str] = (), recent: bool = True
    ) -> None:
        self.snapshot = snapshot
        self.read_only = read_only
        self.keywords = tuple(keywords)  # told in FLAGS
        self._keyword_sets = frozenset({0})  # all their keywords were told
        self.with_modseq = False  # CONDSTORE is on: every FETCH of flags carries MODSEQ (RFC 7162 §3.2)
        self.vanishing = False  # QRESYNC is on: VANISHED in place of EXPUNGE (RFC 7162 §3.2.10)
        self.saved: array[int] = array("I")  # uids, ascending: the search result variable (RFC 5182 §2.1)
        self._uids = snapshot.uids
        self.count = len(snapshot.uids)
        self.modseq = snapshot.modseq
        self._version = snapshot.version
        self._told: dict[int, int] = {}  # uid → modseq: flags this session's own command has told already
        self.took_recent = False  # messages became \Recent here and are so nowhere else
        self._recent: list[tuple[int, int]] | None = [] if recent else None  # uids that are \Recent here, as ranges
        self._claim_recent()

    # -- numbers

    @property
    def in_step(self) -> bool:
        """Message number n is at place n - 1 of the snapshot's arrays."""
        return self._uids is self.snapshot.uids

    @property
    def last_uid(self) -> int:
        """The largest uid told; 0 in an empty mailbox."""
        return self._uids[self.count - 1] if self.count else 0

    def uid(self, number: int) -> int:
        return self._uids[number - 1]

    def number(self, uid: int) -> int | None:
        """The message number of a uid, None when the session was not told of such a message."""
        place = bisect_left(self._uids, uid, 0, self.count)
        return place + 1 if place < self.count and self._uids[place] == uid else None

    def above(self, uid: int) -> range:
        """The message numbers of the uids above this one."""
        return range(bisect_right(self._uids, uid, 0, self.count) + 1, self.count + 1)

    def uids(self, numbers: Sequence[int]) -> "Sequence[int]":
        """The uids of ascending message numbers."""
        if isinstance(numbers, range) and numbers.step == 1:
            return self._uids[numbers.start - 1 : numbers.stop - 1]
        uids = self._uids
        return [uids[n - 1] for n in numbers]

    def select(self, chosen: SequenceSet, *, by_uid: bool) -> Sequence[int] | None:
        """The message numbers a sequence set names, ascending; None when it names one that is not there.

        Unknown uids are no error; unknown message numbers are, `*` in an empty mailbox included (RFC 3501 §9).
        """
        if chosen.saved:  # what is gone is no longer in it, and an empty one is no error (RFC 5182 §2.1)
            return self._numbers_of(self.saved)
        if not by_uid:
            ranges = chosen.resolve(self.count)
            if not ranges or ranges[-1][1] > self.count:
                return None
            return _numbers([(a, b + 1) for a, b in ranges])
        places = []
        for a, b in chosen.resolve(self.last_uid):
            start = bisect_left(self._uids, a, 0, self.count)
            stop = bisect_right(self._uids, b, start, self.count)
            if start < stop:
                places.append((start + 1, stop + 1))
        return _numbers(places)

    def _numbers_of(self, uids: "array[int]") -> Sequence[int]:
        """The message numbers of ascending uids."""
        if not uids:
            return range(1, 1)
        first, last = bisect_left(self._uids, uids[0], 0, self.count), bisect_right(self._uids, uids[-1], 0, self.count)
        if last - first == len(uids) and self._uids[first:last] == uids:
            return range(first + 1, last + 1)
        if len(uids) * 16 < last - first:
            return array("I", [n for uid in uids if (n := self.number(uid)) is not None])
        wanted = set(uids)
        return array("I", [n for n, uid in enumerate(self._uids[first:last], first + 1) if uid in wanted])

    def look(self, numbers: Sequence[int]) -> Slice:
        """These messages as they are now, without those that are gone."""
        snapshot, uids = self.snapshot, self.uids(numbers)
        if not self.in_step:
            places = [snapshot.index(uid) for uid in uids]
            rows = [
                (number, uid, snapshot.flags[place], snapshot.modseqs[place])
                for number, uid, place in zip(numbers, uids, places, strict=True)
                if place is not None
            ]
            told, kept, flags, modseqs = zip(*rows, strict=True) if rows else ((), (), (), ())
            return Slice(told, kept, flags, modseqs, complete=len(rows) == len(uids))
        if isinstance(numbers, range) and numbers.step == 1:
            start, stop = numbers.start - 1, numbers.stop - 1
            return Slice(numbers, uids, snapshot.flags[start:stop], snapshot.modseqs[start:stop])
        values, changes = snapshot.flags, snapshot.modseqs
        return Slice(numbers, uids, [values[n - 1] for n in numbers], [changes[n - 1] for n in numbers])

    def changed_since(self, numbers: Sequence[int], modseq: int) -> Sequence[int]:
        """Those of the messages that changed after `modseq` (RFC 7162 §3.1.4.1)."""
        part = self.look(numbers)
        return [n for n, m in zip(part.numbers, part.modseqs, strict=True) if m > modseq]

    # -- flags

    def introduce(self, values: Iterable[int]) -> bytes:
        """FLAGS, when these flags hold keywords the client was never told of (RFC 3501 §7.2.6)."""
        fresh = {value >> KEYWORDS for value in set(values)} - self._keyword_sets
        if not fresh:
            return b""
        self._keyword_sets |= fresh
        words = {word for number in fresh for word in self.snapshot.words(number << KEYWORDS)} - set(self.keywords)
        if not words:
            return b""
        self.keywords = (*self.keywords, *sorted(words))
        return flags_of(self.keywords, read_only=self.read_only, more=True)

    def rendered(self, part: Slice) -> Sequence[bytes]:
        """The flags of a slice, without the parentheses."""
        values = part.flags
        if self._recent and len(part.uids) and self._has_recent(part.uids[0], part.uids[-1]):
            return [self.render(uid, value) for uid, value in zip(part.uids, values, strict=True)]
        text = {value: self.snapshot.render(value) for value in set(values)}
        return [text[value] for value in values]

    def is_recent(self, uid: int) -> bool:
        return any(first <= uid <= last for first, last in self._recent or ())

    def recent(self) -> int:
        """How many messages are \\Recent in this session."""
        return sum(
            bisect_right(self._uids, last, 0, self.count) - bisect_left(self._uids, first, 0, self.count)
            for first, last in self._recent or ()
        )

    def _has_recent(self, first: int, last: int) -> bool:
        """Whether a uid between these can be \\Recent."""
        return any(a <= last and first <= b for a, b in self._recent or ())

    def render(self, uid: int, value: int) -> bytes:
        """A message's flags as this session sees them, without the parentheses."""
        text = self.snapshot.render(value)
        if self._recent and self.is_recent(uid):
            return text + b" \\Recent" if text else b"\\Recent"
        return text

    def fetched(self, uids: Sequence[int]) -> bytes:
        """FETCH responses with the flags as they are now; what is gone or was never told is left out."""
        part = self.look([number for uid in uids if (number := self.number(uid)) is not None])
        columns: list[Sequence[object]] = [part.numbers, part.uids, self.rendered(part)]
        template = b"* %d FETCH (UID %d FLAGS (%b)"
        if self.with_modseq:
            columns.append(part.modseqs)
            template += b" MODSEQ (%d)"
        template += b")\r\n"
        return self.introduce(part.flags) + b"".join([template % values for values in zip(*columns, strict=True)])

    def told(self, uids: Sequence[int]) -> None:
        """The session knows the flags these messages have now: `news` does not repeat them."""
        snapshot = self.snapshot
        if (run := snapshot.run(uids)) is not None:
            self._told.update(zip(uids, snapshot.modseqs[run], strict=True))
            return
        for uid in uids:
            if (place := snapshot.index(uid)) is not None:
                self._told[uid] = snapshot.modseqs[place]

    def unheard(self) -> "frozenset[int]":
        """The uids whose flags somebody else changed since the last news."""
        if not self.behind:
            return frozenset()
        changes = self.snapshot.changes(self._version)
        if changes is None:
            return frozenset(
                u for u, m in zip(self.snapshot.uids, self.snapshot.modseqs, strict=True) if m > self.modseq
            )
        return frozenset(uid for change in changes if isinstance(change, Flagged) for uid in change.uids)

    # -- news

    @property
    def behind(self) -> bool:
        """Something happened that the session was not told."""
        return self._version != self.snapshot.version

    def news(self, *, expunges: bool = True, flags: bool = True) -> Iterator[bytes]:
        """What happened since the last time, as untagged responses in pieces; after the first the session is in step.

        Where EXPUNGE must not be told (`expunges` false: during FETCH, STORE and SEARCH by number) and there is one,
        all news wait. Flags are told as they are when their piece is made, or with `flags` false not at all.
        """
        snapshot = self.snapshot
        if self._version == snapshot.version or (not expunges and not self.in_step):
            return
        changes = snapshot.changes(self._version)
        head = b""
        if not self.in_step:
            head = self._expunge([c for c in changes if isinstance(c, Expunged)] if changes is not None else None)
        known = self.count
        if len(self._uids) > known:
            self.count = len(self._uids)
            self._claim_recent()
            head += b"* %d EXISTS\r\n" % self.count
            if self._recent is not None:
                head += b"* %d RECENT\r\n" % self.recent()
        uids: Sequence[int] = ()
        if flags:
            flagged = [c for c in changes if isinstance(c, Flagged)] if changes is not None else None
            uids = self._flagged(flagged, known)
        self._version, self.modseq = snapshot.version, snapshot.modseq
        self._told.clear()
        if uids:
            head += self.fetched(uids[:PIECE])
        yield head
        for start in range(PIECE, len(uids), PIECE):
            yield self.fetched(uids[start : start + PIECE])

    def removed(self, uids: Iterable[int]) -> list[int]:
        """The message numbers, ascending, of uids about to be told as expunged by the command itself."""
        return sorted(n for uid in uids if (n := self.number(uid)) is not None)

    def _expunge(self, changes: "list[Expunged] | None") -> bytes:
        now = self.snapshot.uids
        if changes is None:
            present = set(now)
            gone = [n for n, uid in enumerate(self._uids[: self.count], 1) if uid not in present]
        else:
            gone = self.removed({uid for change in changes for uid in change.uids})
        told = vanished([self._uids[n - 1] for n in gone]) if self.vanishing else expunged(gone)
        self._uids = now
        self.count -= len(gone)
        return told

    def _flagged(self, changes: "list[Flagged] | None", known: int) -> Sequence[int]:
        """The uids, of the first `known` messages, whose flags the session has not heard of, ascending."""
        snapshot = self.snapshot
        if not known:
            return ()
        uids: Sequence[int]
        if changes is None:
            uids = [u for u, m in zip(self._uids[:known], snapshot.modseqs, strict=False) if m > self.modseq]
        elif len(changes) == 1:
            uids = changes[0].uids
        else:
            uids = sorted({uid for change in changes for uid in change.uids})
        if len(uids) and uids[-1] > (last := self._uids[known - 1]):
            uids = uids[: bisect_right(uids, last)]
        if self._told and (run := snapshot.run(uids)) is not None:
            told = self._told.get
            return [u for u, m in zip(uids, snapshot.modseqs[run], strict=True) if m > told(u, 0)]
        if self._told:
            places = [(uid, snapshot.index(uid)) for uid in uids]
            uids = [u for u, p in places if p is not None and snapshot.modseqs[p] > self._told.get(u, 0)]
        return uids

    def _claim_recent(self) -> None:
        """Messages no session was told of are \\Recent here and, unless read-only, here only (RFC 3501 §2.3.2)."""
        snapshot = self.snapshot
        if self._recent is None:
            return
        first, last = snapshot.recent_from, snapshot.uidnext - 1
        if self._recent:
            first = max(first, self._recent[-1][1] + 1)
        if first > last:
            return
        if not self.read_only:
            snapshot.recent_from = last + 1
            self.took_recent = True
        if self._recent and self._recent[-1][1] + 1 == first:
            first, _ = self._recent.pop()
        self._recent.append((first, last))


def _numbers(ranges: list[tuple[int, int]]) -> Sequence[int]:
    """Ascending message numbers: a range where there is one range, else an array."""
    if not ranges:
        return range(1, 1)
    if len(ranges) == 1:
        return range(*ranges[0])
    out = array("I")
    for start, stop in ranges:
        out.extend(range(start, stop))
    return out


__all__ = ["View"]
