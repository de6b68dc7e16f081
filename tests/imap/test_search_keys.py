"""Keys of the extensions, charsets, and what a row is tested for."""

import os
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.imap import matching, search_keys, search_parsing
from gk.imap.grammar import BadSyntax, Cursor, SequenceSet
from gk.imap.search_keys import (
    Aged,
    All,
    Any,
    BadCharset,
    Dated,
    Everything,
    Fuzzy,
    HasFlag,
    InContent,
    InHeader,
    Modified,
    Not,
    Numbers,
    Saved,
    Sized,
)
from gk.store.values import ANSWERED, SEEN

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 300
DAY = date(2026, 2, 1)
NOON = 1_769_947_200  # of that day


def search(text: bytes) -> search_keys.Key:
    return search_parsing.parse(Cursor(text), 100)


def test_keys_of_the_extensions_are_values() -> None:
    assert search(b"OLDER 60") == Aged(False, 60)
    assert search(b"YOUNGER 259200") == Aged(True, 259_200)
    assert search(b"SAVEDBEFORE 1-Feb-2026") == Saved("before", DAY)
    assert search(b"SAVEDON 1-Feb-2026 SAVEDSINCE 1-Feb-2026") == All((Saved("on", DAY), Saved("since", DAY)))
    assert search(b"NOT SAVEDATESUPPORTED") == Not(Everything())
    assert search(b"$") == Numbers(SequenceSet((), saved=True), uid=False)
    assert search(b"OR UID $ 7") == Any(
        (Numbers(SequenceSet((), saved=True), uid=True), Numbers(SequenceSet(((7, 7),)), uid=False))
    )


def test_fuzzy_reaches_every_key_of_its_bracket_and_no_other() -> None:
    assert search(b'FUZZY (SUBJECT "x" NOT ANSWERED) FROM y') == All(
        (Fuzzy(InHeader(b"subject", "x")), Not(Fuzzy(HasFlag(ANSWERED))), InHeader(b"from", "y"))
    )
    assert search(b"NOT FUZZY NOT FUZZY TEXT x") == Fuzzy(InContent(True, "x"))
    assert search(b"FUZZY OR BODY x SEEN") == Any((Fuzzy(InContent(False, "x")), Fuzzy(HasFlag(SEEN))))


def test_a_tree_knows_what_kinds_of_keys_are_in_it() -> None:
    deep = search(b"OR SEEN (ANSWERED NOT (OR MODSEQ 7 SEEN))")
    assert search_keys.asks(deep, Modified) and not search_keys.asks(deep, Fuzzy)
    assert search_keys.asks(search(b"SEEN NOT FUZZY MODSEQ 7"), Modified)
    assert search_keys.asks(search(b"SEEN NOT FUZZY ANSWERED"), Fuzzy)


@pytest.mark.parametrize(
    "text",
    [b"OLDER 0", b"YOUNGER", b"OLDER x", b"SAVEDON", b"SAVEDSINCE 31-Feb-2026", b"FUZZY", b"FUZZY ()", b"$x", b"$:4"],
)
def test_other_texts_are_no_keys(text: bytes) -> None:
    with pytest.raises(BadSyntax):
        search(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("UTF-8", "été"),
        ("iso-8859-1", "été"),
        ("ISO-8859-2", "žluť"),
        ("windows-1251", "Привет"),
        ("KOI8-R", "Привет"),
        ("ISO-2022-JP", "日本語"),
        ("Shift_JIS", "日本語"),
        ("EUC-JP", "日本語"),
        ("GB18030", "中文"),
        ("Big5", "中文"),
        ("EUC-KR", "한국어"),
    ],
)
def test_texts_are_read_in_the_charset_named(name: str, text: str) -> None:
    data = text.encode(name)
    assert search(b"CHARSET %b SUBJECT {%d}\r\n%b" % (name.encode(), len(data), data)) == InHeader(b"subject", text)
    said = b'"%b" TEXT {%d+}\r\n%b' % (name.encode(), len(data), data)
    keys = search_parsing.parse(Cursor(said), 100, declared="must")
    assert keys == InContent(True, text)


