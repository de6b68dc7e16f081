"""What a session is told adds up to what the mailbox holds, whatever other sessions do meanwhile."""

import os
import re
from array import array
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from gk.imap.grammar import SequenceSet
from gk.imap.view import View
from gk.store import snapshot as snapshots
from gk.store.snapshot import Snapshot
from gk.store.values import Added, Expunged, Flagged, Mailbox

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 300
_NEWS = re.compile(rb"\* (\d+) (EXPUNGE|EXISTS|RECENT|FETCH \(UID (\d+) FLAGS \(([^)]*)\)(?: MODSEQ \(\d+\))?\))\r\n")


def opened(count: int = 0) -> Snapshot:
    uids = array("I", range(1, count + 1))
    return Snapshot(
        Mailbox(1, 1, "INBOX", 1),
        uids,
        array("I", [0] * count),
        array("Q", [1] * count),
        uidnext=count + 1,
        modseq=1,
        recent_from=1,
        words_of=lambda value: frozenset(),
    )


@dataclass
class Client:
    """A session and what its client believes: uids it knows or None, and flags."""

    view: View
    uids: list[int | None] = field(default_factory=list)
    flags: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.uids = list(self.view.uids(range(1, self.view.count + 1)))
        self.ask()

    def hear(self, news: bytes) -> None:
        position = 0
        for match in _NEWS.finditer(news):
            assert match.start() == position, news
            position = match.end()
            number = int(match[1])
            if match[2] == b"EXPUNGE":
                self.flags.pop(self.uids.pop(number - 1) or 0, None)
            elif match[2] == b"EXISTS":
                assert number >= len(self.uids)
                self.uids += [None] * (number - len(self.uids))
            elif match[2].startswith(b"FETCH"):
                assert self.uids[number - 1] == int(match[3])
                self.flags[int(match[3])] = match[4].replace(b"\\Recent", b"").strip()
        assert position == len(news), news
        self.ask()

    def ask(self) -> None:
        """The client fetches what is new to it."""
        for place, uid in enumerate(self.uids):
            if uid is None:
                self.uids[place] = self.view.uid(place + 1)
        snapshot = self.view.snapshot
        for uid in self.uids:
            assert uid is not None
            if uid not in self.flags:
                at = snapshot.index(uid)
                self.flags[uid] = b"" if at is None else snapshot.render(snapshot.flags[at])


actions = st.one_of(
    st.tuples(st.just("add"), st.integers(1, 4)),
    st.tuples(st.just("expunge"), st.lists(st.integers(0, 30), min_size=1, max_size=5)),
    st.tuples(st.just("flag"), st.lists(st.integers(0, 30), min_size=1, max_size=5), st.integers(0, 31)),
    st.tuples(st.just("store"), st.integers(0, 2), st.integers(0, 30), st.integers(0, 31)),
    st.tuples(st.just("news"), st.integers(0, 2), st.booleans()),
)


@settings(max_examples=EXAMPLES)
@given(st.integers(0, 5), st.lists(actions, max_size=40), st.integers(1, 40), st.booleans())
def test_clients_end_up_with_what_is_there(
    count: int, history: list[tuple[object, ...]], remembered: int, with_modseq: bool
) -> None:
    before, snapshots.REMEMBERED = snapshots.REMEMBERED, remembered  # a short memory, so that arrays are compared, too
    try:
        _play(count, history, with_modseq)
    finally:
        snapshots.REMEMBERED = before


