"""STARTTLS (RFC 3501 §6.2.1): everything after the OK is TLS, everything before it is forgotten."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import announce, command
from gk.imap.reply import Reply, bad, ok
from gk.imap.session import FRESH

announce("STARTTLS", lambda session: session.can_start_tls)


@command("STARTTLS", when=FRESH)
async def starttls(c: Conversation, args: Cursor) -> Reply | None:
    args.end()
    if not c.session.can_start_tls:
        return bad("there is no TLS to start here")
    c.answer(ok("begin TLS now"))
    await c.start_tls()
    return None
