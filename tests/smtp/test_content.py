"""Where a message ends and what its lines are, whatever the pieces it comes in."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.smtp.content import END, PIECE, Dots, Lines
from tests.accounts.fuzzing import examples

# Bytes that matter here, often enough beside each other.
tricky = st.lists(st.sampled_from([b"\r\n", b".", b"\r\n.", b"\r", b"\n", b"\0", b"a", b"\r\n.\r\n", b"bc"])).map(
    b"".join
)


def cut(raw: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(raw[at : at + size])
        at += size
    return [*pieces, raw[at:]]


def take_all(pieces: list[bytes]) -> tuple[bytes, bytes] | None:
    """(content, what is left behind its end), or None when there is no end."""
    buffer = bytearray()
    dots, got = Dots(buffer), b""
    for piece in pieces:
        buffer += piece
        while not dots.done:
            part = dots.take()
            got += part
            if not part:
                break
    return (got, bytes(buffer)) if dots.done else None


def expected(raw: bytes) -> tuple[bytes, bytes] | None:
    """RFC 5321 §4.5.2, said plainly."""
    end = (b"\r\n" + raw).find(END)
    if end < 0:
        return None
    content = (b"\r\n" + raw)[: end + 2].replace(b"\r\n.", b"\r\n")[2:]
    return content, raw[end + 3 :]


@examples
@given(tricky, st.lists(st.integers(0, 5), max_size=40))
def test_the_pieces_do_not_matter(raw: bytes, sizes: list[int]) -> None:
    assert take_all(cut(raw, sizes)) == expected(raw)


@examples
@given(tricky, st.integers(PIECE - 8, PIECE + 8), st.lists(st.integers(1, 3 * PIECE), max_size=4))
def test_large_messages_are_no_different(raw: bytes, filling: int, sizes: list[int]) -> None:
    raw = b"x" * filling + raw + b"y" * filling + raw + b"\r\nz" * 20_000 + END + raw
    assert take_all(cut(raw, sizes)) == expected(raw)


@examples
@given(tricky)
def test_what_is_stuffed_comes_out_as_it_went_in(raw: bytes) -> None:
    lines = [re.sub(rb"[\r\n]", b"", line) for line in raw.split(b"\n")]
    content = b"".join(line + b"\r\n" for line in lines)
    stuffed = b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)
    assert take_all([stuffed + b".\r\nQUIT\r\n"]) == (content, b"QUIT\r\n")


def test_a_message_may_be_empty() -> None:
    assert take_all([b".\r\n"]) == (b"", b"")
    assert take_all([b".", b"\r", b"\n"]) == (b"", b"")


def test_nothing_is_kept_of_a_message_without_end_but_its_last_bytes() -> None:
    buffer = bytearray()
    dots = Dots(buffer)
    for _ in range(100):
        buffer += b"x" * PIECE
        while dots.take():
            pass
        assert len(buffer) < PIECE
    buffer += END
    assert dots.take().endswith(b"x\r\n")
    assert dots.done


def faulty(raw: bytes) -> bool:
    return b"\0" in raw or re.search(rb"(?<!\r)\n|\r(?!\n)", raw) is not None


@examples
@given(tricky, st.lists(st.integers(0, 4), max_size=40))
def test_only_crlf_ends_a_line_and_nothing_holds_a_nul(raw: bytes, sizes: list[int]) -> None:
    lines = Lines(1 << 20)
    for piece in cut(raw, sizes):
        lines.feed(piece)
    lines.end()
    assert (lines.fault is not None) == faulty(raw)
    if not lines.fault:
        assert lines.complete == (raw == b"" or raw.endswith(b"\r\n"))


@examples
@given(
    st.integers(0, 12),
    st.integers(0, 12),
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from([b"\r", b"\n", b"\0", b"a", b"\r\n", b""])), max_size=3),
    st.integers(0, 200),
)
def test_lines_of_one_length_are_seen_through_too(
    length: int, count: int, changes: list[tuple[int, bytes]], middle: int
) -> None:
    raw = (b"x" * length + b"\r\n") * count
    for at, new in changes:
        raw = raw[:at] + new + raw[at + 1 :]
    lines = Lines(1 << 20)
    for piece in cut(raw, [middle]):
        lines.feed(piece)
    lines.end()
    assert (lines.fault is not None) == faulty(raw)


@examples
@given(st.lists(st.integers(0, 30), max_size=12), st.lists(st.integers(0, 9), max_size=60), st.booleans())
def test_a_line_is_measured_across_pieces(lengths: list[int], sizes: list[int], ended: bool) -> None:
    raw = b"\r\n".join(b"x" * length for length in lengths) + (b"\r\n" if ended else b"")
    lines = Lines(20)
    for piece in cut(raw, sizes):
        lines.feed(piece)
    lines.end()
    longest = max((len(line) + 1 for line in raw.split(b"\r\n")[:-1]), default=0)
    unended = len(raw.split(b"\r\n")[-1])
    assert (lines.fault is not None) == (longest > 20 or unended > 20)


@pytest.mark.parametrize(
    "raw", [b"a\nb\r\n", b"a\rb\r\n", b"\r", b"\n", b"a\rb\nc", b"\r\r\n", b"\r\n\n", b"\n\r", b"a\0"]
)
def test_the_fault_is_said_in_the_reply(raw: bytes) -> None:
    lines = Lines(1000)
    lines.feed(raw)
    lines.end()
    assert lines.fault
    assert lines.fault.startswith("550 5.6.11")
