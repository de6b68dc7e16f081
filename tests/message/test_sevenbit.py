"""Eight bits become seven, and mean the same."""

import email
import email.policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.message.sevenbit import Unalterable, seven_bit
from tests.message.fuzz import mail

HEAD = b"From: ann@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\n"


def decoded(content: bytes) -> list[bytes]:
    """The contents of all leaves."""
    message = email.message_from_bytes(content, policy=email.policy.compat32)
    return [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]  # type: ignore[misc]


def test_a_text_becomes_quoted_printable() -> None:
    text = "Café =20 à midi \r\nligne\r\n.\r\n".encode()
    kind = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    made = seven_bit(HEAD + kind + text)
    assert made.isascii() and b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" in made
    assert made.count(b"Content-Transfer-Encoding") == 1
    assert decoded(made) == [text]


def test_only_parts_that_need_it_change() -> None:
    parts = (
        b"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding:\r\n 8bit\r\n\r\n"
        b"--b\r\nContent-Type: text/plain; charset=latin-1\r\n\r\nplain\r\n"
        b"--b\r\nContent-Type: text/plain; charset=latin-1\r\n\r\nsant\xe9\r\n"
        b"--b\r\nContent-Type: image/x; name=a\r\nContent-Transfer-Encoding: binary\r\n\r\n\xff\x00\x80\r\n--b--\r\n"
    )
    made = seven_bit(HEAD + parts)
    assert made.isascii()
    assert b"8bit" not in made and b"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n--b" in made
    assert decoded(made) == [b"plain", b"sant\xe9", b"\xff\x00\x80"]


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: caf\xc3\xa9\r\n\r\nx\r\n",
        HEAD + b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xe9\r\n--b\r\n\r\nsig\r\n--b--\r\n",
        HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\npr\xe9amble\r\n--b\r\n\r\nx\r\n--b--\r\n",
        HEAD + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n\xe9\r\n",
    ],
)
def test_what_must_not_change_is_refused(content: bytes) -> None:
    with pytest.raises(Unalterable):
        seven_bit(content)


@settings(max_examples=300)
@given(mail)
def test_any_message_is_refused_or_becomes_ascii(content: bytes) -> None:
    try:
        assert seven_bit(content).isascii()
    except Unalterable:
        assert not content.isascii()


@given(st.binary(max_size=500))
def test_any_body_keeps_its_octets(body: bytes) -> None:
    content = HEAD + b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n" + body
    made = seven_bit(content)
    if not body.isascii():
        assert decoded(made) == [body]
