"""LSUB (RFC 3501 §6.3.9): the names subscribed to, whether or not there are such mailboxes."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.patterns import Pattern
from gk.imap.registry import command
from gk.imap.reply import Reply, mailbox, ok
from gk.imap.session import LOGGED_IN
from gk.store.values import DELIMITER


@command("LSUB", when=LOGGED_IN)
async def lsub(c: Conversation, args: Cursor) -> Reply:
    args.space()
    reference = args.astring()
    args.space()
    text = args.pattern()
    args.end()
    pattern = Pattern(reference, text)
    subscribed = c.store.mailboxes.subscribed(c.account.id)
    names = {name: b"" for name in subscribed if pattern.matches(name)}
    if text.endswith(b"%"):  # a superior of what is subscribed shows where % cannot reach further
        for name in subscribed:
            levels = name.split(DELIMITER)
            for depth in range(1, len(levels)):
                superior = DELIMITER.join(levels[:depth])
                if superior not in subscribed and pattern.matches(superior):
                    names[superior] = b"\\Noselect"
    for name in sorted(names, key=lambda n: (n != "INBOX", n)):
        c.tell(b'* LSUB (%b) "/" %b\r\n' % (names[name], mailbox(name)))
    return ok("those are they")
