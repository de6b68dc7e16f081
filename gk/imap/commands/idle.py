"""IDLE (RFC 2177): news are written the moment they are committed, without waking a task."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.session import LOGGED_IN


@command("IDLE", when=LOGGED_IN, capability="IDLE")
async def idle(c: Conversation, args: Cursor) -> Reply:
    args.end()
    view = c.session.selected
    c.write_now(b"+ idling\r\n")
    if view is None:
        return await _until_done(c)

    def push() -> None:
        if view.snapshot.deleted:
            c.end("the selected mailbox was deleted")
        elif c.writable and (news := view.news()):  # else on_writable comes back: one client's backlog stays small
            c.write_now(news)

    view.snapshot.listeners.add(push)
    c.on_writable(push)
    try:
        push()  # what happened before the listener was there
        return await _until_done(c)
    finally:
        c.on_writable(None)
        view.snapshot.listeners.discard(push)


async def _until_done(c: Conversation) -> Reply:
    line = await c.line()
    if line.upper() != b"DONE":
        raise BadSyntax("DONE is expected")
    return ok("no longer idling")
