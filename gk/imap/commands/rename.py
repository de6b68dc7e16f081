"""RENAME (RFC 3501 §6.3.5), with the names below; of INBOX it moves the messages."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.session import LOGGED_IN
from gk.store.values import DELIMITER


@command("RENAME", when=LOGGED_IN)
async def rename(c: Conversation, args: Cursor) -> Reply:
    args.space()
    old = args.mailbox()
    args.space()
    new = args.mailbox()
    args.end()
    await c.store.mailboxes.rename(c.account.id, old, new.removesuffix(DELIMITER) if len(new) > 1 else new)
    return ok("renamed")
