"""A selected mailbox in memory: arrays of uids, flags and modseqs that all its sessions share.

Arrivals are appended in place, an expunge replaces the arrays: a session that keeps a reference and a length sees
the mailbox as it was when it last looked, and shares the memory while it is in step.
"""

import itertools
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gk.store.values import (
    ANSWERED,
    DELETED,
    DRAFT,
    FLAGGED,
    KEYWORDS,
    SEEN,
    SYSTEM,
    Mailbox,
)
from gk.store.values import (
    Added as AddedFact,
)
from gk.store.values import (
    Expunged as ExpungedFact,
)
from gk.store.values import (
    Flagged as FlaggedFact,
)

REMEMBERED = 20_000  # uids in the log of changes; a session further behind compares the arrays

_NAMES = (
    (SEEN, b"\\Seen"),
    (ANSWERED, b"\\Answered"),
    (FLAGGED, b"\\Flagged"),
    (DELETED, b"\\Deleted"),
    (DRAFT, b"\\Draft"),
)


@dataclass(frozen=True, slots=True)
class Added:
    """So many messages were appended."""

    count: int


@dataclass(frozen=True, slots=True)
class Flagged:
    """Flags of these messages changed; ascending."""

    uids: "array[int]"


@dataclass(frozen=True, slots=True)
class Expunged:
    """These messages are gone; ascending."""

    uids: "array[int]"


Change = Added | Flagged | Expunged


class Snapshot:
    """The committed state of one mailbox; `uids`, `flags` and `modseqs` are parallel and sorted by uid."""

    def __init__(
        self,
        mailbox: Mailbox,
        uids: "array[int]",
        flags: "array[int]",
        modseqs: "array[int]",
        *,
        uidnext: int,
        modseq: int,
        recent_from: int,
        words_of: Callable[[int], frozenset[str]],
    ) -> None:
        self.mailbox = mailbox
        self.uids, self.flags, self.modseqs = uids, flags, modseqs
        self.uidnext, self.modseq, self.recent_from = uidnext, modseq, recent_from
        self.version = 0
        self.deleted = False
        self.users = 0
        self.listeners: set[Callable[[], None]] = set()
        self._words_of = words_of
        self._words: dict[int, frozenset[str]] = {0: frozenset()}
        self._rendered: dict[int, bytes] = {}
        self._log: deque[tuple[int, Change]] = deque()
        self._logged = 0
        self._all_seen_below = 0  # an index, so that each SELECT need not look from the start
        self._forgotten = 0  # the version up to which changes are no longer in the log

    def __len__(self) -> int:
        return len(self.uids)

    def index(self, uid: int) -> int | None:
        """Where the uid stands, counted from 0."""
        i = bisect_left(self.uids, uid)
        return i if i < len(self.uids) and self.uids[i] == uid else None

    def run(self, uids: Sequence[int]) -> slice | None:
        """Where these ascending uids stand, when they stand side by side; what is done to many is done so at once."""
        if not len(uids) or (first := self.index(uids[0])) is None:
            return None
        places = slice(first, first + len(uids))
        found = self.uids[places]
        return places if found == (uids if isinstance(uids, array) else array("I", uids)) else None

    def changes(self, version: int) -> list[Change] | None:
        """What happened since `version`, oldest first; None when that is too long ago."""
        if version < self._forgotten:
            return None
        recent = itertools.takewhile(lambda entry: entry[0] > version, reversed(self._log))
        return [change for _, change in recent][::-1]

    def words(self, value: int) -> frozenset[str]:
        """The keywords in a flags value."""
        keyword_set = value >> KEYWORDS
        if keyword_set not in self._words:
            self._words[keyword_set] = self._words_of(value)
        return self._words[keyword_set]

    def render(self, value: int) -> bytes:
        """A flags value as IMAP writes it, without the parentheses."""
        text = self._rendered.get(value)
        if text is None:
            names = [name for bit, name in _NAMES if value & bit]
            names += [w.encode() for w in sorted(self.words(value))]
            text = self._rendered[value] = b" ".join(names)
        return text

    def unseen_first(self) -> int | None:
        """Where the first message without \\Seen stands."""
        flags = self.flags
        for i in range(self._all_seen_below, len(flags)):
            if not flags[i] & SEEN:
                self._all_seen_below = i
                return i
        self._all_seen_below = len(flags)
        return None

    # --- committed changes, in commit order, applied by the store only

    def apply(self, fact: AddedFact | FlaggedFact | ExpungedFact) -> None:
        """Take over a committed change, unless it was read with the snapshot already."""
        if fact.modseq <= self.modseq:
            return
        self.modseq = fact.modseq
        change: Change
        match fact:
            case AddedFact(uids=uids, flags=flags):
                self.uids.extend(uids)
                self.flags.extend(flags)
                self.modseqs.extend(array("Q", [fact.modseq]) * len(uids))
                self.uidnext = uids[-1] + 1
                change = Added(len(uids))
            case FlaggedFact(uids=uids, flags=flags) if (run := self.run(uids)) is not None:
                self.flags[run] = flags
                self.modseqs[run] = array("Q", [fact.modseq]) * len(uids)
                if run.start < self._all_seen_below:
                    self._all_seen_below = run.start
                change = Flagged(uids)
            case FlaggedFact(uids=uids, flags=flags):
                for uid, value in zip(uids, flags, strict=True):
                    i = self.index(uid)
                    if i is not None:
                        self.flags[i], self.modseqs[i] = value, fact.modseq
                        if not value & SEEN:
                            self._all_seen_below = min(self._all_seen_below, i)
                change = Flagged(uids)
            case ExpungedFact(uids=uids):
                self._cut(uids)
                change = Expunged(uids)
        self._note(change)

    def _cut(self, gone: "array[int]") -> None:
        places = [i for uid in gone if (i := self.index(uid)) is not None]
        uids, flags, modseqs = array("I"), array("I"), array("Q")
        start = 0
        for place in [*places, len(self.uids)]:
            uids += self.uids[start:place]
            flags += self.flags[start:place]
            modseqs += self.modseqs[start:place]
            start = place + 1
        self.uids, self.flags, self.modseqs = uids, flags, modseqs
        if places:
            self._all_seen_below = min(self._all_seen_below, places[0])

    def _note(self, change: Change) -> None:
        self.version += 1
        self._log.append((self.version, change))
        self._logged += _weight(change)
        while self._logged > REMEMBERED and self._log:
            self._forgotten, old = self._log.popleft()
            self._logged -= _weight(old)

    def mark_deleted(self) -> None:
        self.deleted = True
        self.version += 1

    def announce(self) -> None:
        """Tell the sessions that something changed."""
        for listener in list(self.listeners):
            listener()

    def close(self) -> None:
        """A session no longer has the mailbox selected."""
        self.users -= 1


def _weight(change: Change) -> int:
    return 1 if isinstance(change, Added) else len(change.uids)


__all__ = ["SYSTEM", "Added", "Change", "Expunged", "Flagged", "Snapshot"]
