"""CLOSE (RFC 3501 §6.4.2): expunge without a word and leave the mailbox."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.session import SELECTED


@command("CLOSE", when=SELECTED)
async def close(c: Conversation, args: Cursor) -> Reply:
    args.end()
    if not c.view.read_only:
        await c.store.mailboxes.expunge(c.mailbox, None)
    await c.leave()
    return ok("closed")
