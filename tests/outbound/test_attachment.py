"""Files that go with a message: their names arrive whatever they are, and nothing in them becomes a header field."""

import email
import email.message
import email.policy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.errors import Refused
from gk.message.address import parse_address
from gk.outbound.attachment import Attachment
from gk.outbound.draft import Draft, copy, write
from tests.message.fuzz import examples

ALICE = (None, parse_address("alice@example.test"))
FIELD = re.compile(rb"(?:Content-Type|Content-Transfer-Encoding|Content-Disposition): [!-~][ -~]*|\r\n [ -~]+")


def sent(*attachments: Attachment, **draft: object) -> bytes:
    return write(Draft(["zoe@far.test"], attachments=attachments, **draft), ALICE, b"<1@h.test>", 0)  # type: ignore[arg-type]


def read(content: bytes) -> email.message.EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage) and not message.defects
    return message


def test_files_come_after_the_words_as_they_were() -> None:
    data = bytes(range(256)) * 1000
    message = read(sent(Attachment("a.bin", data), Attachment("empty", b"", "text/plain"), text="x", html="<p>x</p>"))
    assert message.get_content_type() == "multipart/mixed"
    words, first, second = message.iter_parts()
    assert words.get_content_type() == "multipart/alternative"
    assert (first.get_filename(), first.get_content_type()) == ("a.bin", "application/octet-stream")
    assert first.get_payload(decode=True) == data and first.is_attachment()
    assert (second.get_filename(), second.get_content_type(), second.get_payload(decode=True)) == (
        "empty", "text/plain", b"",
    )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["report.pdf", "my report (final).pdf", "Été à Zürich.pdf", "日本語.txt", "x" * 255, "é" * 255, 'a"b.txt',
     "a;b=c.txt", "100%.txt", "a'b''c.txt", "=?utf-8?q?x?=.txt", "utf-8''x"],
)  # fmt: skip
def test_a_name_arrives_as_it_is(name: str) -> None:
    content = sent(Attachment(name, b"x"))
    assert max(map(len, content.split(b"\r\n"))) <= 200 and content.isascii()
    (_, part) = read(content).iter_parts()
    assert part.get_filename() == name


@pytest.mark.parametrize(
    "name", ["", "x" * 256, "../x", "a\\b", "/etc/passwd", ".", "..", "a\r\nBcc: b@c.d", "a\0", "\ud800"]
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(Refused):
        Attachment(name, b"")


@pytest.mark.parametrize(
    "kind",
    ["", "pdf", "application/", "/pdf", "multipart/mixed", "message/rfc822", "text/plain; charset=x", "a/b\r\nX: y",
     "a/b c", "Multipart/Mixed", "a/" + "b" * 200, "é/b"],
)  # fmt: skip
def test_a_type_that_is_none_is_refused(kind: str) -> None:
    with pytest.raises(Refused):
        Attachment("a", b"", kind)


def test_there_are_a_hundred_at_most() -> None:
    with pytest.raises(Refused, match="at most 100 files"):
        sent(*[Attachment("a", b"")] * 101)


def test_the_senders_copy_says_who_else_got_it() -> None:
    draft = Draft(["zoe@far.test"], bcc=["Yan <yan@far.test>", "xi@far.test"])
    message = read(copy(draft, write(draft, ALICE, b"<1@h.test>", 0)))
    assert str(message["Bcc"]) == "Yan <yan@far.test>, xi@far.test"
    assert copy(Draft(["zoe@far.test"]), b"x") == b"x"


HOSTILE = st.text(st.characters() | st.sampled_from("\r\n\0\x85\u2028\u2029\ud800;\"\\%'*= "), max_size=80)


@examples
@given(HOSTILE, HOSTILE | st.sampled_from(("text/plain", "a/b")), st.binary(max_size=200))
def test_no_name_type_or_content_adds_a_field(name: str, kind: str, content: bytes) -> None:
    try:
        part = Attachment(name, content, kind).part()
    except Refused:
        return
    head, _, body = part.partition(b"\r\n\r\n")
    assert FIELD.sub(b"", head.replace(b"\r\nContent", b"Content")) == b""
    assert re.fullmatch(rb"(?:[A-Za-z0-9+/]{1,76}={0,2}\r\n)*(?:\r\n)?", body)
    assert head.count(b"Content-") == 3
