"""Commands become values, and anything else BadSyntax."""

import itertools
import os
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.imap import fetch_items, search_keys, search_parsing
from gk.imap.fetch_items import Fetch, Section
from gk.imap.grammar import BadMailboxName, BadSyntax, Cursor, SequenceSet
from gk.imap.patterns import Pattern
from gk.imap.search_keys import All, Any, Dated, Everything, HasFlag, InContent, InHeader, Not, Numbers, Sized
from gk.store.values import ANSWERED, DELETED, FLAGGED, SEEN, Flags, When

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 300


def fetch(text: bytes) -> Fetch:
    return fetch_items.parse(Cursor(text))


def search(text: bytes) -> search_keys.Key:
    return search_parsing.parse(Cursor(text), 200)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"atom", b"atom"),
        (b"with]bracket", b"with]bracket"),
        (b'"quoted \\" and \\\\"', b'quoted " and \\'),
        (b"{3}\r\na\nb", b"a\nb"),
        (b"{3+}\r\n\x00\r\n", b"\x00\r\n"),
        (b'""', b""),
    ],
)
def test_strings_come_in_three_forms(text: bytes, value: bytes) -> None:
    cursor = Cursor(text)
    assert cursor.astring() == value
    cursor.end()


@pytest.mark.parametrize("text", [b"", b'"open', b'"a\rb"', b'"\\n"', b"(", b"{5}\r\nabc", b"{5}", b"\xc3\xa9"])
def test_other_bytes_are_no_string(text: bytes) -> None:
    with pytest.raises(BadSyntax):
        Cursor(text).astring()


def test_sequence_sets_resolve_to_ordered_ranges() -> None:
    assert Cursor(b"5,1:3,2:4,*").sequence_set().resolve(9) == [(1, 5), (9, 9)]
    assert Cursor(b"7:*").sequence_set().resolve(3) == [(3, 7)]
    assert Cursor(b"*:2").sequence_set().resolve(9) == [(2, 9)]
    assert Cursor(b"1:*").sequence_set().resolve(0) == []


@pytest.mark.parametrize("text", [b"", b"0", b"1:0", b"1,,2", b"1:", b",1", b"a", b"4294967296", b"1:2:3", b"1*"])
def test_other_texts_are_no_sequence_set(text: bytes) -> None:
    with pytest.raises(BadSyntax):
        Cursor(text).sequence_set()


@settings(max_examples=EXAMPLES)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=8), st.integers(1, 20))
def test_a_resolved_set_holds_what_was_written(ranges: list[tuple[int, int]], largest: int) -> None:
    resolved = SequenceSet(tuple(ranges)).resolve(largest)
    named = set()
    for a, b in ranges:
        first, last = sorted((a or largest, b or largest))
        named.update(range(first, last + 1))
    assert {n for a, b in resolved for n in range(a, b + 1)} == named
    assert all(x[1] + 1 < y[0] for x, y in itertools.pairwise(resolved))


def test_flags_are_bits_and_keywords() -> None:
    assert Cursor(rb"(\Seen \DELETED $Work work)").flags() == Flags(SEEN | DELETED, frozenset({"$Work", "work"}))
    assert Cursor(rb"\Answered").bare_flags() == Flags(ANSWERED)
    assert Cursor(rb"()").flags() == Flags()
    for text in (rb"(\Recent)", rb"(\Other)", rb"(\)", b"(a b", b"a)", b"(" + b"k" * 65 + b")"):
        with pytest.raises(BadSyntax):
            cursor = Cursor(text)
            cursor.flags()


def test_dates_are_checked() -> None:
    assert Cursor(b'"17-Jul-2026"').date() == date(2026, 7, 17)
    assert Cursor(b"1-feb-2026").date() == date(2026, 2, 1)
    assert Cursor(b'" 1-Feb-2026 01:00:00 +0100"').date_time() == When(1769904000, 60)
    for text in (b"31-Feb-2026", b"1-Foo-2026", b"1-Feb-0000", b'"1-Feb-2026', b"1 Feb 2026"):
        with pytest.raises(BadSyntax):
            Cursor(text).date()
    for text in (b'"31-Feb-2026 01:00:00 +0000"', b'" 1-Feb-2026 25:00:00 +0000"', b'" 1-Feb-2026 01:00:00 +9900"'):
        with pytest.raises(BadSyntax):
            Cursor(text).date_time()


