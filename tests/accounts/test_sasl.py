"""SASL without a socket."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.accounts import sasl
from gk.accounts.sasl import Credentials, SaslError
from tests.accounts.fuzzing import examples


def run(mechanism: str, initial: bytes | None, *answers: bytes) -> tuple[list[bytes], Credentials]:
    exchange, challenges = sasl.MECHANISMS[mechanism](initial), []
    pending = list(answers)
    try:
        challenges.append(next(exchange))
        while True:
            challenges.append(exchange.send(pending.pop(0)))
    except StopIteration as done:
        assert not pending
        return challenges, done.value


def test_plain_takes_its_message_at_once_or_after_an_empty_challenge() -> None:
    assert run("PLAIN", b"\0ann\0secret") == ([], Credentials("ann", "secret"))
    assert run("PLAIN", None, b"ann\0Ann\0s") == ([b""], Credentials("Ann", "s"))


def test_login_asks_for_name_and_password() -> None:
    assert run("LOGIN", None, b"ann", b"secret") == ([b"Username:", b"Password:"], Credentials("ann", "secret"))
    assert run("LOGIN", b"ann", b"s\xc3\xa9same") == ([b"Password:"], Credentials("ann", "sésame"))


@pytest.mark.parametrize(
    "message", [b"", b"\0", b"\0\0", b"\0ann\0", b"\0\0pw", b"ann\0pw", b"\0a\0b\0c", b"\0\xff\0pw", b"bob\0ann\0pw"]
)
def test_plain_refuses_what_is_no_answer(message: bytes) -> None:
    with pytest.raises(SaslError):
        run("PLAIN", message)


@pytest.mark.parametrize("answers", [(b"", b"pw"), (b"ann", b""), (b"a\0b", b"pw"), (b"ann", b"\xff")])
def test_login_refuses_what_is_no_answer(answers: tuple[bytes, bytes]) -> None:
    with pytest.raises(SaslError):
        run("LOGIN", None, *answers)


def test_a_password_is_not_shown_when_credentials_are() -> None:
    assert "secret" not in repr(Credentials("ann", "secret"))


@pytest.mark.parametrize("line", [b"a", b"ab=c", b"*", b"AG\xff=", b"A G F z", b"YQ==YQ=="])
def test_what_is_not_base64_is_refused(line: bytes) -> None:
    with pytest.raises(SaslError):
        sasl.decode(line)


@examples
@given(st.binary(max_size=200))
def test_decoding_undoes_encoding(raw: bytes) -> None:
    assert sasl.decode(base64.b64encode(raw)) == raw


@examples
@given(st.binary(max_size=100))
def test_any_bytes_give_an_answer_or_its_own_error(raw: bytes) -> None:
    for parse in (sasl.parse_plain, sasl.decode):
        try:
            parse(raw)
        except SaslError:
            pass
