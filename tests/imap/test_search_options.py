"""RETURN options and ESEARCH responses (RFC 4731, RFC 5182, RFC 9394, RFC 6203)."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.imap import esearch, search_options
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.search_options import Options, Partial

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 300


def options(text: bytes) -> Options | None:
    return search_options.parse(Cursor(text + b" ALL"))


def test_options_are_values() -> None:
    assert options(b"UNSEEN") is None
    assert options(b"RETURN ()") == Options(all=True)
    assert options(b"return (min Max COUNT)") == Options(min=True, max=True, count=True)
    assert options(b"RETURN (SAVE)") == Options(save=True)
    assert options(b"RETURN (ALL RELEVANCY SAVE)") == Options(all=True, relevancy=True, save=True)
    assert options(b"RETURN (PARTIAL 500:400)") == Options(partial=Partial(400, 500))
    assert options(b"RETURN (COUNT PARTIAL -1:-100)") == Options(count=True, partial=Partial(1, 100, backwards=True))


@pytest.mark.parametrize(
    "text",
    [
        b"RETURN",
        b"RETURN MIN",
        b"RETURN (MIN",
        b"RETURN (UPDATE)",
        b"RETURN (CONTEXT)",
        b"RETURN (ALL PARTIAL 1:2)",
        b"RETURN (PARTIAL 1:2 PARTIAL 3:4)",
        b"RETURN (PARTIAL 0:2)",
        b"RETURN (PARTIAL 1:*)",
        b"RETURN (PARTIAL 1)",
        b"RETURN (PARTIAL -1:2)",
        b"RETURN (PARTIAL 1:-2)",
        b"RETURN (" + b" ".join([b"MIN"] * 21) + b")",
    ],
)
def test_other_texts_are_no_options(text: bytes) -> None:
    with pytest.raises(BadSyntax):
        options(text)


PIECES = [
    b"RETURN ", b"(", b")", b" ", b"MIN", b"MAX", b"ALL", b"COUNT", b"SAVE", b"RELEVANCY", b"PARTIAL ", b"1:9", b"-",
    b":", b"0", b"99999999999", b"*", b"\xff", b"\x00",
]  # fmt: skip


@settings(max_examples=EXAMPLES)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join) | st.binary(max_size=40))
def test_any_input_gives_options_or_bad_syntax(data: bytes) -> None:
    for text in (data, b"RETURN (" + data):
        try:
            search_options.parse(Cursor(text))
        except BadSyntax as error:
            assert str(error).isprintable()


@settings(max_examples=EXAMPLES)
@given(st.lists(st.integers(1, 99), unique=True, max_size=9), st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_a_page_is_what_counting_gives(found: list[int], one: int, other: int, backwards: bool) -> None:
    low, high = sorted((one, other))
    counted = list(enumerate(reversed(found) if backwards else found, 1))
    wanted = [value for place, value in counted if low <= place <= high]
    sign = b"-" if backwards else b""
    page = search_options.page(Cursor(b"%b%d:%b%d" % (sign, one, sign, other)))
    assert list(page.of(found)) == (wanted[::-1] if backwards else wanted)


@pytest.mark.parametrize(
    ("text", "saved"),
    [
        (b"SAVE", [2, 10, 11, 21]),
        (b"SAVE MIN", [2]),
        (b"SAVE MAX", [21]),
        (b"SAVE MIN MAX", [2, 21]),
        (b"SAVE MIN COUNT", [2, 10, 11, 21]),
        (b"SAVE MIN ALL", [2, 10, 11, 21]),
        (b"SAVE PARTIAL 2:3", [10, 11]),
        (b"SAVE PARTIAL 2:3 MAX", [10, 11, 21]),
        (b"SAVE PARTIAL 2:3 MAX MIN", [2, 10, 11, 21]),
        (b"SAVE PARTIAL 2:3 COUNT", [2, 10, 11, 21]),
        (b"SAVE PARTIAL 7:9", []),
    ],
)
def test_what_is_saved_follows_the_tables_of_rfc_5182_and_rfc_9394(text: bytes, saved: list[int]) -> None:
    asked = options(b"RETURN (" + text + b")")
    assert asked is not None
    assert list(asked.meant([2, 10, 11, 21])) == saved
    assert list(asked.meant([])) == []


def test_a_response_has_only_what_there_is() -> None:
    everything = Options(min=True, max=True, all=True, count=True)
    assert esearch.response(b"a", everything, [2, 3, 4, 9], by_uid=False) == (
        b'* ESEARCH (TAG "a") MIN 2 MAX 9 COUNT 4 ALL 2:4,9\r\n'
    )
    assert esearch.response(b"a", everything, [], by_uid=True, modseq=None) == b'* ESEARCH (TAG "a") UID COUNT 0\r\n'
    assert esearch.response(b"a", Options(all=True), [7], by_uid=True, modseq=5) == (
        b'* ESEARCH (TAG "a") UID ALL 7 MODSEQ 5\r\n'
    )
    page = Options(partial=search_options.page(Cursor(b"-1:-2")), relevancy=True)
    assert esearch.response(b"a", page, [5, 3, 4], by_uid=False, scores={3: 9, 4: 8, 5: 7}) == (
        b'* ESEARCH (TAG "a") PARTIAL (-1:-2 3:4) RELEVANCY (9 8)\r\n'
    )
    assert esearch.response(b"a", page, [], by_uid=False, scores={}) == b'* ESEARCH (TAG "a") PARTIAL (-1:-2 NIL)\r\n'


@settings(max_examples=EXAMPLES)
@given(st.lists(st.integers(1, 12), unique=True, min_size=1))
def test_a_sequence_set_expands_to_the_values_in_their_order(values: list[int]) -> None:
    out: list[int] = []
    for part in esearch.sequence_set(values).split(","):
        first, _, last = part.partition(":")
        assert int(last or first) >= int(first)
        out += range(int(first), int(last or first) + 1)
    assert out == values
