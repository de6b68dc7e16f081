"""The body test (RFC 5173)."""

import pytest

from gk.sieve.mail import BODY
from tests.sieve.running import holds, refused

MAIL = (
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"A prologue.\r\n"
    b"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"The first caf=E9\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>The <b>second</b>&nbsp;caf&eacute;</p>\r\n"
    b"--b\r\nContent-Type: application/x-odd\r\nContent-Transfer-Encoding: base64\r\n\r\nc2VjcmV0\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?inn=C3=A9r?=\r\n\r\nThe third\r\n"
    b"--b--\r\nAn epilogue.\r\n"
)


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ('body :contains "first café"', True),
        ('body :text :contains "the second"', True),
        ('body :text :contains "<b>"', False),
        ('body :contains "third"', True),
        ('body :contains "secret"', False),
        ('body :raw :contains "caf=E9"', True),
        ('body :raw :contains "café"', False),
        ('body :raw :contains "epilogue"', True),
        ('body :raw :contains "Content-Type: multipart/mixed"', False),  # that is the header
        ('body :raw :contains "Content-Type: text/html"', True),
        ('body :content "text" :contains "<b>second"', True),
        ('body :content "text/plain" :contains "second"', False),
        ('body :content ["text/html", "application/x-odd"] :contains "secret"', True),
        ('body :content "application" :contains "SECRET"', True),
        ('body :content "" :contains "secret"', True),
        ('body :content "multipart" :contains "prologue"', True),
        ('body :content "multipart/mixed" :contains "epilogue"', True),
        ('body :content "multipart" :contains "first"', False),
        ('body :content "multipart" :contains "--b"', False),
        ('body :content "multipart" :is "A prologue.\r\n"', True),
        ('body :content "multipart" :is "An epilogue.\r\n"', True),
        ('body :content "message/rfc822" :is "Subject: =?utf-8?q?inn=C3=A9r?=\r\n"', True),
        ('body :content "message/rfc822" :contains "subject: innér"', True),
        ('body :content "message/rfc822" :contains "third"', False),
        ('body :content "text/" :contains "first"', False),
        ('body :content "a/b/c" :contains ""', False),
        ('body :content "application/x-odd" :is "secret"', True),
        ('body :content "text" :matches "*first*"', True),
    ],
)
def test_body(test: str, result: bool) -> None:
    assert holds(test, "body", MAIL) is result


@pytest.mark.parametrize("mail", [b"Subject: x\r\n", b"Subject: x", b""])
def test_without_an_empty_line_there_is_no_body(mail: bytes) -> None:
    assert not holds('body :raw :matches "*"', "body", mail)
    assert holds('body :raw :is ""', "body", b"Subject: x\r\n\r\n")
    assert holds('body :raw :is "x"', "body", b"\r\nx")


def test_xhtml_is_read_like_html() -> None:
    mail = b"Content-Type: application/xhtml+xml\r\n\r\n<html><body>Hello</body></html>"
    assert holds('body :contains "Hello"', "body", mail)
    assert not holds('body :contains "<body"', "body", mail)


def test_lines_with_the_boundary_belong_to_no_part_wherever_they_are_broken_off() -> None:
    head = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    for content in (b"--b\r\n", b"--b\r\n\r\nx", b"--b\r\n\r\nx\r\n--b--", b"\n--b\n\nx\n--b--\n"):
        assert not holds('body :content "multipart" :contains "--b"', "body", head + content), content


def test_a_body_sets_no_match_variables() -> None:
    test = 'allof (body :raw :matches "*first*", string "${1}" "")'
    assert holds(test, "body variables", MAIL)


def test_of_a_large_body_the_beginning_is_read() -> None:
    mail = b"Subject: x\r\n\r\n" + b"x" * (BODY - 5) + b"near far"
    assert holds('body :contains "xnear"', "body", mail)
    assert not holds('body :contains "far"', "body", mail)
    assert not holds('body :raw :contains "far"', "body", mail)


def test_what_is_asked_is_checked() -> None:
    assert 'body needs require "body"' in refused('if body "x" {}')
    assert ":content needs a list of strings" in refused('require "body"; if body :content 5 "x" {}')
