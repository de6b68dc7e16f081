"""The beginning of a message in words (RFC 8970)."""

from hypothesis import given

from gk.message.preview import LONGEST, preview
from gk.message.scan import scan
from tests.message.fuzz import examples, mail
from tests.message.messages import eml, mime


def shown(raw: bytes) -> str:
    return preview(raw, scan(raw))


def test_a_preview_is_the_first_text_on_one_line() -> None:
    assert shown(mime("Subject: x", "", "Hello,", "  this\tis   it.", "", "Bye")) == "Hello, this is it. Bye"
    assert shown(eml("alternative")) == "Bonjour à tous, la réunion est mardi."


def test_html_is_read_where_there_is_no_plain_text() -> None:
    raw = mime("Content-Type: text/html", "", "<style>p {}</style><p>caf&eacute; <b>bar</b></p>")
    assert shown(raw) == "café bar"


def test_quoted_lines_are_left_out_unless_nothing_else_is_there() -> None:
    assert shown(mime("Subject: x", "", "> you wrote", "Yes.", "-----", "> more")) == "Yes."
    assert shown(mime("Subject: x", "", "> you wrote", "> this")) == "> you wrote > this"


def test_a_long_text_ends_between_words() -> None:
    text = shown(mime("Subject: x", "", "some words " * 100))
    assert text == "some words " * 17 + "some words…"
    assert len(text) <= LONGEST
    assert len(shown(mime("Subject: x", "", "x" * 1000))) == LONGEST


def test_attachments_and_invisible_characters_are_not_shown() -> None:
    raw = mime("Content-Type: text/plain; charset=utf-8", "", "a\u200bb\u00adc \u202ed\x07e")
    assert shown(raw) == "abc de"
    raw = mime("Content-Type: text/plain", "Content-Disposition: attachment; filename=x", "", "secret")
    assert shown(raw) == ""


@examples
@given(mail)
def test_any_message_has_a_short_preview_on_one_line(raw: bytes) -> None:
    text = shown(raw)
    assert len(text) <= LONGEST and text.encode().decode() == text
    assert "\n" not in text and "\0" not in text
