"""From bytes to text (RFC 2047, RFC 2231, RFC 2045 section 6)."""

import codecs

import pytest

from gk.message import charset
from gk.message.scan import scan
from gk.message.text import decode_words, file_names, fold, parameter, to_text, transfer_decode
from tests.message.messages import eml


@pytest.mark.parametrize(
    ("value", "text"),
    [
        # RFC 2047 section 8
        (b"=?ISO-8859-1?Q?a?=", "a"),
        (b"=?ISO-8859-1?Q?a?= b", "a b"),
        (b"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
        (b"=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=", "ab"),
        (b"=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=", "ab"),
        (b"=?ISO-8859-1?Q?a_b?=", "a b"),
        (b"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
        (b"=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=", "םולש ןב ילטפנ"),
        (b"x =?utf-8?q?=C3=A9?= y", "x é y"),
        (b"x=?utf-8?q?=C3=A9?=y", "xéy"),
        (b"=?utf-8?b?4oI=?= =?utf-8?b?rA==?=", "€"),  # a character cut in two, which section 5 forbids and many do
        (b"=?us-ascii*en?q?Keith?=", "Keith"),
        (b"=?utf-8?b?w6k?=", "é"),
        (b"=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        (b"=?utf-8?q?open", "=?utf-8?q?open"),
        (b"=??q?a?=", "=??q?a?="),
        (b"=?nonsense?q?=C3=A9?=", "é"),
        ("é".encode(), "é"),
        (b"\xe9", "é"),
        (b"", ""),
    ],
)
def test_encoded_words_are_decoded(value: bytes, text: str) -> None:
    assert decode_words(value) == text


def test_at_most_a_thousand_words_are_decoded() -> None:
    text = decode_words(b"=?utf-8?q?a?= " * 20_000)
    assert text.startswith("a" * 1_000 + " =?utf-8?q?a?= ")


@pytest.mark.parametrize("label", [b"zlib", b"zlib_codec", b"idna", b"hex", b"rot13", b"base64", b"unicode_escape"])
def test_a_codec_that_is_no_charset_is_never_used(label: bytes) -> None:
    assert not charset.is_known(label)
    assert to_text(b"x\x9c\x4b\x04\x00", label) == b"x\x9c\x4b\x04\x00".decode("cp1252")
    assert decode_words(b"=?" + label + b"?q?abc?=") == "abc"


def test_every_charset_of_the_table_decodes_anything() -> None:
    octets = bytes(range(256)) * 2
    for label in charset._TABLE:
        assert codecs.lookup(charset._TABLE[label])._is_text_encoding
        assert isinstance(to_text(octets, label), str)
        assert isinstance(to_text(octets[:-1], label), str)


@pytest.mark.parametrize(
    ("label", "data", "text"),
    [
        (b"UTF-8", "é€".encode(), "é€"),
        (b"iso-8859-1", b"\xe9\x80", "é€"),
        (b'"windows-1252"', b"\x80", "€"),
        (b"us-ascii", "é".encode(), "é"),
        (None, b"\xe9", "é"),
        (b"iso-8859-15", b"\xa4", "€"),
        (b"koi8-r", b"\xf0\xf2", "ПР"),
        (b"shift_jis", b"\x82\xa0", "あ"),
        (b"iso-2022-jp", b'\x1b$B$"\x1b(B', "あ"),
        (b"gb2312", b"\xc4\xe3", "你"),
        (b"euc-kr", b"\xb0\xa1", "가"),
        (b"utf-8", b"a\xffb", "a\ufffdb"),
        (b"utf-16", b"\xff\xfea\x00b", "a\ufffd"),
    ],
)
def test_text_is_decoded_by_the_table(label: bytes | None, data: bytes, text: str) -> None:
    assert to_text(data, label) == text


@pytest.mark.parametrize(
    ("encoding", "data", "expected"),
    [
        (b"base64", b"aGVs\r\nbG8=\r\n", b"hello"),
        (b"BASE64", b"aGVsbG8", b"hello"),
        (b"base64", b"a!G\0V-s bG8", b"hello"),
        (b"base64", b"aGVsbG8=\r\n-- \r\nfooter", b"hello"),
        (b"base64", b"a", b""),
        (b"base64", b"=", b""),
        (b"quoted-printable", b"h=C3=A9=\r\n!\r\n", b"h\xc3\xa9!\r\n"),
        (b"quoted-printable", b"a=ZZ=", b"a=ZZ"),
        (b"7bit", b"a=20", b"a=20"),
        (b"x-unknown", b"a=20", b"a=20"),
    ],
)
def test_transfer_encodings_are_undone(encoding: bytes, data: bytes, expected: bytes) -> None:
    assert transfer_decode(data, encoding) == expected


def test_parameters_are_decoded_in_every_way_they_are_sent() -> None:
    assert parameter(((b"name", b"plain.txt"),), "name") == "plain.txt"
    assert parameter(((b"name*", b"utf-8''%C3%A9.txt"),), "NAME") == "é.txt"
    assert parameter(((b"name*0*", b"iso-8859-1''%E9"), (b"name*1", b".txt")), "name") == "é.txt"
    assert parameter(((b"name", b"=?utf-8?q?=C3=A9?=.txt"),), b"name") == "é.txt"
    assert parameter(((b"name", "é.txt".encode()),), "name") == "é.txt"
    assert parameter((), "name") is None


def test_file_names_come_from_disposition_and_type() -> None:
    assert file_names(scan(eml("attachments"))) == ["résumé 2026.pdf", "été.png"]


def test_folding_makes_equal_what_people_take_for_equal() -> None:
    assert fold("E\u0301COLE") == fold("école")
    assert fold("STRASSE") == fold("straße")
