"""ENABLE (RFC 5161): CONDSTORE and QRESYNC (RFC 7162), UTF8=ACCEPT (RFC 6855), IMAP4rev2 (RFC 9051)."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import announce, command
from gk.imap.reply import Reply, ok
from gk.imap.session import LOGGED_IN

KNOWN = ("CONDSTORE", "QRESYNC", "UTF8=ACCEPT", "IMAP4rev2")

announce("QRESYNC")
announce("UTF8=ACCEPT")


@command("ENABLE", when=LOGGED_IN, capability="ENABLE")
async def enable(c: Conversation, args: Cursor) -> Reply:
    args.space()
    wanted = {args.word()}
    while args.skip(b" ") and args.more():
        wanted.add(args.word())
    args.end()
    offered = (name for name in KNOWN if name not in c.session.hidden)
    new = [name for name in offered if name.upper().encode() in wanted and name not in c.session.enabled]
    for name in new:
        c.session.enable(name)
    c.tell(" ".join(["* ENABLED", *new]).encode() + b"\r\n")
    return ok("enabled")
