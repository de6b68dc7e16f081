"""The content of parts without their transfer encoding."""

from binascii import b2a_qp

from hypothesis import given
from hypothesis import strategies as st

from gk.message.binary import decoded
from gk.message.part import Part


def quoted_printable(content: bytes) -> bytes:
    return b"".join(decoded(content, Part(0, 0, len(content), encoding=b"quoted-printable")))


def test_blanks_at_the_end_of_a_line_are_no_content_unless_encoded() -> None:
    assert (
        quoted_printable(b"one \t \r\ntwo=20\r\nthree=09 \nfour= \r\n  five  ") == b"one\r\ntwo \r\nthree\t\nfour  five"
    )


def test_blanks_before_a_cut_inside_a_line_stay() -> None:
    line = b"a" * ((64 << 10) - 3) + b"   " + b"b\r\n"
    assert quoted_printable(line) == line


def test_a_run_of_blanks_longer_than_any_line_costs_no_more_than_its_length() -> None:
    content = b" " * (1 << 20)
    assert set(quoted_printable(content)) <= {0x20}


@given(st.lists(st.text("ab =\t.", max_size=30), max_size=10))
def test_what_stdlib_encodes_comes_back(lines: list[str]) -> None:
    text = "\r\n".join(lines).encode()
    assert quoted_printable(b2a_qp(text, istext=True)) == text
