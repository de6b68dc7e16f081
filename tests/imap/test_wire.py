"""Bytes become commands: the same however they come, and never beyond the bounds."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from gk.imap.wire import Bounds, Command, Continue, Fault, Literal, Wire

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 300
BOUNDS = Bounds(line=64, literals=40, literal_count=3, nesting=4, message=100, drain=400)


def events(chunks: list[bytes], bounds: Bounds = BOUNDS, *, accept: bool = True) -> list[object]:
    """All events of a conversation, message literals read as (b"content", …)."""
    wire = Wire(bounds)
    wire.per_session = False
    seen: list[object] = []
    content: bytes | None = None  # of the message literal being read
    for chunk in chunks:
        wire.feed(chunk)
        while True:
            if content is not None:
                piece = wire.content()
                if piece is None:
                    break
                content += piece
                if not piece:
                    seen.append(("content", content))
                    content = None
                continue
            event = wire.command()
            if event is None:
                break
            seen.append(event)
            if isinstance(event, Literal):
                if accept:
                    wire.accept()
                    content = b""
                else:
                    wire.abandon()
    return seen


def test_a_line_is_a_command() -> None:
    assert events([b"a NOOP\r\nb CHECK\n"]) == [Command(b"a NOOP"), Command(b"b CHECK")]


def test_literals_stand_in_their_command() -> None:
    assert events([b"a LOGIN {3}\r\nbob {4+}\r\nword\r\n"]) == [
        Continue(b"a LOGIN {3}\r\n"),
        Command(b"a LOGIN {3}\r\nbob {4+}\r\nword"),
    ]


def test_the_messages_of_append_are_read_piece_by_piece() -> None:
    assert events([b"a APPEND {5+}\r\nINBOX (\\Seen) {3}\r\nabc {4+}\r\n\r\n{}\r\n"]) == [
        Literal(b"a APPEND {5+}\r\nINBOX (\\Seen) ", 3, True),
        ("content", b"abc"),
        Literal(b" ", 4, False),
        ("content", b"\r\n{}"),
        Command(b""),
    ]


def test_a_refused_message_is_drained_where_the_client_did_not_wait() -> None:
    assert events([b"a APPEND X {3+}\r\nabc {2+}\r\nde\r\nb NOOP\r\n"], accept=False) == [
        Literal(b"a APPEND X ", 3, False),
        Command(b"b NOOP"),
    ]


def test_a_refused_message_is_not_waited_for_where_the_client_waits() -> None:
    assert events([b"a APPEND X {3}\r\nb NOOP\r\n"], accept=False) == [
        Literal(b"a APPEND X ", 3, True),
        Command(b"b NOOP"),
    ]


def test_a_message_beyond_draining_ends_the_session() -> None:
    assert events([b"a APPEND X {401+}\r\nb NOOP\r\n"]) == [Fault(b"a", "the literal is too large", True)]


def test_literals_beyond_the_bound_are_refused() -> None:
    assert events([b"a LOGIN {41}\r\nb NOOP\r\n"]) == [
        Fault(b"a", "the literals are too large", False),
        Command(b"b NOOP"),
    ]
    assert events([b"a LOGIN {41+}\r\n", b"x" * 41 + b" {1+}\r\ny\r\nb NOOP\r\n"]) == [
        Fault(b"a", "the literals are too large", False),
        Command(b"b NOOP"),
    ]
    assert events([b"a X {1+}\r\na {1+}\r\nb {1+}\r\nc {1+}\r\nd\r\nb NOOP\r\n"])[0] == Fault(
        b"a", "the literals are too large", False
    )


def test_before_login_literals_are_counted_over_all_commands() -> None:
    wire = Wire(BOUNDS)
    wire.feed(b"a X {30+}\r\n" + b"x" * 30 + b"\r\nb X {30+}\r\n" + b"y" * 30 + b"\r\n")
    assert isinstance(wire.command(), Command)
    assert wire.command() == Fault(b"b", "the literals are too large", False)


def test_a_long_line_ends_the_session() -> None:
    assert events([b"a " + b"x" * 63 + b"\r\nb NOOP\r\n"]) == [Fault(b"a", "the line is too long", True)]
    assert events([b"a " + b"x" * 63]) == [Fault(b"a", "the line is too long", True)]
    assert events([b"a " + b"x" * 62 + b"\r\n"]) == [Command(b"a " + b"x" * 62)]


def test_deep_brackets_are_refused_unless_they_are_quoted() -> None:
    assert events([b"a X (((((\r\nb NOOP\r\n"]) == [
        Fault(b"a", "parentheses are nested too deeply", False),
        Command(b"b NOOP"),
    ]
    assert events([b'a X "((((((" ()()()()()()\r\n']) == [Command(b'a X "((((((" ()()()()()()')]


def test_what_came_before_tls_is_forgotten() -> None:
    wire = Wire(BOUNDS)
    wire.feed(b"a STARTTLS\r\nb LOGIN x y\r\nc NO")
    assert wire.command() == Command(b"a STARTTLS")
    wire.drop()
    wire.feed(b"d NOOP\r\n")
    assert wire.command() == Command(b"d NOOP")
    assert wire.command() is None


pieces = st.sampled_from(
    [
        b"a ",
        b"NOOP",
        b"APPEND ",
        b"INBOX",
        b" ",
        b"\r\n",
        b"\n",
        b"\r",
        b"{3}\r\n",
        b"{3+}\r\n",
        b"{0}\r\n",
        b"{50+}\r\n",
        b"{500+}\r\n",
        b"{120}\r\n",
        b"abc",
        b"(",
        b")",
        b'"',
        b"\\",
        b"~{2+}\r\n",
        b"x" * 30,
        b"{99999999999999999999}\r\n",
    ]
)
streams = st.lists(pieces | st.binary(max_size=8), max_size=30).map(b"".join)


@settings(max_examples=EXAMPLES)
@given(streams, st.booleans())
def test_byte_by_byte_is_the_same_as_at_once(stream: bytes, accept: bool) -> None:
    at_once = events([stream], accept=accept)
    assert events([stream[i : i + 1] for i in range(len(stream))], accept=accept) == at_once


@settings(max_examples=EXAMPLES)
@given(streams, st.integers(1, 20))
def test_nothing_is_kept_beyond_the_bounds(stream: bytes, size: int) -> None:
    wire = Wire(BOUNDS)
    for start in range(0, len(stream), size):
        wire.feed(stream[start : start + size])
        while (event := wire.command()) is not None:
            if isinstance(event, Literal):
                wire.abandon()
            elif isinstance(event, Command):
                assert len(event.data) <= BOUNDS.line + BOUNDS.literals + 2 * BOUNDS.literal_count
        assert wire.waiting <= max(BOUNDS.line + 2, size)