def _play(count: int, history: list[tuple[object, ...]], with_modseq: bool) -> None:
    snapshot = opened(count)
    clients = [Client(View(snapshot, read_only=False)) for _ in range(3)]
    clients[0].view.with_modseq = with_modseq

    def chosen(places: list[int]) -> "array[int]":
        return array("I", sorted({snapshot.uids[p % len(snapshot.uids)] for p in places} if snapshot.uids else ()))

    for action in history:
        modseq = snapshot.modseq + 1
        match action:
            case ("add", int(number)):
                uids = array("I", range(snapshot.uidnext, snapshot.uidnext + number))
                snapshot.apply(Added(1, 1, uids, array("I", [0] * number), modseq))
            case ("expunge", list(places)):
                if uids := chosen(places):
                    snapshot.apply(Expunged(1, 1, uids, modseq))
            case ("flag", list(places), int(value)):
                if uids := chosen(places):
                    snapshot.apply(Flagged(1, 1, uids, array("I", [value] * len(uids)), modseq))
            case ("store", int(which), int(place), int(value)):  # the session's own STORE, which tells its result
                client = clients[which]
                if client.view.count:
                    number = place % client.view.count + 1
                    uid = client.view.uid(number)
                    if snapshot.index(uid) is not None:
                        snapshot.apply(Flagged(1, 1, array("I", [uid]), array("I", [value]), modseq))
                        client.flags[uid] = snapshot.render(value)
                        client.view.told([uid])
            case ("news", int(which), bool(expunges)):
                news = b"".join(clients[which].view.news(expunges=expunges))
                assert expunges or b"EXPUNGE" not in news
                clients[which].hear(news)
    for client in clients:
        client.hear(b"".join(client.view.news()))
        assert client.uids == list(snapshot.uids)
        assert client.flags == {u: snapshot.render(f) for u, f in zip(snapshot.uids, snapshot.flags, strict=True)}
        assert list(client.view.news()) == []
    assert sum(client.view.recent() for client in clients) <= len(snapshot.uids)


def test_a_message_is_recent_in_one_session_only() -> None:
    snapshot = opened(2)
    looking = View(snapshot, read_only=True)
    first, second = View(snapshot, read_only=False), View(snapshot, read_only=False)
    assert (looking.recent(), first.recent(), second.recent()) == (2, 2, 0)
    snapshot.apply(Added(1, 1, array("I", [3]), array("I", [0]), 2))
    assert b"".join(second.news()) == b"* 3 EXISTS\r\n* 1 RECENT\r\n"
    assert b"".join(first.news()) == b"* 3 EXISTS\r\n* 2 RECENT\r\n"


def test_own_changes_are_not_repeated() -> None:
    snapshot = opened(2)
    view = View(snapshot, read_only=False)
    snapshot.apply(Flagged(1, 1, array("I", [1]), array("I", [1]), 2))
    view.told([1])
    assert b"".join(view.news()) == b""
    snapshot.apply(Flagged(1, 1, array("I", [1]), array("I", [2]), 3))
    view.told([1])
    snapshot.apply(Flagged(1, 1, array("I", [1]), array("I", [3]), 4))
    assert b"".join(view.news()) == b"* 1 FETCH (UID 1 FLAGS (\\Seen \\Answered \\Recent))\r\n"


def test_keywords_are_introduced_before_they_are_used() -> None:
    snapshot = opened(1)
    snapshot._words_of = lambda value: frozenset({"$Work"})
    view = View(snapshot, read_only=False)
    snapshot.apply(Flagged(1, 1, array("I", [1]), array("I", [1 << 8]), 2))
    assert b"".join(view.news()) == (
        b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)\r\n"
        b"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work \\*)] what stays\r\n"
        b"* 1 FETCH (UID 1 FLAGS ($Work \\Recent))\r\n"
    )


@settings(max_examples=EXAMPLES)
@given(st.sets(st.integers(1, 40)), st.lists(st.tuples(st.integers(0, 45), st.integers(0, 45)), min_size=1, max_size=5))
def test_a_uid_set_selects_the_messages_it_names(present: set[int], ranges: list[tuple[int, int]]) -> None:
    snapshot = opened(40)
    gone = array("I", sorted(set(range(1, 41)) - present))
    if gone:
        snapshot.apply(Expunged(1, 1, gone, 2))
    view = View(snapshot, read_only=False)
    largest = max(present, default=0)
    named = set()
    for a, b in ranges:
        low, high = sorted((a or largest, b or largest))
        named |= present & set(range(low, high + 1))
    numbers = view.select(SequenceSet(tuple(ranges)), by_uid=True)
    assert numbers is not None
    assert list(view.uids(numbers)) == sorted(named)
    by_number = view.select(SequenceSet(tuple(ranges)), by_uid=False)
    if not present or max((max(a or len(present), b or len(present)) for a, b in ranges)) > len(present):
        assert by_number is None
    else:
        assert by_number is not None and set(by_number) <= set(range(1, len(present) + 1))
