"""The two streams of COMPRESS=DEFLATE (RFC 4978, RFC 1951): bytes in, bytes out, never more at once than asked for."""

import zlib

LEVEL = 1  # mail is text: higher levels cost more time than they save octets
WINDOW, MEMORY = -13, 6  # of what we compress: 48 KiB a session
CLIENTS_WINDOW = -15


class BadStream(Exception):
    """What the client sent is not a deflate stream."""


class Deflate:
    """One session's compression. A few bytes can stand for very many: they are expanded only as they are taken."""

    __slots__ = ("_in", "_more", "_out", "_waiting")

    def __init__(self) -> None:
        self._in = zlib.decompressobj(CLIENTS_WINDOW)
        self._out = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW, MEMORY)
        self._waiting = b""
        self._more = False  # there may be output left that needs no further input

    @property
    def waiting(self) -> int:
        """Compressed bytes not expanded yet."""
        return len(self._waiting)

    def feed(self, data: bytes) -> None:
        self._waiting += data

    def take(self, most: int) -> bytes:
        """At most `most` expanded bytes, b"" when there are none yet; raises BadStream."""
        if not self._waiting and not self._more:
            return b""
        try:
            data = self._in.decompress(self._waiting, most)
        except zlib.error:
            raise BadStream("the compressed data is broken") from None
        if self._in.eof:
            raise BadStream("the compressed data has an end")
        self._waiting, self._more = self._in.unconsumed_tail, len(data) == most
        return data

    def compress(self, data: bytes) -> bytes:
        """The same bytes compressed, complete enough for the client to expand all of them now."""
        return self._out.compress(data) + self._out.flush(zlib.Z_SYNC_FLUSH)
