"""LOGIN (RFC 3501 §6.2.3)."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.registry import announce, command
from gk.imap.reply import Reply, no
from gk.imap.session import FRESH, State

announce("LOGINDISABLED", lambda session: session.state is State.FRESH and not session.may_log_in)


@command("LOGIN", when=FRESH)
async def login(c: Conversation, args: Cursor) -> Reply:
    if not c.session.may_log_in:
        return no("start TLS first", "PRIVACYREQUIRED")
    args.space()
    name = args.astring()
    args.space()
    password = args.astring()
    args.end()
    try:
        return await c.check(name.decode(), password.decode())
    except UnicodeDecodeError:
        raise BadSyntax("names and passwords are UTF-8") from None
