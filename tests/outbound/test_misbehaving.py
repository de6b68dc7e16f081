"""Exchangers that misbehave: each in its own way, and what becomes of a message there.

`sent`: taken, exactly once. `deferred`: tried again later. `bounced`: refused for good. Nothing is bounced for a fault
of the connection, and nothing counts as sent that the server did not take with a 2xx to the end of the data.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from gk.outbound.answer import Answer
from tests.outbound.conftest import CONTENT, Post
from tests.strangers import MxSession, Reply, drop, hang

Play = Callable[[MxSession], Awaitable[object]]
LARGE = CONTENT + (b"y" * 76 + b"\r\n") * 200_000
EIGHT = CONTENT + "é".encode() + b"\r\n"
QUIET = ("8BITMIME", "SIZE 100000000")  # extensions of a server that takes one command at a time


def said(*pieces: bytes) -> Play:
    """Say it in these pieces, each a segment of its own."""

    async def say(session: MxSession) -> bytes:
        for piece in pieces:
            session.writer.write(piece)
            await session.writer.drain()
            await asyncio.sleep(0)
        return b"".join(pieces)

    return say


def segments(reply: bytes) -> Play:
    """Say it in segments of one byte."""
    return said(*(reply[n : n + 1] for n in range(len(reply))))


def then(reply: bytes, play: Play) -> Play:
    """Say it, then do something."""

    async def both(session: MxSession) -> None:
        session.writer.write(reply)
        await session.writer.drain()
        await play(session)

    return both


async def reset(session: MxSession) -> None:
    """End the connection with a RST."""
    session.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await drop(session)


async def half_close(session: MxSession) -> None:
    """Send a FIN and go on reading."""
    session.writer.write_eof()
    await hang(session)


async def forever(session: MxSession) -> None:
    """A reply whose last line never comes."""
    while True:
        session.writer.write(b"250-more\r\n")
        await session.writer.drain()
        await asyncio.sleep(0.01)


async def deaf(session: MxSession) -> None:
    """Take the connection and read nothing from it any more."""
    session.reader._transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(3600)


async def parrot(session: MxSession) -> None:
    """Repeat whatever is said."""
    session.writer.write(b"220 ready\r\n")
    while line := await session.reader.readline():
        session.writer.write(line)


async def keep_first_line(session: MxSession) -> None:
    """Offer PIPELINING, answer the first command and lose what came with it."""
    session.writer.write(b"250 2.1.0 ok\r\n")
    session.reader._buffer.clear()  # type: ignore[attr-defined]
    await hang(session)


def late(reply: bytes) -> Play:
    """Say it after a while, but not too late."""

    async def say(session: MxSession) -> bytes:
        await asyncio.sleep(0.15)
        session.writer.write(reply)
        return reply

    return say


@dataclass(frozen=True)
class Case:
    """How it misbehaves: replies by step, and what it offers; the message it is offered; what becomes of it."""

    name: str
    replies: dict[str, Reply | list[Reply]]
    outcome: str
    says: str = ""
    content: bytes = CONTENT
    more: dict[str, Any] = field(default_factory=dict)


OTHER_CODES = {  # a reply that is neither what the step asks for nor a refusal
    "banner": (b"250", b"354", b"211"), "EHLO": (b"220", b"354"), "MAIL": (b"354",), "RCPT": (b"354",),
    "DATA": (b"250", b"220", b"334"), "end": (b"354", b"334"),
}  # fmt: skip

CASES = [
    *(Case(f"421 at {step}", {step: b"421 4.3.2 going down\r\n"}, "deferred", "4.3.2 going down")
      for step in ("banner", "EHLO", "MAIL", "RCPT", "DATA", "end")),
    *(Case(f"421 and the end at {step}", {step: then(b"421 4.3.2 going down\r\n", drop)}, "deferred", "going down")
      for step in ("banner", "EHLO", "MAIL", "RCPT", "DATA", "end")),
    *(Case(f"{code.decode()} at {step}", {step: code + b" what now\r\n"}, "deferred")
      for step, codes in OTHER_CODES.items() for code in codes),
    *(Case(f"a reset at {step}", {step: reset}, "deferred")
      for step in ("banner", "EHLO", "MAIL", "RCPT", "DATA", "end")),
    *(Case(f"half a connection at {step}", {step: half_close}, "deferred", "the connection was lost")
      for step in ("banner", "EHLO", "MAIL", "end")),
    *(Case(f"a reply without an end at {step}", {step: forever}, "deferred")
      for step in ("banner", "EHLO", "MAIL", "end")),
    *(Case(f"the code {code!r} at RCPT", {"RCPT": code + b" ok\r\n"}, "deferred")
      for code in (b"999", b"600", b"099", b"199", b"000", b"25", b"2500", b"abc", b"+50", b"\xb2\xb5\xb0")),
    # Talking to something else
    Case("a web server", {"banner": then(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", drop)}, "deferred"),
    Case("a login by ssh", {"banner": b"SSH-2.0-OpenSSH_9.2p1\r\n"}, "deferred"),
    Case("a server that waits for TLS", {"banner": hang}, "deferred", "did not answer in time"),
    Case("an alert of TLS", {"banner": then(b"\x15\x03\x01\x00\x02\x02\x46", drop)}, "deferred"),
    Case("a parrot", {"banner": parrot}, "deferred"),
    Case("a mail store", {"banner": b"* OK IMAP4rev1 ready\r\n"}, "deferred"),
    # Odd, and good enough
    Case("a banner of many lines", {"banner": b"220-one\r\n220-two\r\n220 three\r\n"}, "sent"),
    Case("a banner without words", {"banner": b"220\r\n"}, "sent"),
    Case("a banner that comes late", {"banner": late(b"220 ready\r\n")}, "sent"),
    Case("a banner after a pause", {"banner": said(b"22", b"0 ready", b"\r\n")}, "sent"),
    Case("codes without words",
         {"MAIL": b"250\r\n", "RCPT": b"250\r\n", "DATA": b"354\r\n", "end": b"250\r\n"}, "sent"),
    Case("segments of one byte", {step: segments(reply) for step, reply in (
        ("banner", b"220 ready\r\n"), ("MAIL", b"250 ok\r\n"), ("RCPT", b"250-o\r\n250 k\r\n"), ("DATA", b"354 go\r\n"),
        ("end", b"250 kept\r\n"))}, "sent"),
    Case("line feeds alone",
         {"banner": b"220 x\n", "MAIL": b"250 ok\n", "RCPT": b"250 ok\n", "DATA": b"354 go\n", "end": b"250 kept\n"},
         "sent"),
    Case("replies of many lines", dict.fromkeys(("MAIL", "RCPT", "end"), b"250-a\r\n250-\r\n250 c\r\n"), "sent"),
    Case("a NUL in a reply", {"end": b"250 2.0.0 ke\0pt\r\n"}, "sent", "2.0.0 ke pt"),
    Case("a NUL in a refusal", {"RCPT": b"550 5.1.1 n\0\0o\r\n"}, "bounced", "5.1.1 n o"),
    Case("control sequences in a refusal", {"RCPT": b"550 5.1.1 \x1b[2J\x07no\r\n"}, "bounced", "5.1.1 [2J no"),
    Case("recipients that are forwarded", {"RCPT": b"251 2.1.5 will forward\r\n"}, "sent"),
    Case("recipients that cannot be verified", {"RCPT": b"252 2.1.5 perhaps\r\n"}, "sent"),
    Case("several codes in one reply", {"RCPT": b"250-yes\r\n550 5.1.1 no\r\n"}, "bounced", "yes 5.1.1 no"),
    Case("a tab after the code", {"RCPT": b"250\tok\r\n"}, "deferred"),
    Case("no line end at all", {"RCPT": b"250 ok"}, "deferred", "did not answer in time"),
    Case("extensions nobody knows",
         {"EHLO": b"250-hi\r\n250-\r\n250-=?x?=\r\n250-\x00\xff\r\n250-X Y Z\r\n250 8BITMIME\r\n"}, "sent"),
    Case("only one line for EHLO", {"EHLO": b"250 hi\r\n"}, "sent"),
    # EHLO and what it offers
    Case("EHLO refused, HELO taken", {"EHLO": b"500 5.5.1 what?\r\n"}, "sent"),
    Case("EHLO and HELO refused", {"EHLO": b"502 5.5.1 no\r\n", "HELO": b"550 5.7.1 go away\r\n"}, "bounced",
         "5.7.1 go away"),
    Case("EHLO refused for now", {"EHLO": b"450 4.7.1 greylisted\r\n"}, "deferred", "4.7.1 greylisted"),
    Case("the end after a refused EHLO", {"EHLO": then(b"500 5.5.1 what?\r\n", drop)}, "deferred"),
    Case("a SIZE too small, and refused", {"MAIL": b"552 5.3.4 too big\r\n"}, "bounced", "5.3.4 too big",
         more={"extensions": ("SIZE 10",)}),
    Case("a SIZE too small, and taken", {}, "sent", more={"extensions": ("SIZE 10",)}),
    Case("a SIZE that is no number", {}, "sent", more={"extensions": ("SIZE many",)}),
    Case("no 8BITMIME", {}, "sent", content=EIGHT, more={"extensions": ("PIPELINING",)}),
    Case("8BITMIME offered and refused", {"MAIL": b"555 5.5.4 BODY?\r\n"}, "bounced", "5.5.4 BODY?", content=EIGHT),
    Case("a login is wanted", {"MAIL": b"530 5.7.0 log in first\r\n"}, "bounced", "5.7.0 log in first"),
    # PIPELINING that is none
    Case("commands behind the first are lost", {"MAIL": keep_first_line}, "deferred", "did not answer in time"),
    Case("MAIL refused and DATA taken", {"MAIL": b"550 5.7.1 no\r\n"}, "bounced", "5.7.1 no"),
    Case("RCPT refused and DATA taken", {"RCPT": b"550 5.1.1 no\r\n"}, "bounced", "5.1.1 no"),
    Case("a reply too many at RCPT", {"RCPT": b"250 ok\r\n250 ok\r\n"}, "deferred"),
    Case("a reply too many at RCPT, step by step", {"RCPT": b"250 ok\r\n250 ok\r\n"}, "deferred",
         more={"extensions": QUIET}),
    Case("all replies at the banner",
         {"banner": b"220 hi\r\n250 hi\r\n250 ok\r\n250 ok\r\n354 go\r\n250 kept\r\n"}, "deferred"),
    # Around the message
    Case("the end after 354", {"DATA": then(b"354 go\r\n", drop)}, "deferred"),
    Case("deaf after 354", {"DATA": then(b"354 go\r\n", deaf)}, "deferred", "did not answer in time", content=LARGE),
    Case("a reset within the message", {"DATA": then(b"354 go\r\n", reset)}, "deferred", content=LARGE),
    Case("refused at the end", {"end": b"554 5.7.1 spam\r\n"}, "bounced", "5.7.1 spam"),
    Case("put off at the end", {"end": b"451 4.7.1 greylisted\r\n"}, "deferred", "4.7.1 greylisted"),
    Case("DATA refused after its recipients", {"DATA": b"554 5.5.1 no valid recipients\r\n"}, "bounced"),
    Case("taken, and the end", {"end": then(b"250 2.0.0 kept\r\n", drop)}, "sent", "2.0.0 kept"),
    Case("taken, and a reset", {"end": then(b"250 2.0.0 kept\r\n", reset)}, "sent"),
    Case("taken, and nonsense", {"end": b"250 2.0.0 kept\r\nand more\r\n"}, "sent", "2.0.0 kept"),
    Case("taken, and QUIT is not answered", {"QUIT": hang}, "sent"),
    Case("taken a little late", {"end": late(b"250 2.0.0 kept\r\n")}, "sent"),
    # Codes that contradict themselves: the three digits count (RFC 2034 §4)
    Case("a 5xx that says 4", {"RCPT": b"550 4.2.2 full\r\n"}, "bounced", "4.2.2 full"),
    Case("a 4xx that says 5", {"RCPT": b"450 5.1.1 who?\r\n"}, "deferred", "5.1.1 who?"),
]  # fmt: skip


def outcome(answer: Answer) -> str:
    return "sent" if answer.accepted else "bounced" if answer.permanent else "deferred"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_message_has_the_end_it_must_have(post: Post, case: Case) -> None:
    mx = await post.stranger(dict(case.replies), **case.more)
    began = time.monotonic()
    (answer,) = await post.deliver(content=case.content)
    assert outcome(answer) == case.outcome, answer
    if not callable(case.replies.get("end")):  # else it does not keep what it takes
        assert len([each for each in mx.kept if each.content]) == (case.outcome == "sent"), answer
    assert case.says in answer.text and answer.text.isprintable()
    assert mx.sessions == 1
    assert time.monotonic() - began < 20


def test_there_are_enough_of_them_and_no_two_are_the_same() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 80


# --- STARTTLS that comes to nothing: mail that may go in clear does, in a session of its own (RFC 7435) ---------------


async def junk(session: MxSession) -> None:
    """Agree to TLS and speak something else."""
    session.writer.write(b"220 go ahead\r\n")
    await session.reader.read(1)
    session.writer.write(b"250 what is that\r\n" * 20)
    await hang(session)


TLS_FAULTS: dict[str, Play] = {
    "no handshake": then(b"220 go ahead\r\n", hang),
    "the end in place of a handshake": then(b"220 go ahead\r\n", drop),
    "a reset in place of a handshake": then(b"220 go ahead\r\n", reset),
    "junk in place of a handshake": junk,
    "an answer that never comes": hang,
    "the end at STARTTLS": drop,
    "a reply without an end at STARTTLS": forever,
}


@pytest.mark.parametrize("fault", TLS_FAULTS)
async def test_what_goes_wrong_with_tls_costs_a_session_and_no_message(post: Post, fault: str) -> None:
    extensions = ("PIPELINING", "8BITMIME", "STARTTLS")
    mx = await post.stranger({"STARTTLS": TLS_FAULTS[fault]}, extensions=extensions)
    (answer,) = await post.deliver()
    assert answer.accepted and answer.tls is None
    assert len(mx.kept) == 1 and mx.sessions == 2


@pytest.mark.parametrize("reply", [b"454 4.7.0 not now\r\n", b"502 5.5.1 what?\r\n", b"250 ok\r\n", b"354 go\r\n"])
async def test_a_starttls_that_is_refused_is_done_without(post: Post, reply: bytes) -> None:
    mx = await post.stranger({"STARTTLS": reply}, extensions=("PIPELINING", "STARTTLS"))
    (answer,) = await post.deliver()
    assert answer.accepted and answer.tls is None
    assert len(mx.kept) == 1 and mx.sessions == 1
