"""UNSELECT (RFC 3691): leave the mailbox without expunging."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.session import SELECTED


@command("UNSELECT", when=SELECTED, capability="UNSELECT")
async def unselect(c: Conversation, args: Cursor) -> Reply:
    args.end()
    await c.leave()
    return ok("left")
