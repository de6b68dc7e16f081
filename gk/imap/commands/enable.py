"""ENABLE (RFC 5161): CONDSTORE is what there is to enable; unknown names are passed over."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.session import LOGGED_IN

KNOWN = ("CONDSTORE",)


@command("ENABLE", when=LOGGED_IN, capability="ENABLE")
async def enable(c: Conversation, args: Cursor) -> Reply:
    args.space()
    wanted = [args.word()]
    while args.skip(b" ") and args.more():
        wanted.append(args.word())
    args.end()
    new = [name for name in KNOWN if name.encode() in wanted and name not in c.session.enabled]
    for name in new:
        c.session.enable(name)
    c.tell(" ".join(["* ENABLED", *new]).encode() + b"\r\n")
    return ok("enabled")
