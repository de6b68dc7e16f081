"""mbox: what is written comes back, and what other programs write is understood."""

import mailbox
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.transfer import mbox
from gk.transfer.lines import crlf
from gk.transfer.mbox_source import MboxSource
from gk.transfer.values import Message, Missed
from tests.transfer.fuzzing import crlf_mail, examples

FLAGS = st.frozensets(
    st.sampled_from(["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Forwarded", "work"])
)
MESSAGES = st.lists(st.tuples(crlf_mail, FLAGS, st.integers(0, 0xFFFFFFFF)), max_size=6)


def read(raw: bytes) -> list[mbox.Taken]:
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.flush()
        opened = mbox.File(file.fileno())
        return [
            mbox.take(opened.read(span.start, mbox.LINE), opened.read(span.content, span.end - span.content))
            for span in opened.spans()
        ]


@examples
@given(MESSAGES)
def test_what_is_written_comes_back_byte_for_byte(messages: list[tuple[bytes, frozenset[str], int]]) -> None:
    raw = b"".join(mbox.give(content, flags, date) for content, flags, date in messages)
    taken = [(message.content, message.flags, message.date) for message in read(raw)]
    assert taken == messages


@examples
@given(st.lists(st.one_of(crlf_mail, st.binary(max_size=20)), max_size=20).map(b"".join))
def test_any_bytes_are_read_without_an_error_and_in_order(raw: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.flush()
        opened = mbox.File(file.fileno())
        end = 0
        for span in opened.spans():
            assert end <= span.start < span.content <= max(span.end, span.content) <= len(raw)
            end = span.end
            taken = mbox.take(opened.read(span.start, mbox.LINE), opened.read(span.content, span.end - span.content))
            assert taken.content.count(b"\n") == taken.content.count(b"\r\n")


@examples
@given(st.lists(crlf_mail, min_size=1, max_size=5))
def test_pythons_reader_finds_the_same_messages(contents: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.mbox"
        path.write_bytes(b"".join(mbox.give(content, frozenset(), 0) for content in contents))
        box = mailbox.mbox(path)
        try:
            assert len(box) == len(contents)
        finally:
            box.close()


def test_pythons_writer_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    box = mailbox.mbox(path)
    for number, flags in enumerate(["RO", "", "FA", "ROT"]):
        message = mailbox.mboxMessage(f"Subject: {number}\n\nHi\n\nFrom me\n>From you\n".encode())
        message.set_from("ann@example.test", (2024, 2, 29, 12, 0, number, 3, 60, 0))
        message.set_flags(flags)
        box.add(message)
    box.close()
    taken = read(path.read_bytes())
    assert [message.flags for message in taken] == [
        {"\\Seen"}, set(), {"\\Flagged", "\\Answered"}, {"\\Seen", "\\Draft"},
    ]  # fmt: skip
    assert [message.date for message in taken] == [1709208000 + n for n in range(4)]
    assert (
        taken[1].content == b"Subject: 1\r\n\r\nHi\r\n\r\nFrom me\r\nFrom you\r\n"
    )  # mboxo cannot say which was quoted


def one(text: str) -> mbox.Taken:
    (taken,) = read(text.encode())
    return taken


def test_status_fields_become_flags_and_go() -> None:
    taken = one(
        "From a@b Thu Feb 29 12:00:00 2024\nStatus: RO\nSubject: x\nX-Status: AF\nX-UID: 7\n"
        "X-Keywords: $Label1 work     \nX-Mozilla-Status: 1001\nX-Mozilla-Keys: $label2 \n\nbody\n\n"
    )
    assert taken.content == b"Subject: x\r\n\r\nbody\r\n"
    assert taken.flags == {"\\Seen", "\\Answered", "\\Flagged", "$Label1", "work", "$label2", "$Forwarded"}


def test_fields_that_only_look_like_status_stay() -> None:
    content = b"Subject: x\r\nX-Status-Page: y\r\nLines: 3\r\n\r\nStatus: RO\r\n"
    assert one("From a@b Thu Feb 29 12:00:00 2024\n" + content.decode().replace("\r\n", "\n") + "\n").content == content


def test_messages_deleted_in_thunderbird_are_passed() -> None:
    assert one("From - \nX-Mozilla-Status: 0009\nSubject: x\n\nbody\n\n").passed
    assert not one("From - \nX-Mozilla-Status: 0001\nSubject: x\n\nbody\n\n").passed


def test_the_data_of_uw_imap_is_no_message() -> None:
    head = "From MAILER-DAEMON Thu Feb 29 12:00:00 2024\nX-IMAP: 1 2\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER"
    assert one(head + " INTERNAL DATA\n\nThis text\n\n").passed


@pytest.mark.parametrize(
    ("line", "date"),
    [
        ("From a@b Thu Feb 29 12:00:00 2024", 1709208000),
        ("From a@b Thu Feb 29 12:00:00 +0100 2024", 1709204400),
        ("From a@b Thu Feb 29 12:00:00 2024 -0100", 1709211600),
        ("From 1790@xxx Thu Feb 29 12:00:00 +0000 2024", 1709208000),
        ('From "a b"@c Thu Feb 29 12:00 2024', 1709208000),
        ("From - Thu Feb  1 12:00:00 2024", 1706788800),
        ("From ", None),
        ("From nobody knows when", None),
        ("From a@b Thu Feb 31 12:00:00 2024", None),
    ],
)
def test_the_date_of_a_from_line(line: str, date: int | None) -> None:
    assert mbox.from_date(line.encode()) == date


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_sentences_that_begin_with_from_divide_nothing(end: str) -> None:
    text = "From a@b Thu Feb 29 12:00:00 2024\nSubject: x\n\nFrom here on it rains.\n\nFrom 10:30 to 11\n\n"
    taken = one(text.replace("\n", end))
    assert taken.content == b"Subject: x\r\n\r\nFrom here on it rains.\r\n\r\nFrom 10:30 to 11\r\n"


def test_a_message_without_an_empty_line_before_the_next_is_divided_where_the_line_is_perfect() -> None:
    text = (
        "From a@b Thu Feb 29 12:00:00 2024\nSubject: 1\n\none\nFrom a@b Thu Feb 29 12:00:01 2024\nSubject: 2\n\ntwo\n"
    )
    assert [message.content[-5:] for message in read(text.encode())] == [b"one\r\n", b"two\r\n"]


def test_content_length_is_believed_where_it_leads_to_the_next_message() -> None:
    body = "From x@y Thu Feb 29 12:00:00 2024\n\nFrom z@y Thu Feb 29 12:00:00 2024\n>From q\n"
    first = f"From a@b Thu Feb 29 12:00:00 2024\nContent-Length: {len(body)}\nSubject: 1\n\n{body}\n"
    second = "From a@b Thu Feb 29 12:00:00 2024\nContent-Length: 999\nSubject: 2\n\ntwo\n\n"
    with tempfile.TemporaryFile() as file:
        file.write((first + second).encode())
        file.flush()
        opened = mbox.File(file.fileno())
        spans = list(opened.spans())
        assert [span.counted for span in spans] == [True, False]
        raw = opened.read(spans[0].content, spans[0].end - spans[0].content)
    assert raw.endswith(body.encode()) and mbox.unquoted_inside(raw)
    assert mbox.take(b"", raw, quoted=False).content.endswith(crlf(body.encode()))


def test_our_own_files_are_not_divided_by_a_content_length_of_a_strangers() -> None:
    first = b"Content-Length: 2\r\nSubject: 1\r\n\r\nab\r\n"
    others = [b"Subject: 2\r\n\r\ntwo\r\n"] * 3
    following = b"".join(mbox.give(content, frozenset(), 0) for content in others)
    for length in range(len(following)):
        content = first.replace(b"2", str(length).encode(), 1)
        assert len(read(mbox.give(content, frozenset(), 0) + following)) == 4


def test_what_is_no_mbox_has_no_messages() -> None:
    assert read(b"Subject: x\n\nbody\n") == [] and read(b"") == [] and read(b"\0" * 5000) == []


def test_a_message_larger_than_the_blocks_is_read_whole(tmp_path: Path) -> None:
    content = b"Subject: large\r\n\r\n" + (b"x" * 77 + b"\r\nFrom here\r\n\r\n") * 40_000
    path = tmp_path / "large"
    path.write_bytes(mbox.give(content, frozenset(), 5) + mbox.give(b"small", frozenset({"a"}), 6))
    fd = os.open(path, os.O_RDONLY)
    try:
        file = mbox.File(fd)
        first, second = list(file.spans())
        assert mbox.take(b"", file.read(first.content, first.end - first.content)).content == content
        assert mbox.take(b"", file.read(second.content, second.end - second.content)).content == b"small"
    finally:
        os.close(fd)


@pytest.mark.parametrize(("unquoted", "expected"), [(False, b"From q\r\n"), (True, b">From q\r\n")])
def test_a_file_with_content_length_is_unquoted_unless_it_quotes_nothing(
    tmp_path: Path, unquoted: bool, expected: bytes
) -> None:
    text = b""
    for body in (b"one\n\nFrom here\n" if unquoted else b"one\n", b"two\n\n>From q\n"):
        text += b"From a@b Thu Feb 29 12:00:00 2024\nContent-Length: %d\n\n%s\n" % (len(body), body)
    (tmp_path / "x").write_bytes(text)
    source = MboxSource(tmp_path / "x", 1 << 20)
    items = list(source.messages(source.folders()[0], lambda name, size: False))
    assert [type(item) for item in items] == [Message, Message]
    assert [item.content[-len(expected) :] for item in items if isinstance(item, Message)][1] == expected


def test_messages_beyond_the_limit_and_files_that_break_off_are_said(tmp_path: Path) -> None:
    large = b"From a@b Thu Feb 29 12:00:00 2024\nSubject: large\n\n" + b"x" * 3_000_000 + b"\n\n"
    (tmp_path / "x").write_bytes(large + b"From a@b Thu Feb 29 12:00:00 2024\nSubject: cut sho")
    source = MboxSource(tmp_path / "x", 100_000)
    missed, kept = source.messages(source.folders()[0], lambda name, size: False)
    assert isinstance(missed, Missed) and missed.why == "larger than 100000 bytes"
    assert isinstance(kept, Message) and kept.content == b"Subject: cut sho"