def test_mailbox_names_are_decoded() -> None:
    assert Cursor(b"inBox").mailbox() == "INBOX"
    assert Cursor(b"inbox/a").mailbox() == "INBOX/a"
    assert Cursor(b'"&AOk-t&AOk-"').mailbox() == "été"
    assert Cursor('"été"'.encode()).mailbox() == "été"
    for text in (b"a&b", b"&AGE-", b'"\xff"'):
        with pytest.raises(BadMailboxName):
            Cursor(text).mailbox()


def test_fetch_items_are_values() -> None:
    assert fetch(b"FLAGS").items == (b"FLAGS",)
    assert fetch(b"(FLAGS FLAGS uid)").items == (b"FLAGS", b"UID")
    assert fetch(b"fast").items == (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE")
    assert fetch(b"BODY[]").items == (Section(b"BODY[]"),)
    assert fetch(b"BODY.PEEK[1.2.HEADER]").items == (Section(b"BODY[1.2.HEADER]", (1, 2), "HEADER", peek=True),)
    assert fetch(b"BODY[TEXT]<5.10>").items == (Section(b"BODY[TEXT]<5>", text="TEXT", partial=(5, 10)),)
    assert fetch(b'BODY.PEEK[HEADER.FIELDS.NOT (to "x y")]').items == (
        Section(
            b'BODY[HEADER.FIELDS.NOT (TO "X Y")]',
            text="HEADER",
            fields=frozenset({b"to", b"x y"}),
            negate=True,
            peek=True,
        ),
    )
    assert fetch(b"(UID) (CHANGEDSINCE 12)") == Fetch((b"UID", b"MODSEQ"), 12)
    assert fetch(b"BODY").sees is False
    assert fetch(b"BODY[1]").sees is True


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"()",
        b"(FLAGS",
        b"FLAGS UID",
        b"BODY[",
        b"BODY[0]",
        b"BODY[MIME]",
        b"BODY[1.]",
        b"BODY[]<1.0>",
        b"RFC822[]",
        b"BODY[HEADER.FIELDS]",
        b"BODY[HEADER.FIELDS ()]",
        b"BODY[1]<0.0>",
        b"FLAGS (VANISHED)",
        b"BODY[4294967296]",
        b"BODY[" + b"1." * 200 + b"1]",
        b"(" + b"UID " * 201 + b")",
    ],
)
def test_other_texts_are_no_fetch_items(text: bytes) -> None:
    with pytest.raises(BadSyntax):
        fetch(text)


def test_search_keys_are_a_tree() -> None:
    assert search(b"ALL") == Everything()
    assert search(b"UNSEEN FLAGGED") == All((Not(HasFlag(SEEN)), HasFlag(FLAGGED)))
    assert search(b"OR SEEN OR FLAGGED ANSWERED") == Any((HasFlag(SEEN), HasFlag(FLAGGED), HasFlag(ANSWERED)))
    assert search(b"NOT (SEEN OR FLAGGED ANSWERED)") == Any(
        (Not(HasFlag(SEEN)), All((Not(HasFlag(FLAGGED)), Not(HasFlag(ANSWERED)))))
    )
    assert search(b"NOT NOT SEEN") == HasFlag(SEEN)
    assert search(b"(((SEEN)))") == HasFlag(SEEN)
    assert search(b"1:3,5 UID 7") == All(
        (Numbers(SequenceSet(((1, 3), (5, 5))), False), Numbers(SequenceSet(((7, 7),)), True))
    )
    assert search(b'CHARSET UTF-8 SUBJECT "\xc3\xa9"') == InHeader(b"subject", "é")
    assert search(b"HEADER X-Spam yes TEXT foo") == All((InHeader(b"x-spam", "yes"), InContent(True, "foo")))
    assert search(b"SENTBEFORE 1-Feb-2026 LARGER 9") == All((Dated(True, "before", date(2026, 2, 1)), Sized(True, 9)))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"(",
        b"()",
        b"OR SEEN",
        b"NOT",
        b"(SEEN",
        b"SEEN)",
        b"SUBJECT",
        b"SINCE tomorrow",
        b"ALL ALL" * 60,
        b"OR",
        b"CHARSET UTF-8",
        b"LARGER x",
        b"UID",
        b'SUBJECT "\xff"',
        b"SEENFLAGGED",
        b"MODSEQ",
        b"KEYWORD",
        b" ".join([b"ALL"] * 201),
    ],
)
def test_other_texts_are_no_search_keys(text: bytes) -> None:
    with pytest.raises(BadSyntax):
        search(text)


