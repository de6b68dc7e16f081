"""LSUB (RFC 3501 §6.3.9): the names subscribed to, whether or not there are such mailboxes."""

from gk.imap.commands.list import superiors
from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.patterns import Pattern
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.session import LOGGED_IN


@command("LSUB", when=LOGGED_IN)
async def lsub(c: Conversation, args: Cursor) -> Reply:
    args.space()
    reference = args.astring()
    args.space()
    text = args.pattern()
    args.end()
    pattern = Pattern(reference, text, utf8=c.session.utf8)
    subscribed = c.store.mailboxes.subscribed(c.account.id)
    names: dict[str, bytes] = {}
    for name in subscribed:
        if pattern.matches(name):
            names[name] = b""
        if text.endswith(b"%"):  # a superior of what is subscribed shows where % cannot reach further
            for superior in superiors([name]):
                if superior not in subscribed and pattern.matches(superior):
                    names[superior] = b"\\Noselect"
        await c.breathe()
    for name in sorted(names, key=lambda n: (n != "INBOX", n)):
        c.tell(b'* LSUB (%b) "/" %b\r\n' % (names[name], c.spelled(name)))
        await c.breathe()
    return ok("those are they")
