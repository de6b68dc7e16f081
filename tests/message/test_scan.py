"""The tree of parts (RFC 2046)."""

import mmap
from pathlib import Path

import pytest

from gk.message.part import Part
from gk.message.scan import scan
from tests.message.messages import eml, mime, samples


def outline(part: Part) -> object:
    """Type and children, as nested tuples."""
    kind = (part.type + b"/" + part.subtype).decode()
    return (kind, [outline(child) for child in part.children]) if part.children else kind


def multipart(*lines: str, boundary: str = "b", kind: str = "mixed") -> bytes:
    return mime(f"Content-Type: multipart/{kind}; boundary={boundary}", "", *lines)


def contents(raw: bytes) -> list[bytes]:
    return [raw[child.body : child.end] for child in scan(raw).children]


def test_a_message_without_mime_is_plain_text() -> None:
    raw = eml("single")
    part = scan(raw)
    assert outline(part) == "text/plain"
    assert part.params == ((b"charset", b"us-ascii"),)
    assert raw[part.body : part.end] == b"One line.\r\nAnother line.\r\n"
    assert part.lines == 2
    assert part.fields is not None
    assert part.fields[b"subject"] == b"Plain and folded"
    assert part.fields[b"received"] == b"2"
    assert part.fields[b"references"] == b"<root@example.com> <parent@example.com>"


def test_preamble_and_epilogue_belong_to_no_part() -> None:
    raw = eml("alternative")
    part = scan(raw)
    assert outline(part) == ("multipart/alternative", ["text/plain", "text/html"])
    assert raw[part.body :].startswith(b"This is the preamble.")
    assert raw[: part.end].endswith(b"This is the epilogue.\r\n")
    text, html = part.children
    assert raw[text.body : text.end] == b"Bonjour =E0 tous,\r\nla r=E9union est mardi."
    assert (text.encoding, html.encoding) == (b"quoted-printable", b"base64")
    assert text.lines == 1


def test_the_line_end_before_a_boundary_belongs_to_the_boundary() -> None:
    assert contents(multipart("--b", "", "one", "", "--b", "", "two", "--b--")) == [b"one\r\n", b"two"]
    assert contents(multipart("--b", "", "one", "--b--").replace(b"\r\n", b"\n")) == [b"one"]


def test_messages_inside_messages_are_followed() -> None:
    assert outline(scan(eml("sections"))) == (
        "multipart/mixed",
        [
            "text/plain",
            "application/octet-stream",
            ("message/rfc822", [("multipart/mixed", ["text/plain", "application/octet-stream"])]),
            (
                "multipart/mixed",
                [
                    "image/gif",
                    (
                        "message/rfc822",
                        [
                            (
                                "multipart/mixed",
                                ["text/plain", ("multipart/alternative", ["text/plain", "text/richtext"])],
                            )
                        ],
                    ),
                ],
            ),
        ],
    )


def test_an_embedded_message_begins_where_its_part_does() -> None:
    raw = eml("forwarded")
    part = scan(raw)
    (inner,) = part.children
    assert inner.start == part.body
    assert inner.end == part.end == len(raw)
    assert inner.fields is not None and inner.fields[b"subject"] == b"the mail inside"
    assert part.lines == raw[part.body :].count(b"\n")


def test_the_parts_of_a_digest_are_messages_unless_they_say_otherwise() -> None:
    assert outline(scan(eml("digest"))) == ("multipart/digest", [("message/rfc822", ["text/plain"]), "text/plain"])


def test_a_global_message_is_a_message() -> None:
    raw = mime("Content-Type: message/global", "", "Subject: é", "", "x")
    assert outline(scan(raw)) == ("message/global", ["text/plain"])


def test_a_missing_end_boundary_ends_with_the_message() -> None:
    assert contents(multipart("--b", "", "one", "--b", "", "two")) == [b"one", b"two\r\n"]


def test_a_delimiter_at_the_very_end_opens_no_part() -> None:
    assert contents(multipart("--b", "", "one", "--b")) == [b"one"]


def test_an_outer_boundary_ends_what_is_open_inside() -> None:
    raw = multipart(
        "--b", "Content-Type: multipart/mixed; boundary=inner", "", "--inner", "", "one", "--b", "", "two", "--b--"
    )
    assert outline(scan(raw)) == ("multipart/mixed", [("multipart/mixed", ["text/plain"]), "text/plain"])
    inner = scan(raw).children[0].children[0]
    assert raw[inner.body : inner.end] == b"one"


def test_a_boundary_need_only_begin_the_line() -> None:
    # RFC 2046 section 5.1.1: it is sufficient that the boundary appear in its entirety following the CRLF
    assert contents(multipart("--b trailing", "", "one", "--b  ", "", "two", "--b-- bye")) == [b"one", b"two"]


@pytest.mark.parametrize(("outer", "inner"), [("foo", "foobar"), ("foobar", "foo"), ("a", "a--"), ("a--", "a----")])
def test_of_two_boundaries_that_begin_alike_the_longer_wins(outer: str, inner: str) -> None:
    raw = multipart(
        f"--{outer}",
        f"Content-Type: multipart/mixed; boundary={inner}",
        "",
        f"--{inner}",
        "",
        "one",
        f"--{inner}",
        "",
        "two",
        f"--{inner}--",
        f"--{outer}",
        "",
        "three",
        f"--{outer}--",
        boundary=outer,
    )
    part = scan(raw)
    assert outline(part) == ("multipart/mixed", [("multipart/mixed", ["text/plain", "text/plain"]), "text/plain"])
    last = part.children[1]
    assert raw[last.body : last.end] == b"three"


