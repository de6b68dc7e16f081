"""rspamd over HTTP, against a server that speaks as it does."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.config import Rspamd as Table
from gk.inbound.incoming import Message
from gk.inbound.spam.outside import NoAnswer, Opinion
from gk.inbound.spam.rspamd import Rspamd, head, opinion
from tests.inbound.spam.beside import CAME, LETTER, FakeRspamd, answer, incoming, serving


async def ask(address: str, message: Message = LETTER, **table: Any) -> Opinion:
    return await Rspamd(Table(address=address, **table)).ask(incoming(), message)


async def test_it_is_told_the_envelope_and_its_score_counts_with_a_weight() -> None:
    rspamd = FakeRspamd()
    async with serving(rspamd.talk) as there:
        said = await ask(there, weight=0.5)
        assert (await ask(there, weight=2.0, most=7.5)).hits[0].points == 7.5
    assert said.action == "" and said.hits[0].points == 3.2
    assert said.hits[0].text == "6.4 of 15.0 (add header): BAYES_SPAM +5.1, R_SPF_FAIL +1.0"
    asked, body = rspamd.seen[0]
    assert asked[0] == "POST /checkv2 HTTP/1.1" and body == CAME
    assert asked[5:] == [
        "Queue-Id: id1", "IP: 192.0.2.1", "Helo: mx.example.org", "From: eve@example.org",
        "Rcpt: alice@example.test", "Rcpt: bob@example.test",
    ]  # fmt: skip


async def test_a_large_message_is_shown_whole() -> None:
    rspamd, content = FakeRspamd(score=-3.0), b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 40_000
    async with serving(rspamd.talk) as there:
        assert (await ask(there, Message(content))).hits[0].points == -1.5
    assert rspamd.seen[0][1] == content


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"HTTP/1.1 503 busy\r\nContent-Length: 0\r\n\r\n", "503"),
        (b"220 mail.example ESMTP\r\n\r\n", "ESMTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "chunks"),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", "no length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{}", "longer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}", "no length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "no score"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{]}", "no JSON"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * (256 << 10), "too long"),
    ],
)
async def test_what_is_no_answer_is_said_to_be_none(raw: bytes, reason: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"Words.\r\n")
        writer.write(raw)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    async with serving(talk) as there:
        with pytest.raises(NoAnswer, match=reason):
            await ask(there)


async def test_an_answer_that_is_cut_off_is_none() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"Words.\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

    async with serving(talk) as there:
        with pytest.raises(EOFError):
            await ask(there)


def test_nothing_in_an_envelope_makes_another_field() -> None:
    came = incoming()
    for text in (b"a\r\nRcpt: x@y", b"\x00\x7f\x85"):
        odd = head(came.__class__(text.decode("latin-1"), came.client, None, False, came.recipients), "h\r\nX: y", 1)
        assert odd.count(b"\r\n") == head(came, "h", 1).count(b"\r\n")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("score", "required_score", "action", "symbols"), json_values))
    | json_values
)
def test_any_json_is_points_within_bounds_or_no_answer(value: Any) -> None:
    try:
        said = opinion(json.dumps(value).encode(), 0.5, 10.0)
    except NoAnswer:
        return
    assert -10.0 <= said.hits[0].points <= 10.0 and len(said.hits[0].text) < 2000


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"score": ' + b"9" * 5000 + b"}", b'{"score": NaN}', b"\xff", b""])
def test_hostile_json_is_no_answer(body: bytes) -> None:
    with pytest.raises(NoAnswer):
        opinion(body, 0.5, 10.0)


def test_a_thousand_symbols_are_a_few_words() -> None:
    many = {f"S{n}" * 100: {"score": n} for n in range(1000)}
    assert len(opinion(json.dumps({**answer(1.0), "symbols": many}).encode(), 1, 10).hits[0].text) < 1000
