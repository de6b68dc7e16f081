"""CAPABILITY (RFC 3501 §6.1.1)."""

from gk.imap import registry
from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.session import ANY


@command("CAPABILITY", when=ANY)
async def capability(c: Conversation, args: Cursor) -> Reply:
    args.end()
    c.tell(f"* CAPABILITY {registry.capabilities(c.session)}\r\n".encode())
    return ok("that is what there is")
