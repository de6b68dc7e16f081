"""Sections of a message (RFC 3501 section 6.4.5)."""

import pytest

from gk.message.scan import scan
from gk.message.section import find, resolve
from gk.message.structure import dump, load
from tests.message.messages import eml, mime


def section(raw: bytes, path: tuple[int, ...], text: str = "") -> bytes | None:
    place = resolve(load(dump(scan(raw))), path, text)
    return None if place is None else raw[place[0] : place[1]]


@pytest.mark.parametrize(
    ("path", "text", "content"),
    [
        ((1,), "", b"part 1"),
        ((1,), "MIME", b"Content-Type: text/plain\r\n\r\n"),
        ((2,), "", b"cGFydCAy"),
        ((3,), "HEADER", b"From: inner@example.org\r\nSubject: inner three\r\n"),
        ((3,), "MIME", b"Content-Type: message/rfc822\r\n\r\n"),
        ((3, 1), "", b"part 3.1"),
        ((3, 2), "", b"part 3.2"),
        ((3, 2), "MIME", b"Content-Type: application/octet-stream\r\n\r\n"),
        ((4,), "MIME", b"Content-Type: multipart/mixed; boundary=four\r\n\r\n"),
        ((4, 1), "", b"part 4.1"),
        ((4, 1), "MIME", b"Content-Type: image/gif\r\nContent-ID: <four-one@example.org>\r\n\r\n"),
        ((4, 2), "HEADER", b"From: deeper@example.org\r\nSubject: inner four two\r\n"),
        ((4, 2, 1), "", b"part 4.2.1"),
        ((4, 2, 2, 1), "", b"part 4.2.2.1"),
        ((4, 2, 2, 2), "", b"part 4.2.2.2"),
    ],
)
def test_the_example_of_the_rfc_is_numbered_as_it_says(path: tuple[int, ...], text: str, content: bytes) -> None:
    found = section(eml("sections"), path, text)
    assert found is not None
    assert found == content or (text == "HEADER" and found.startswith(content) and found.endswith(b"\r\n\r\n"))


def test_the_text_of_an_embedded_message_is_its_body() -> None:
    raw = eml("sections")
    text = section(raw, (3,), "TEXT")
    assert text is not None and text.startswith(b"--three\r\n") and text.endswith(b"--three--")
    header, whole = section(raw, (3,), "HEADER"), section(raw, (3,))
    assert header is not None and header + text == whole


def test_a_message_is_its_header_and_its_text() -> None:
    for name in ("single", "sections", "alternative"):
        raw = eml(name)
        header, text = section(raw, (), "HEADER"), section(raw, (), "TEXT")
        assert header is not None and text is not None
        assert header.endswith(b"\r\n\r\n")
        assert header + text == raw == section(raw, ())


def test_part_one_of_a_message_without_parts_is_its_text() -> None:
    raw = eml("single")
    assert section(raw, (1,)) == section(raw, (), "TEXT")
    assert section(raw, (1,), "MIME") == section(raw, (), "HEADER")
    assert section(raw, (2,)) is None
    assert section(raw, (1, 1)) is None


def test_a_message_that_is_a_message_nests_by_one_number() -> None:
    raw = eml("forwarded")
    assert section(raw, (1,)) == section(raw, (), "TEXT")
    inner = section(raw, (1,), "HEADER")
    assert inner is not None and inner.startswith(b"From: Inner Person")
    assert section(raw, (1,), "TEXT") == b"Hidden treasure.\r\n"
    assert section(raw, (1, 1)) == b"Hidden treasure.\r\n"
    assert section(raw, (1, 1, 1)) is None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((0,), ""),
        ((5,), ""),
        ((1, 1), ""),
        ((3, 3), ""),
        ((4, 2, 2, 3), ""),
        ((1,), "HEADER"),
        ((1,), "TEXT"),
        ((4,), "HEADER"),
        ((), "MIME"),
        ((1,), "nonsense"),
        ((), "nonsense"),
        ((1,) * 1_000, ""),
    ],
)
def test_what_does_not_exist_is_none(path: tuple[int, ...], text: str) -> None:
    assert section(eml("sections"), path, text) is None


def test_parts_can_be_found_by_number() -> None:
    part = scan(eml("attachments"))
    found = find(part, (2,))
    assert found is not None and found.subtype == b"pdf"
    assert find(part, ()) is None


def test_an_empty_multipart_has_a_first_part() -> None:
    raw = mime("Content-Type: multipart/mixed; boundary=b", "", "nothing")
    assert section(raw, (1,)) == b"nothing\r\n"
