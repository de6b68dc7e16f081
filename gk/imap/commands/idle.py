"""IDLE (RFC 2177): news are written the moment they are committed, without waking a task."""

import asyncio
from collections.abc import Iterator

from gk.imap.conversation import Conversation
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.session import LOGGED_IN
from gk.imap.view import View


@command("IDLE", when=LOGGED_IN, capability="IDLE")
async def idle(c: Conversation, args: Cursor) -> Reply:
    args.end()
    view = c.session.selected
    c.write_now(b"+ idling\r\n")
    if view is None or c.notifying is not None:  # NOTIFY says what is told, idling or not
        return await _until_done(c)
    pushing = _Pushing(c, view)
    view.snapshot.listeners.add(pushing.push)
    c.on_writable(pushing.push)
    try:
        pushing.push()  # what happened before the listener was there
        return await _until_done(c)
    finally:
        c.on_writable(None)
        view.snapshot.listeners.discard(pushing.push)
        pushing.stop()


class _Pushing:
    """Writes news at once, long ones in pieces between which others have their turn, none to a client that is slow."""

    def __init__(self, c: Conversation, view: View) -> None:
        self._c, self._view = c, view
        self._pieces: Iterator[bytes] | None = None
        self._turn: asyncio.Handle | None = None

    def push(self) -> None:
        if self._view.snapshot.deleted:
            self._c.end("the selected mailbox was deleted")
        elif self._turn is None and self._c.writable:
            if self._pieces is None and self._view.behind:
                self._pieces = self._view.news()
            if self._pieces is not None:
                self._piece(self._pieces)

    def _piece(self, pieces: Iterator[bytes]) -> None:
        piece = next(pieces, None)
        if piece is None:
            self._pieces = None
            if not self._view.behind:
                return
        elif piece:
            self._c.write_now(piece)
        self._turn = asyncio.get_running_loop().call_soon(self._again)

    def _again(self) -> None:
        self._turn = None
        self.push()

    def stop(self) -> None:
        """No more pushes; what is left of the news goes with the answer."""
        if self._turn is not None:
            self._turn.cancel()
        if self._pieces is not None:
            self._c.tell(*self._pieces)


async def _until_done(c: Conversation) -> Reply:
    line = await c.line()
    if line.upper() != b"DONE":
        raise BadSyntax("DONE is expected")
    return ok("no longer idling")
