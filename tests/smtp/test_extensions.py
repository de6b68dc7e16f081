"""Parameters of MAIL, RCPT and BDAT."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.smtp import extensions
from gk.smtp.extensions import BadParameter, MailOptions, RcptOptions
from tests.accounts.fuzzing import examples


def test_all_parameters_of_mail_are_read_in_any_case() -> None:
    text = "SIZE=12 body=8BITmime smtpUTF8 RET=full ENVID=a+2Bb AUTH=x@y.example"
    assert extensions.mail_options(text, auth=True) == MailOptions(12, True, "a+2Bb", "FULL")


def test_all_parameters_of_rcpt_are_read_in_any_case() -> None:
    text = "notify=success,Failure,delay orcpt=RFC822;Ann+2Bx@example.org"
    assert extensions.rcpt_options(text) == RcptOptions("SUCCESS,FAILURE,DELAY", "RFC822;Ann+2Bx@example.org")
    assert extensions.rcpt_options("ORCPT=utf-8;ànn@example.org").orcpt == "utf-8;ànn@example.org"


@pytest.mark.parametrize(
    "text",
    [
        "SIZE", "SIZE=", "SIZE=-1", "SIZE=1e3", "SIZE=１２", "SIZE=٣", "SIZE=" + "9" * 21, "SIZE=1 SIZE=1",
        "size=1 SIZE=2", "BODY", "BODY=7", "SMTPUTF8=", "SMTPUTF8=1", "RET", "RET=SOME", "ENVID", "ENVID=a+0",
        "ENVID=a+0d", "ENVID=a+00", "ENVID=a+0A", "ENVID=a+7F", "ENVID=a=b", "ENVID=é", "ENVID=" + "x" * 101, "=1",
        "-A=1", "A_B=1", "A\tB", "A=1\x7f", " ".join(f"X{i}=1" for i in range(30)),
    ],
)  # fmt: skip
def test_bad_parameters_of_mail_are_refused(text: str) -> None:
    with pytest.raises(BadParameter) as bad:
        extensions.mail_options(text, auth=True)
    assert str(bad.value)[:9] in ("501 5.5.4", "555 5.5.4")


@pytest.mark.parametrize(
    "text",
    [
        "NOTIFY", "NOTIFY=", "NOTIFY=NEVER,NEVER", "NOTIFY=NEVER,SUCCESS", "NOTIFY=DELAY,DELAY", "NOTIFY=SUCCESS,",
        "NOTIFY=ALWAYS", "ORCPT", "ORCPT=rfc822", "ORCPT=rfc822;", "ORCPT=;a@b", "ORCPT=rfc 822;a", "ORCPT=rfc822;a+0D",
        "ORCPT=rfc822;é", "ORCPT=utf-8;\u2028", "ORCPT=rfc822;" + "x" * 500, "SIZE=1", "NOTIFY=NEVER NOTIFY=NEVER",
    ],
)  # fmt: skip
def test_bad_parameters_of_rcpt_are_refused(text: str) -> None:
    with pytest.raises(BadParameter):
        extensions.rcpt_options(text)


def test_auth_is_a_parameter_only_where_auth_is_offered() -> None:
    assert extensions.mail_options("AUTH=<>", auth=True) == MailOptions()
    with pytest.raises(BadParameter):
        extensions.mail_options("AUTH=<>", auth=False)


@pytest.mark.parametrize(
    ("argument", "chunk"),
    [("0", (0, False)), ("12 last", (12, True)), ("0 LAST", (0, True)), ("007", (7, False))],
)
def test_a_chunk_has_a_size_and_may_be_the_last(argument: str, chunk: tuple[int, bool]) -> None:
    assert extensions.chunk(argument) == chunk


@pytest.mark.parametrize("argument", ["", "LAST", "-1", "+1", "1.0", "1_0", "٣", "1 LAST x", "1 FIRST", "9" * 21])
def test_what_is_no_chunk_is_none(argument: str) -> None:
    assert extensions.chunk(argument) is None


@examples
@given(st.text(max_size=80))
def test_any_text_gives_options_or_its_own_error(text: str) -> None:
    for read in (lambda: extensions.mail_options(text, auth=True), lambda: extensions.rcpt_options(text)):
        try:
            read()
        except BadParameter as bad:
            assert str(bad)[:3] in ("501", "555")
    extensions.chunk(text)


@examples
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40))
def test_every_printable_text_has_an_xtext_that_is_taken(text: str) -> None:
    xtext = "".join(c if c not in "+=" else f"+{ord(c):02X}" for c in text)[:100]
    xtext = xtext.rstrip("+") if xtext[-1:] == "+" else xtext[:-2] if xtext[-2:-1] == "+" else xtext
    assert extensions.is_xtext(xtext)


def test_the_greeting_is_one_reply_of_several_lines() -> None:
    lines = extensions.greeting("mail.example.test", 100, 5, starttls=True, auth=True).split("\r\n")
    assert all(line.startswith("250-") for line in lines[:-1])
    assert lines[-1].startswith("250 ")
    assert {"250-STARTTLS", "250-AUTH PLAIN LOGIN", "250-SIZE 100", "250-LIMITS RCPTMAX=5"} <= set(lines)
    bare = extensions.greeting("mail.example.test", 100, 5, starttls=False, auth=False)
    assert "STARTTLS" not in bare
    assert "AUTH" not in bare
