"""COMPRESS=DEFLATE (RFC 4978): the same answers, and no room for a few bytes that stand for very many."""

import asyncio
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.imap.deflate import BadStream, Deflate
from tests.imap.client import Client, message
from tests.imap.conftest import House


class Squeezed:
    """A client's side of a compressed session."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._in = zlib.decompressobj(-15)
        self._out = zlib.compressobj(9, zlib.DEFLATED, -15)

    def send(self, data: bytes) -> None:
        self._client.send(self._out.compress(data) + self._out.flush(zlib.Z_SYNC_FLUSH))

    async def until(self, end: bytes) -> bytes:
        out = b""
        while end not in out:
            async with asyncio.timeout(20):
                data = await self._client.reader.read(65536)
            assert data, out[-200:]
            out += self._in.decompress(data)
        return out


async def _compressed(imap: House) -> Squeezed:
    client = await Client.login(imap.port)
    assert await client.ok("COMPRESS DEFLATE") == []
    return Squeezed(client)


async def test_a_compressed_session_answers_as_any_other(imap: House) -> None:
    client = await _compressed(imap)
    text = message("squeezed", 200_000)
    client.send(b"a APPEND INBOX {%d+}\r\n%b\r\nb SELECT INBOX\r\nc FETCH 1 BODY[]\r\n" % (len(text), text))
    out = await client.until(b"c OK")
    assert b"a OK [APPENDUID" in out and b"* 1 EXISTS" in out and text in out


async def test_a_second_layer_is_refused_and_no_longer_offered(imap: House) -> None:
    client = await _compressed(imap)
    client.send(b"a COMPRESS DEFLATE\r\nb CAPABILITY\r\n")
    out = await client.until(b"b OK")
    assert b"a NO [COMPRESSIONACTIVE]" in out
    assert b"COMPRESS=DEFLATE" not in out


async def test_broken_compression_ends_the_session(imap: House) -> None:
    client = await Client.login(imap.port)
    await client.ok("COMPRESS DEFLATE")
    client.send(b"\xff\xff not deflate")
    assert b"BYE" in zlib.decompressobj(-15).decompress(await client.rest())


async def test_a_bomb_is_counted_as_any_line_is(imap: House) -> None:
    client = await _compressed(imap)
    client.send(b"a NOOP" + b" " * (64 << 20))
    assert b"BYE the line is too long" in await client.until(b"BYE")


def test_no_more_is_expanded_than_asked_for() -> None:
    deflate, out = Deflate(), zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = out.compress(b"x" * (8 << 20)) + out.flush(zlib.Z_SYNC_FLUSH)
    deflate.feed(bomb)
    pieces = []
    while piece := deflate.take(1000):
        pieces.append(piece)
    assert max(map(len, pieces)) == 1000
    assert sum(map(len, pieces)) == 8 << 20


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 64))
def test_what_goes_in_comes_out(pieces: list[bytes], most: int) -> None:
    deflate, out = Deflate(), zlib.compressobj(6, zlib.DEFLATED, -15)
    got = b""
    for piece in pieces:
        deflate.feed(out.compress(piece) + out.flush(zlib.Z_SYNC_FLUSH))
        while taken := deflate.take(most):
            got += taken
    assert got == b"".join(pieces)


@given(st.binary(max_size=200))
def test_any_bytes_give_bytes_or_a_bad_stream(data: bytes) -> None:
    deflate = Deflate()
    deflate.feed(data)
    try:
        while deflate.take(64):
            pass
    except BadStream:
        pass


def test_an_ended_stream_is_broken() -> None:
    deflate = Deflate()
    out = zlib.compressobj(6, zlib.DEFLATED, -15)
    deflate.feed(out.compress(b"x") + out.flush())
    with pytest.raises(BadStream):
        deflate.take(10)
