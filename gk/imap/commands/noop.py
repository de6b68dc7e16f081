"""NOOP and CHECK (RFC 3501 §6.1.2, §6.4.1): the answer brings the news; nothing is ever unsaved here."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.session import ANY, SELECTED


@command("NOOP", when=ANY)
async def noop(c: Conversation, args: Cursor) -> Reply:
    args.end()
    return ok("done")


@command("CHECK", when=SELECTED)
async def check(c: Conversation, args: Cursor) -> Reply:
    args.end()
    return ok("all is on disk")
