"""Bytes become commands: the same however they come, and never beyond the bounds."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.managesieve.wire import DRAIN, Command, Fault, Wire, response, string

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 300


def items(chunks: list[bytes], *, line: int = 200, literal: int = 100) -> list[Command | Fault]:
    wire = Wire(line, literal)
    found: list[Command | Fault] = []
    for chunk in chunks:
        wire.feed(chunk)
        while (item := wire.next()) is not None:
            found.append(item)
            if isinstance(item, Fault) and item.fatal:
                return found
    return found


@pytest.mark.parametrize(
    ("sent", "item"),
    [
        (b"CAPABILITY\r\n", Command("CAPABILITY", ())),
        (b"noop\n", Command("NOOP", ())),
        (b'NOOP "a\\"b\\\\c"\r\n', Command("NOOP", (b'a"b\\c',))),
        (b'HAVESPACE "main" 99\r\n', Command("HAVESPACE", (b"main", 99))),
        (b'PUTSCRIPT "m" {7+}\r\nkeep;\r\n\r\n', Command("PUTSCRIPT", (b"m", b"keep;\r\n"))),
        (b"PUTSCRIPT {1+}\r\nm {5}\r\nkeep;\r\n", Command("PUTSCRIPT", (b"m", b"keep;"))),
        (b"RENAMESCRIPT {0+}\r\n {2+}\r\n\r\n\r\n", Command("RENAMESCRIPT", (b"", b"\r\n"))),
        ("NOOP «é»\r\n".encode(), Fault("an argument is a string or a number")),
        ('NOOP "é"\r\n'.encode(), Command("NOOP", ("é".encode(),))),
        (b"\r\n", Fault("a command begins with its name")),
        (b"NOOP(\r\n", Fault("a command begins with its name")),
        (b'NOOP "a\r\n', Fault("an argument is a string or a number")),
        (b'NOOP "a""b"\r\n', Fault("between arguments there is a blank")),
        (b'NOOP "\\a"\r\n', Fault("an argument is a string or a number")),
        (b"NOOP" + b" 1" * 11 + b"\r\n", Fault("an argument is a string or a number")),
        (b"NOOP {101+}\r\n" + b"x" * 101 + b"\r\n", Fault("the literal is too long", large=True)),
        (b"NOOP {%d+}\r\n" % (DRAIN + 1), Fault("the literal is too long", fatal=True)),
        (b"NOOP {9999999999+}\r\n", Fault("the literal is too long", fatal=True)),
        (b'NOOP "' + b"x" * 200, Fault("the line is too long", fatal=True)),
        (b"NOOP" + b" {1+}\r\nx" * 11 + b"\r\n", Fault("an argument is a string or a number")),
        (b"NOOP" + b" {1+}\r\nx" * 100, Fault("the line is too long", fatal=True)),
    ],
)
def test_lines(sent: bytes, item: Command | Fault) -> None:
    for chunks in ([sent], [bytes([octet]) for octet in sent]):
        assert items(chunks)[0] == item


def test_what_follows_a_fault_is_read_where_it_begins() -> None:
    sent = b"NOOP {101+}\r\n" + b"LOGOUT\r\n" * 12 + b"LOGOU" + b'\r\nNOOP ( {7+}\r\nLOGOUT \r\nNOOP "next"\r\n'
    assert [type(item) for item in items([sent])] == [Fault, Fault, Command]
    assert items([sent])[-1] == Command("NOOP", (b"next",))


def test_an_answer_has_no_name() -> None:
    wire = Wire(200, 100)
    for sent, argument in ((b'"abc"\r\n', b"abc"), (b"{3+}\r\nabc\r\n", b"abc"), (b'"*"\r\n', b"*")):
        wire.answering = True
        wire.feed(sent)
        assert wire.next() == Command("", (argument,))
    wire.feed(b"NOOP\r\n")
    assert wire.next() == Command("NOOP", ())


def test_what_was_sent_in_clear_is_dropped() -> None:
    wire = Wire(200, 100)
    wire.feed(b'STARTTLS\r\nPUTSCRIPT "a" {50+}\r\nkee')
    assert wire.next() == Command("STARTTLS", ())
    assert wire.next() is None
    wire.drop()
    wire.feed(b"NOOP\r\n")
    assert wire.next() == Command("NOOP", ())


_PIECES = st.sampled_from(
    [
        b"NOOP",
        b" ",
        b"\r\n",
        b"\n",
        b'"',
        b'"a"',
        b"{3+}\r\n",
        b"{2}\r\n",
        b"{200+}\r\n",
        b"abc",
        b"12",
        b"\\",
        b"(",
        b"\0",
    ]
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(_PIECES, max_size=40).map(b"".join), st.integers(1, 7))
def test_bytes_give_the_same_however_they_are_cut(sent: bytes, size: int) -> None:
    whole = items([sent], line=60, literal=5)
    assert items([sent[at : at + size] for at in range(0, len(sent), size)], line=60, literal=5) == whole
    for item in whole:
        if isinstance(item, Command):
            assert all(isinstance(a, int) or len(a) <= 60 for a in item.arguments)


@given(st.binary(max_size=1200))
def test_a_string_is_read_as_it_was_written(value: bytes) -> None:
    wire = Wire(5000, 5000)
    wire.feed(b"NOOP " + string(value) + b"\r\n")
    assert wire.next() == Command("NOOP", (value,))


def test_responses() -> None:
    assert response("OK") == b"OK\r\n"
    assert response("NO", 'a "b"', "QUOTA/MAXSIZE") == b'NO (QUOTA/MAXSIZE) "a \\"b\\""\r\n'
    assert response("OK", "done", "TAG", b"x\r\n") == b'OK (TAG {3}\r\nx\r\n) "done"\r\n'
