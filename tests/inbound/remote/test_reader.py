"""What a server sends becomes answers, in whatever pieces it comes; everything else is refused in time."""

import itertools
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.inbound.remote import parsing
from gk.inbound.remote.reader import Answer, Reader
from gk.store.remote_marks import marked
from gk.transfer.answers import BadAnswer

examples = settings(max_examples=10_000 if os.environ.get("GK_FUZZ") else 300, deadline=None)
ALL = 1 << 20
_WORDS = [
    b"* ", b"1 FETCH (", b"UID 3 ", b"FLAGS (\\Seen $x)", b"BODY[] ", b"BODY[HEADER.FIELDS (X)] ", b"{3}\r\n",
    b"{0}\r\n", b"abc", b")", b"(", b"\r\n", b"\n", b'"', b'"a\\"b"', b"\\", b"SEARCH 1 2 3",
    b"ESEARCH (TAG \"a\") UID ALL 1:5,9",
    b"OK [UIDVALIDITY 7] x", b"OK [COPYUID 1 2:3 4:5]", b"5 EXISTS", b"LIST (\\Trash) \"/\" INBOX", b"NIL", b" ", b"\0",
    b"\xff", b"INTERNALDATE \"01-Feb-2026 12:00:00 +0000\" ", b"RFC822.SIZE 99999999999 ", b"MODSEQ (5) ",
    b"CAPABILITY X", b"ALL ", b"4294967295:1", b"a1 OK done",
]  # fmt: skip
octets = st.lists(st.one_of(st.sampled_from(_WORDS), st.binary(max_size=6)), max_size=30).map(b"".join)


def read(data: bytes, *cuts: int) -> list[Answer]:
    """The answers in the data, fed in pieces."""
    reader = Reader()
    reader.grant(ALL)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [one for a, b in itertools.pairwise(edges) for one in reader.feed(data[a:b])]


def test_an_answer_is_its_text_and_its_literals() -> None:
    data = b"* 1 FETCH (BODY[] {5}\r\na\r\n)( UID 3)\r\n* OK\n\r\na1 OK done\r\n"
    expected = [((b"* 1 FETCH (BODY[] {5}", b"a\r\n)("), b" UID 3)"), (b"* OK",), (b"a1 OK done",)]
    assert read(data) == expected
    assert read(data, *range(len(data))) == expected


@examples
@given(octets, st.lists(st.integers(0, 500), max_size=8))
def test_any_pieces_give_the_same_answers_or_the_same_refusal(data: bytes, cuts: list[int]) -> None:
    outcomes: list[object] = []
    for pieces in ((), tuple(cuts), tuple(range(len(data)))):
        try:
            outcomes.append(read(data, *pieces))
        except BadAnswer:
            outcomes.append("refused")
    assert outcomes[0] == outcomes[1] == outcomes[2]


@examples
@given(octets)
def test_any_answers_are_read_or_refused(data: bytes) -> None:
    try:
        answers = read(data)
    except BadAnswer:
        return
    for look in (
        parsing.capabilities, parsing.selected, parsing.searched, parsing.listed, lambda a: parsing.messages(a, {3}),
        lambda a: parsing.copied(map(parsing.text, a)),
    ):  # fmt: skip
        try:
            look(answers)
        except BadAnswer:
            pass


@examples
@given(st.binary(max_size=300))
def test_any_header_gives_a_mark(header: bytes) -> None:
    told = marked(header)
    assert -(1 << 63) <= told.mark < 1 << 63 and len(told.sender) <= 320


def test_ten_thousand_lines_in_one_piece_are_read() -> None:
    data = b"".join(b"* %d FETCH (UID %d FLAGS (\\Seen))\r\n" % (n, n) for n in range(1, 10_001))
    assert len(parsing.messages(read(data), set(range(1, 10_001)))) == 10_000


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"* " + b"x" * 70_000, "too long"),
        (b"x" * (ALL + 1), "more than was asked"),
        (b"* 1 FETCH (BODY[] {99999999}\r\n", "announces more"),
        (b"* \0\r\n", "NUL"),
        (b"*\r\n" * 20_001, "more answers"),
    ],
)
def test_what_nobody_asked_for_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(BadAnswer, match=why):
        read(data)


def test_what_fetch_tells_in_several_answers_is_put_together() -> None:
    data = (
        b"* 1 FETCH (UID 3 FLAGS (\\Seen \\Recent $x) RFC822.SIZE 10 INTERNALDATE \" 1-Feb-2026 12:00:00 +0100\")\r\n"
        b"* 1 FETCH (UID 3 MODSEQ (12) BODY[HEADER.FIELDS (\"SUBJECT\")] {2}\r\nab)\r\n* 2 FETCH (UID 4 FLAGS ())\r\n"
    )  # fmt: skip
    found = parsing.messages(read(data), {3})
    assert found == {3: parsing.Fetched(3, 1, 10, 1769943600, 12, b"ab")}


@pytest.mark.parametrize(
    ("line", "uids"),
    [
        (b"* SEARCH 3 1 2 2", [1, 2, 3]), (b"* SEARCH", []), (b"* SEARCH 2 5 (MODSEQ 917162500)", [2, 5]),
        (b'* ESEARCH (TAG "A285") UID ALL 4:6,9 MODSEQ 7', [4, 5, 6, 9]), (b'* ESEARCH (TAG "a") UID', []),
    ],
)  # fmt: skip
def test_search_and_esearch_tell_uids(line: bytes, uids: list[int]) -> None:
    assert parsing.searched([(line,)]) == uids


@pytest.mark.parametrize(
    "line",
    [b"* SEARCH 0", b"* SEARCH -1", b"* SEARCH 99999999999", b"* ESEARCH UID ALL 1:4294967295", b"* ESEARCH UID ALL x"],
)
def test_sets_that_cannot_be_are_refused(line: bytes) -> None:
    with pytest.raises(BadAnswer):
        parsing.searched([(line,)])


def test_the_same_mail_has_the_same_mark_however_it_is_folded() -> None:
    whole = b"Received: x\r\nSubject: Re:  a\r\n b\r\nFrom: A <Ann@Far.test>\r\nMessage-ID:\r\n <1@x>\r\n\r\nbody"
    part = b"message-id: <1@x>\r\nFrom: A <Ann@Far.test>\r\nSubject: Re: a b\r\n\r\n"
    assert marked(whole) == marked(part)
    assert marked(whole).sender == "ann@far.test" and marked(whole).answers and marked(whole).named
    assert marked(part.replace(b"<1@x>", b"<2@x>")).mark != marked(part).mark
