"""STATUS (RFC 3501 §6.3.10; SIZE: RFC 8438, DELETED: RFC 9051, HIGHESTMODSEQ: RFC 7162, MAILBOXID: RFC 8474,
APPENDLIMIT: RFC 7889, DELETED-STORAGE: RFC 9208)."""

import dataclasses

from gk.imap.conversation import Conversation
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.registry import announce, command
from gk.imap.reply import Reply, ok
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
_OTHERS = frozenset({b"MAILBOXID", b"APPENDLIMIT", b"DELETED-STORAGE"})

announce("APPENDLIMIT", value=lambda session: session.append_limit)  # RFC 7889


@command("STATUS", when=LOGGED_IN, capability="STATUS=SIZE")
async def status(c: Conversation, args: Cursor) -> Reply:
    args.space()
    name = args.mailbox()
    args.space()
    items = status_items(args)
    args.end()
    box = c.named(name)
    if b"HIGHESTMODSEQ" in items:
        c.enable_condstore()  # RFC 7162 §3.1
    c.tell(status_line(c, box, items))
    return ok("that is how it is")


def status_items(args: Cursor) -> tuple[bytes, ...]:
    """`(MESSAGES UNSEEN …)`."""
    items = tuple(dict.fromkeys(args.listed(args.word, 20)))
    if not items or any(item not in ITEMS and item not in _OTHERS for item in items):
        raise BadSyntax("an unknown status item")
    return items


def status_line(c: Conversation, box: Mailbox, items: tuple[bytes, ...]) -> bytes:
    """The untagged STATUS of a mailbox."""
    values = c.store.mailboxes.status(box)
    if (snapshot := c.store.snapshots.get(box.id)) is not None:  # what SELECT says may be a commit behind
        uidnext, modseq = min(values.uidnext, snapshot.uidnext), min(values.modseq, snapshot.modseq)
        values = dataclasses.replace(values, uidnext=uidnext, modseq=modseq)
    parts = []
    for item in items:
        if item == b"MAILBOXID":
            parts.append(b"MAILBOXID (M%d)" % box.id)
        elif item == b"APPENDLIMIT":
            parts.append(b"APPENDLIMIT %d" % c.limits.message_bytes)
        elif item == b"DELETED-STORAGE":
            parts.append(b"DELETED-STORAGE %d" % -(-c.store.mailboxes.deleted_size(box) // 1024))  # RFC 9208 §5.1
        else:
            parts.append(b"%b %d" % (item, getattr(values, ITEMS[item])))
    return b"* STATUS %b (%b)\r\n" % (c.spelled(box.name), b" ".join(parts))
