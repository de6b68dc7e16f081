"""STATUS (RFC 3501 §6.3.10; SIZE: RFC 8438, DELETED: RFC 9051, HIGHESTMODSEQ: RFC 7162, MAILBOXID: RFC 8474)."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, mailbox, ok
from gk.imap.session import LOGGED_IN
from gk.store.values import Mailbox

ITEMS = {
    b"MESSAGES": "messages",
    b"RECENT": "recent",
    b"UIDNEXT": "uidnext",
    b"UIDVALIDITY": "uidvalidity",
    b"UNSEEN": "unseen",
    b"DELETED": "deleted",
    b"SIZE": "size",
    b"HIGHESTMODSEQ": "modseq",
}


@command("STATUS", when=LOGGED_IN, capability="STATUS=SIZE")
async def status(c: Conversation, args: Cursor) -> Reply:
    args.space()
    name = args.mailbox()
    args.space()
    items = status_items(args)
    args.end()
    c.tell(status_line(c, c.named(name), items))
    return ok("that is how it is")


def status_items(args: Cursor) -> tuple[bytes, ...]:
    """`(MESSAGES UNSEEN …)`."""
    items = tuple(dict.fromkeys(args.listed(args.word, 20)))
    if not items or any(item not in ITEMS and item != b"MAILBOXID" for item in items):
        raise BadSyntax("an unknown status item")
    return items


def status_line(c: Conversation, box: Mailbox, items: tuple[bytes, ...]) -> bytes:
    """The untagged STATUS of a mailbox."""
    if b"HIGHESTMODSEQ" in items:
        c.session.enable("CONDSTORE")  # RFC 7162 §3.1
    values = c.store.mailboxes.status(box)
    parts = [
        b"MAILBOXID (M%d)" % box.id if item == b"MAILBOXID" else b"%b %d" % (item, getattr(values, ITEMS[item]))
        for item in items
    ]
    return b"* STATUS %b (%b)\r\n" % (mailbox(box.name), b" ".join(parts))