@pytest.mark.parametrize("name", [b"zlib", b"rot13", b"idna", b"utf-16-be", b"KLINGON", b'""'])
def test_unknown_charsets_and_codecs_that_are_none_are_refused(name: bytes) -> None:
    with pytest.raises(BadCharset):
        search(b"CHARSET " + name + b" ALL")


@pytest.mark.parametrize(
    "text",
    [
        b'CHARSET UTF-8 SUBJECT "\xff"',
        b'CHARSET US-ASCII SUBJECT "\xe9"',
        b"CHARSET EUC-JP TEXT {1}\r\n\xa4",
        b"CHARSET UTF-7 TEXT +2AA-",
        b"CHARSET GB18030 TEXT {1}\r\n\xff",
        b"CHARSET",
        b"CHARSET UTF-8",
    ],
)
def test_a_text_that_is_not_in_its_charset_is_bad(text: bytes) -> None:
    with pytest.raises(BadSyntax) as refused:
        search(text)
    assert not isinstance(refused.value, BadCharset)


def test_a_charset_may_be_out_of_place() -> None:
    with pytest.raises(BadSyntax):
        search_parsing.parse(Cursor(b"CHARSET UTF-8 ALL"), 100, declared="never")
    with pytest.raises(BadSyntax):
        search_parsing.parse(Cursor(b"ALL"), 100, declared="must")
    assert search_parsing.parse(Cursor(b"ALL"), 100, declared="never") == Everything()


def met(key: matching.Row, *values: object) -> bool:
    columns, test = matching.by_row(key, now=NOON)
    assert len(columns) == len(values)
    return test(values if len(values) > 1 else values[0])


def test_dates_are_days_and_ages_are_seconds() -> None:
    midnight = NOON - 43_200
    assert met(Dated(False, "on", DAY), midnight) and met(Dated(False, "on", DAY), midnight + 86_399)
    assert not met(Dated(False, "on", DAY), midnight - 1) and not met(Dated(False, "on", DAY), midnight + 86_400)
    assert met(Dated(False, "before", DAY), midnight - 1) and not met(Dated(False, "before", DAY), midnight)
    assert met(Dated(False, "since", DAY), midnight) and not met(Dated(False, "since", DAY), midnight - 1)
    assert met(Aged(False, 60), NOON - 60) and not met(Aged(False, 60), NOON - 59)
    assert met(Aged(True, 60), NOON - 60) and not met(Aged(True, 60), NOON - 61)
    assert met(Saved("on", DAY), NOON, 0) and not met(Saved("on", DAY), 0, NOON)
    assert met(Saved("on", DAY), None, NOON)  # a message from before save dates were kept
    assert met(Sized(True, 9), 10) and not met(Sized(True, 9), 9) and met(Sized(False, 9), 8)


def test_the_day_of_a_date_field_is_that_of_its_writer() -> None:
    envelope = b'("Sat, 31 Jan 2026 23:30:00 -0500" NIL NIL NIL NIL NIL NIL NIL NIL NIL)'
    assert met(Dated(True, "before", DAY), envelope) and not met(Dated(True, "on", DAY), envelope)
    assert not any(met(Dated(True, order, DAY), b"(NIL NIL)") for order in ("before", "on", "since"))


PIECES = [
    b"FUZZY ", b"NOT ", b"OR ", b"(", b")", b" ", b"$", b"UID ", b"OLDER ", b"YOUNGER ", b"SAVEDON ", b"1-Feb-2026",
    b"SAVEDATESUPPORTED", b"7", b"CHARSET ", b"utf-7 ", b"iso-2022-kr ", b"hz ", b"euc-jp ", b"utf-16 ", b"TEXT ",
    b"{4}\r\n+2AA", b"{3}\r\n\x1b$B", b'"\xc3\xa9"', b"{2}\r\n~{", b"HEADER ", b"x", b"MODSEQ ", b'"/flags/x" all ',
]  # fmt: skip


@settings(max_examples=EXAMPLES)
@given(st.lists(st.sampled_from(PIECES), max_size=16).map(b"".join) | st.binary(max_size=60))
def test_any_input_gives_keys_or_bad_syntax(data: bytes) -> None:
    for declared in ("may", "must", "never"):
        try:
            search_keys.asks(search_parsing.parse(Cursor(data), 50, declared=declared), Fuzzy)
        except BadSyntax as error:
            assert str(error).isprintable()
