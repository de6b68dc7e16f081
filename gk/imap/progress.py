"""INPROGRESS (RFC 9585): what a long command tells of how far it is, so that nobody takes it for dead."""

import asyncio
from collections.abc import Callable
from typing import Self

from gk.imap.conversation import Conversation

FIRST, AGAIN = 1.0, 3.0  # seconds from the command to the first word, and from one to the next


class Progress:
    """Tells from a timer while the block runs; what runs there must tell nothing itself until it is left.

    `work` gives what is done and what there is to do.
    """

    def __init__(self, c: Conversation, work: Callable[[], tuple[int, int]]) -> None:
        self._c, self._work = c, work
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        self._timer = self._loop.call_later(FIRST, self._tick)
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _tick(self) -> None:
        if self._c.writable:  # a client that does not read is told nothing more
            self._c.write_now(line(self._c.tag, *self._work()))
        self._timer = self._loop.call_later(AGAIN, self._tick)


def line(tag: bytes, done: int, total: int) -> bytes:
    """`* OK [INPROGRESS ("tag" 175 1000)] …`; what is done stays below what there is to do (RFC 9585 §4)."""
    state = b"%d %d" % (min(done, total - 1), total) if total > 0 else b"NIL NIL"
    return b'* OK [INPROGRESS ("%b" %b)] still searching\r\n' % (tag, state)
