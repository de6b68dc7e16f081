"""NOTIFY (RFC 5465): be told of changes in any mailbox, without asking and without IDLE."""

from gk.imap import notify
from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.notify import BadEvent
from gk.imap.notifying import Notifying
from gk.imap.registry import command
from gk.imap.reply import Reply, no, ok
from gk.imap.session import LOGGED_IN


@command("NOTIFY", when=LOGGED_IN, capability="NOTIFY")
async def set_notify(c: Conversation, args: Cursor) -> Reply:
    args.space()
    try:
        wanted = notify.parse(args)
    except BadEvent as error:
        return no(str(error), f"BADEVENT ({notify.SPELLED})")
    c.notify(None)
    if wanted is not None:
        notifying = Notifying(c, wanted, c.wake)
        c.notify(notifying)
        if wanted.status:
            await notifying.statuses()
    return ok("so be it")
