"""SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7): a list of names, which outlives the mailboxes."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.session import LOGGED_IN


@command("SUBSCRIBE", when=LOGGED_IN)
async def subscribe(c: Conversation, args: Cursor) -> Reply:
    args.space()
    name = args.mailbox()
    args.end()
    await c.store.mailboxes.subscribe(c.account.id, c.named(name).name, True)
    return ok("subscribed")


@command("UNSUBSCRIBE", when=LOGGED_IN)
async def unsubscribe(c: Conversation, args: Cursor) -> Reply:
    args.space()
    name = args.mailbox()
    args.end()
    await c.store.mailboxes.subscribe(c.account.id, name, False)
    return ok("no longer subscribed")
