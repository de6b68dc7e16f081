"""Outgoing header fields (RFC 5322 section 2.2, RFC 2047): safe first, then tidy."""

import re

import pytest

from gk.message.address import Address, parse_list
from gk.message.compose import ComposeError, addresses, check, clean, field, message_id
from gk.message.header import unfold
from gk.message.text import decode_words


def value_of(line: bytes) -> str:
    """What a reader sees of a field."""
    return decode_words(unfold(line.partition(b":")[2]))


def test_a_short_field_is_one_line() -> None:
    assert field("Subject", "Hello") == b"Subject: Hello\r\n"
    assert field("Subject", "") == b"Subject: \r\n"


def test_a_long_field_is_folded_at_blanks() -> None:
    line = field("Subject", "word " * 40)
    assert max(map(len, line.split(b"\r\n"))) <= 78
    assert re.fullmatch(rb"Subject:(?: word)+(?:\r\n(?: word)+)+\r\n", line)
    assert value_of(line) == ("word " * 40).strip()


def test_words_outside_ascii_are_encoded_words() -> None:
    assert field("Subject", "Réunion mardi") == b"Subject: =?utf-8?q?R=C3=A9union?= mardi\r\n"
    line = field("Subject", "日本語の件名" * 20)
    assert line.isascii() and max(map(len, line.split(b"\r\n"))) <= 78
    assert all(len(word) <= 75 for word in re.findall(rb"=\?[^ \r]+\?=", line))
    assert value_of(line) == "日本語の件名" * 20


def test_utf8_leaves_them_as_they_are() -> None:
    assert field("Subject", "Réunion mardi", utf8=True) == "Subject: Réunion mardi\r\n".encode()


def test_text_that_looks_like_an_encoded_word_survives() -> None:
    for text in ("=?utf-8?q?x?=", "a =?b", "é =?utf-8?q?x?= é"):
        assert value_of(field("Subject", text)) == text
        assert value_of(field("Subject", text, utf8=True)) == text


def test_a_word_too_long_for_a_line_is_cut_into_encoded_words() -> None:
    line = field("Subject", "x" * 5_000)
    assert max(map(len, line.split(b"\r\n"))) <= 78
    assert value_of(line) == "x" * 5_000


@pytest.mark.parametrize("character", [*"\r\n\0\t\x0b\x0c\x1b\x7f\x85\x9b\u2028\u2029", "\ud800", "\udfff"])
def test_what_could_end_a_line_is_refused(character: str) -> None:
    for text in (character, f"a{character}b", f"a{character}Bcc: x@evil.example", f"é{character}"):
        for utf8 in (False, True):
            with pytest.raises(ComposeError):
                field("Subject", text, utf8=utf8)
            with pytest.raises(ComposeError):
                addresses("To", [(text, Address("a", "b.example"))], utf8=utf8)
            with pytest.raises(ComposeError):
                addresses("To", [(None, Address(text, "b.example"))], utf8=utf8)
        assert clean(text) == " ".join(clean(text).split())
        check(clean(text))


@pytest.mark.parametrize("name", ["", "A B", "A:", "A\r\n", "é", "x" * 100])
def test_a_bad_field_name_is_refused(name: str) -> None:
    with pytest.raises(ComposeError):
        field(name, "x")


def test_an_endless_value_is_refused() -> None:
    with pytest.raises(ComposeError, match="long"):
        field("Subject", "x" * (1 << 20))


def test_display_names_are_quoted_or_encoded_as_they_need() -> None:
    bob = Address("bob", "example.com")
    assert addresses("To", [(None, bob), ("Bob Smith", bob)]) == b"To: bob@example.com, Bob Smith <bob@example.com>\r\n"
    assert addresses("To", [('Bob "B", Smith', bob)]) == b'To: "Bob \\"B\\", Smith" <bob@example.com>\r\n'
    assert addresses("To", [("Zoë, the one", bob)]) == b"To: =?utf-8?q?Zo=C3=AB=2C_the_one?= <bob@example.com>\r\n"
    assert addresses("To", [("Zoë", bob)], utf8=True) == 'To: "Zoë" <bob@example.com>\r\n'.encode()
    assert addresses("To", []) == b"To: \r\n"


def test_many_addresses_are_folded_and_read_back() -> None:
    people = [(f"Person {number}", Address(f"p{number}", "example.com")) for number in range(100)]
    line = addresses("To", people)
    assert max(map(len, line.split(b"\r\n"))) <= 78
    found = parse_list(line.partition(b":")[2])
    assert len(found) == 100
    assert found[99].name == b"Person 99"


def test_an_international_address_needs_utf8() -> None:
    assert addresses("To", [(None, Address("zoe", "bücher.example"))]) == b"To: zoe@xn--bcher-kva.example\r\n"
    with pytest.raises(ComposeError):
        addresses("To", [(None, Address("zoë", "bücher.example"))])
    with pytest.raises(ComposeError):
        addresses("To", [(None, Address("zoe", "bü cher.example"))])
    line = addresses("To", [(None, Address("zoë", "bücher.example"))], utf8=True)
    assert line == "To: zoë@bücher.example\r\n".encode()


def test_message_ids_are_new_each_time_and_never_split() -> None:
    first, second = message_id("example.org"), message_id("example.org")
    assert first != second
    assert re.fullmatch(rb"<[0-9a-f]{32}@example\.org>", first)
    for domain in ("", "a b", "a>b", "a\r\nb", "é.example"):
        with pytest.raises(ComposeError):
            message_id(domain)


def test_cleaning_makes_one_line() -> None:
    assert clean("ok\r\nBcc: x@evil.example\0\u2028 end ") == "ok Bcc: x@evil.example end"
