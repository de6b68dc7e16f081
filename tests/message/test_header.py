"""Header fields (RFC 5322 section 2.2, RFC 2045 section 5.1, RFC 3501 section 6.4.5)."""

import pytest

from gk.message.header import disposition, joined, media, uncomment
from gk.message.scan import fields, filter_fields, unfold
from tests.message.messages import eml, mime

HEADER = (
    b"Received: one\r\n"
    b"From: a@b\r\n"
    b"Subject: a long\r\n"
    b" subject\r\n"
    b"X-Odd : spaced name\r\n"
    b"no colon here\r\n"
    b"To: c@d\r\n"
    b"\r\n"
)


def test_fields_give_name_and_place_of_each_value() -> None:
    found = fields(HEADER, 0, len(HEADER))
    assert [name for name, _, _ in found] == [b"received", b"from", b"subject", b"x-odd", b"to"]
    values = {name: HEADER[start:end] for name, start, end in found}
    assert values[b"subject"] == b" a long\r\n subject"
    assert unfold(values[b"subject"]) == b"a long subject"
    assert values[b"x-odd"] == b" spaced name"


def test_fields_end_at_the_empty_line_and_know_their_offset() -> None:
    raw = b"....A: 1\nB: 2\r\n\nC: 3\r\n"
    found = fields(raw, 4, len(raw))
    assert [(name, raw[start:end]) for name, start, end in found] == [(b"a", b" 1"), (b"b", b" 2")]


def test_chosen_fields_come_byte_for_byte_with_an_empty_line() -> None:
    assert filter_fields(HEADER, {b"subject", b"to"}, False) == (b"Subject: a long\r\n subject\r\nTo: c@d\r\n\r\n")
    assert filter_fields(HEADER, {b"x-odd"}, False) == b"X-Odd : spaced name\r\n\r\n"
    assert filter_fields(HEADER, {b"bcc"}, False) == b"\r\n"


def test_fields_not_chosen_stay_when_the_choice_is_negated() -> None:
    rest = filter_fields(HEADER, {b"received", b"subject"}, True)
    assert rest == b"From: a@b\r\nX-Odd : spaced name\r\nno colon here\r\nTo: c@d\r\n\r\n"


def test_a_header_without_its_empty_line_gets_one_when_filtered() -> None:
    assert filter_fields(b"From: a@b", {b"from"}, False) == b"From: a@b\r\n\r\n"
    assert filter_fields(b"From: a@b\r\n", {b"from"}, False) == b"From: a@b\r\n\r\n"
    assert filter_fields(b"", {b"from"}, True) == b"\r\n"


def test_the_fields_of_a_sample_are_all_found() -> None:
    raw = eml("single")
    names = [name for name, _, _ in fields(raw, 0, len(raw))]
    assert names.count(b"received") == 2
    assert names[-1] == b"references"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"text/plain", (b"text", b"plain", ())),
        (b"TEXT/HTML; Charset=UTF-8", (b"text", b"html", ((b"charset", b"UTF-8"),))),
        (b' text / plain ; charset = "us-ascii" ', (b"text", b"plain", ((b"charset", b"us-ascii"),))),
        (b"text/plain; charset=us-ascii (Plain text)", (b"text", b"plain", ((b"charset", b"us-ascii"),))),
        (b"(what) text/(is)plain (this)", (b"text", b"plain", ())),
        (b'a/b; name="x; y=\\"z\\""', (b"a", b"b", ((b"name", b'x; y="z"'),))),
        (b"a/b; name=my file (1).pdf; size=3", (b"a", b"b", ((b"name", b"my file (1).pdf"), (b"size", b"3")))),
        (b"a/b;;; name=x;", (b"a", b"b", ((b"name", b"x"),))),
        (b"a/b name=x\tsize=3", (b"a", b"b", ((b"name", b"x"), (b"size", b"3")))),
        (b'a/b; name="open', (b"a", b"b", ((b"name", b"open"),))),
    ],
)
def test_a_content_type_is_split(value: bytes, expected: object) -> None:
    assert media(value) == expected


@pytest.mark.parametrize("value", [b"", b"text", b"/plain", b"text/", b";charset=x", b"/", b"x" * 200 + b"/plain"])
def test_what_names_no_type_is_none(value: bytes) -> None:
    assert media(value) is None


def test_at_most_128_parameters_are_read() -> None:
    found = media(b"a/b" + b"".join(b"; p%d=x" % number for number in range(200_000)))
    assert found is not None and len(found[2]) == 128


def test_a_disposition_is_split_and_a_forgotten_kind_is_an_attachment() -> None:
    assert disposition(b'INLINE; filename="x"') == (b"inline", ((b"filename", b"x"),))
    assert disposition(b"attachment") == (b"attachment", ())
    assert disposition(b"filename=x") == (b"attachment", ((b"filename", b"x"),))
    assert disposition(b"; filename=x") is None
    assert disposition(b"=") is None


def test_comments_nest_and_quotes_hide_them() -> None:
    assert uncomment(b"a(b(c)d)e").split() == [b"a", b"e"]
    assert uncomment(b'"(not one)"') == b'"(not one)"'
    assert uncomment(b"a(" * 50_000).count(b"a") == 1


def test_parameter_pieces_are_joined_in_order() -> None:
    # RFC 2231 section 4.1, its own example
    params = (
        (b"title*0*", b"us-ascii'en'This%20is%20even%20more%20"),
        (b"title*1*", b"%2A%2A%2Afun%2A%2A%2A%20"),
        (b"title*2", b"isn't it!"),
    )
    assert joined(params, b"title") == (b"us-ascii", b"This is even more ***fun*** isn't it!")
    assert joined(tuple(reversed(params)), b"title") == joined(params, b"title")


def test_the_extended_parameter_wins_over_the_plain_one() -> None:
    params = ((b"filename", b"plain.txt"), (b"filename*", b"utf-8''%C3%A9.txt"))
    assert joined(params, b"filename") == (b"utf-8", "é.txt".encode())


def test_pieces_without_a_beginning_are_no_parameter() -> None:
    assert joined(((b"name*1", b"b"), (b"name*2", b"c")), b"name") is None
    assert joined(((b"name", b"a"), (b"name*2", b"c")), b"name") == (None, b"a")
    assert joined(((b"name*0", b"a"), (b"name*2", b"c")), b"name") == (None, b"a")
    assert joined(((b"name*x", b"a"), (b"name*99999", b"c")), b"name") is None


def test_unfolding_removes_line_ends_only() -> None:
    assert unfold(b" a\r\n\tb\n  c\r\n") == b"a\tb  c"
    assert mime("A: b").endswith(b"\r\n")
