"""NAMESPACE (RFC 2342): everything is one's own, below the empty prefix."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.session import LOGGED_IN


@command("NAMESPACE", when=LOGGED_IN, capability="NAMESPACE")
async def namespace(c: Conversation, args: Cursor) -> Reply:
    args.end()
    c.tell(b'* NAMESPACE (("" "/")) NIL NIL\r\n')
    return ok("there is one")
