"""LOGOUT (RFC 3501 §6.1.3)."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.session import ANY


@command("LOGOUT", when=ANY)
async def logout(c: Conversation, args: Cursor) -> Reply | None:
    args.end()
    c.tell(b"* BYE see you\r\n")
    c.answer(ok("logged out"))
    c.session.ending = True
    await c.leave()
    return None