def test_keys_that_really_alternate_are_bounded() -> None:
    nested = b"NOT OR SEEN " * 60 + b"FLAGGED"
    with pytest.raises(BadSyntax, match="too deeply"):
        search(nested)
    assert isinstance(search(b"OR SEEN " * 80 + b"FLAGGED"), Any)


def test_a_pattern_matches_levels_and_everything() -> None:
    def matches(pattern: str, name: str, reference: str = "") -> bool:
        return Pattern(reference.encode(), pattern.encode()).matches(name)

    assert matches("*", "a/b/c") and matches("%", "a") and not matches("%", "a/b")
    assert matches("a/%", "a/b") and not matches("a/%", "a/b/c") and matches("a/*", "a/b/c")
    assert matches("%/%", "a/b") and matches("*b", "a/b") and matches("a%c", "abc") and not matches("a%c", "a/c")
    assert matches("inbox", "INBOX") and matches("iNbOx/x", "INBOX/x") and not matches("inboxes", "INBOXes")
    assert matches("%", "b", "") and matches("%", "a/b", "a/")
    assert matches("&AOk-*", "été") and matches("é*", "été") and not matches("e*", "été")
    assert matches("", "") and not matches("", "a")


@settings(max_examples=EXAMPLES)
@given(st.text("ab/*%", max_size=8), st.text("ab/", max_size=8))
def test_a_pattern_matches_as_the_simplest_matcher_does(pattern: str, name: str) -> None:
    def simple(p: str, n: str) -> bool:
        if not p:
            return not n
        if p[0] == "*":
            return any(simple(p[1:], n[i:]) for i in range(len(n) + 1))
        if p[0] == "%":
            return any(simple(p[1:], n[i:]) for i in range(len(n) + 1) if "/" not in n[:i])
        return bool(n) and p[0] == n[0] and simple(p[1:], n[1:])

    assert Pattern(b"", pattern.encode()).matches(name) == simple(pattern, name)


WORDS = [
    b"(", b")", b" ", b'"', b"\\", b"*", b"%", b"{3}\r\nabc", b"{9}\r\n", b"NIL", b"ALL", b"OR ", b"NOT ", b"SEEN",
    b"1:*", b"BODY[", b"]", b"<1.2>", b"HEADER.FIELDS (A)", b"FLAGS", b"\\Seen", b"SUBJECT ", b"1-Feb-2026", b"UID ",
    b"CHARSET ", b"\xff", b"\x00", b"&-", b"99999999999", b"MODSEQ ", b" (CHANGEDSINCE 1)", b"INBOX",
    b"~", b"+", b"=", b",", b"-",
]  # fmt: skip
inputs = st.lists(st.sampled_from(WORDS), max_size=20).map(b"".join) | st.binary(max_size=60)
READERS = [
    Cursor.tag, Cursor.atom, Cursor.word, Cursor.astring, Cursor.string, Cursor.nstring, Cursor.number,
    Cursor.nz_number, Cursor.date, Cursor.date_time, Cursor.sequence_set, Cursor.mailbox, Cursor.pattern, Cursor.flags,
    Cursor.bare_flags, Cursor.keyword, Cursor.base64, Cursor.fetch_name, Cursor.store_word, Cursor.use,
    Cursor.section_words, Cursor.space, Cursor.end, fetch_items.parse, lambda c: search_parsing.parse(c, 100),
    lambda c: c.listed(c.astring, 5), lambda c: Pattern(c.astring(), c.pattern()),
]  # fmt: skip


@settings(max_examples=EXAMPLES)
@given(inputs)
def test_any_input_gives_a_value_or_bad_syntax(data: bytes) -> None:
    for read in READERS:
        try:
            read(Cursor(data))
        except BadSyntax as error:
            assert str(error).isprintable()