def test_the_same_boundary_again_belongs_to_the_inner_multipart_first() -> None:
    raw = multipart(
        "--b", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "one", "--b--", "--b", "", "two", "--b--"
    )
    assert outline(scan(raw)) == ("multipart/mixed", [("multipart/mixed", ["text/plain"]), "text/plain"])


@pytest.mark.parametrize(
    "raw",
    [
        mime("Content-Type: multipart/mixed", "", "no boundary"),
        mime("Content-Type: multipart/mixed; boundary=", "", "empty boundary"),
        mime("Content-Type: multipart/mixed; boundary=b", "", "never there"),
        mime("Content-Type: multipart/mixed; boundary=b", "", "--b--"),
        mime("Content-Type: multipart/mixed; boundary=b", ""),
        b"Content-Type: multipart/mixed; boundary=b",
    ],
)
def test_a_multipart_without_parts_shows_its_content_as_one_text(raw: bytes) -> None:
    part = scan(raw)
    (only,) = part.children
    assert (only.type, only.subtype) == (b"text", b"plain")
    assert (only.start, only.body, only.end) == (part.body, part.body, part.end)


def test_parts_without_header_or_content_are_empty() -> None:
    raw = multipart("--b", "--b", "", "--b", "Content-Type: text/html", "--b--")
    part = scan(raw)
    assert [outline(child) for child in part.children] == ["text/plain", "text/plain", "text/html"]
    assert contents(raw) == [b"", b"", b""]


def test_bare_line_feeds_end_lines_too() -> None:
    for name in samples():
        raw = eml(name)
        bare = raw.replace(b"\r\n", b"\n")
        assert outline(scan(bare)) == outline(scan(raw))
        todo = [(scan(raw), scan(bare))]
        while todo:
            one, other = todo.pop()
            assert raw[one.body : one.end].replace(b"\r\n", b"\n") == bare[other.body : other.end]
            assert one.lines == other.lines
            todo.extend(zip(one.children, other.children, strict=True))


def test_the_boundary_may_come_in_pieces() -> None:
    raw = mime(
        'Content-Type: multipart/mixed; boundary*0="one"; boundary*1="two"', "", "--onetwo", "", "x", "--onetwo--"
    )
    assert contents(raw) == [b"x"]


def test_what_a_part_says_of_itself_is_kept() -> None:
    text, pdf, image = scan(eml("attachments")).children
    assert text.language == (b"fr", b"en")
    assert text.location == b"https://example.org/text"
    assert pdf.disposition == b"attachment"
    assert dict(pdf.disposition_params)[b"filename*"] == b"utf-8'fr'r%C3%A9sum%C3%A9%202026.pdf"
    assert pdf.description == b"The year's numbers"
    assert pdf.id == b"<pdf@example.org>"
    assert pdf.md5 == b"Q2hlY2sgSW50ZWdyaXR5IQ=="
    assert image.disposition == b"inline"
    assert pdf.fields is None


def test_an_invalid_type_is_plain_text() -> None:
    # RFC 2045 section 5.2
    for value in ("text", "/", "", "plain text"):
        assert outline(scan(mime(f"Content-Type: {value}", "", "x"))) == "text/plain"


def test_the_first_of_two_equal_fields_counts_and_address_lists_join() -> None:
    raw = mime("Subject: one", "To: a@b", "Subject: two", "TO: c@d", "content-type: text/html", "Content-Type: a/b", "")
    part = scan(raw)
    assert part.fields is not None
    assert part.fields[b"subject"] == b"one"
    assert part.fields[b"to"] == b"a@b, c@d"
    assert part.subtype == b"html"


def test_odd_headers_do_not_hide_the_content() -> None:
    for raw, header, body in (
        (b"", b"", b""),
        (b"\r\nbody", b"\r\n", b"body"),
        (b"\nbody", b"\n", b"body"),
        (b"Subject: x", b"Subject: x", b""),
        (b"Subject : x\n\r\nbody", b"Subject : x\n\r\n", b"body"),
        (b"no colon\r\n\r\nbody", b"no colon\r\n\r\n", b"body"),
        (b"A: b\r\n \r\n c\r\n\r\nbody", b"A: b\r\n \r\n c\r\n\r\n", b"body"),
    ):
        part = scan(raw)
        assert (raw[: part.body], raw[part.body : part.end]) == (header, body)


def test_a_mapped_file_scans_as_its_bytes_do(tmp_path: Path) -> None:
    filler = b"x" * 76 + b"\r\n"
    for name in samples():
        # Content over one chunk, the delimiter across the edge of the second.
        raw = eml(name).replace(
            b"--outer\r\nContent-Type: application", filler * 13_443 + b"--outer\r\nContent-Type: a"
        )
        path = tmp_path / name
        path.write_bytes(raw)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert scan(mapped) == scan(raw)


def test_a_delimiter_across_the_edge_of_two_chunks_is_found(tmp_path: Path) -> None:
    head = b"Content-Type: multipart/mixed; boundary=edge\r\n\r\n--edge\r\n\r\n"
    for shift in range(-10, 3):
        raw = head + b"x" * ((1 << 20) - len(head) + len(head) + shift) + b"\r\n--edge\r\n\r\ny\r\n--edge--\r\n"
        path = tmp_path / "edge"
        path.write_bytes(raw)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            part = scan(mapped)
        assert part == scan(raw)
        assert len(part.children) == 2
