"""DELETE (RFC 3501 §6.3.4); names below stay. Whoever had the mailbox selected is told at once."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.session import LOGGED_IN


@command("DELETE", when=LOGGED_IN)
async def delete(c: Conversation, args: Cursor) -> Reply:
    args.space()
    name = args.mailbox()
    args.end()
    mailbox = c.named(name)
    await c.store.mailboxes.delete(c.account.id, mailbox.name)
    if c.session.selected is not None and c.mailbox.id == mailbox.id:
        await c.leave()
        c.tell(b"* OK [CLOSED] the selected mailbox was deleted\r\n")
    return ok("deleted")
