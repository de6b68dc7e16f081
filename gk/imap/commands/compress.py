"""COMPRESS DEFLATE (RFC 4978): from the tagged OK on both directions are compressed, inside TLS where there is TLS."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.registry import announce, command
from gk.imap.reply import Reply, no, ok
from gk.imap.session import FRESH, LOGGED_IN

announce("COMPRESS=DEFLATE", lambda session: session.state is not FRESH and not session.compressed)


@command("COMPRESS", when=LOGGED_IN)
async def compress(c: Conversation, args: Cursor) -> Reply | None:
    args.space()
    mechanism = args.word()
    args.end()
    if mechanism != b"DEFLATE":
        raise BadSyntax("DEFLATE is what there is")
    if c.session.compressed:
        return no("it is compressed already", "COMPRESSIONACTIVE")
    await c.finish(ok("compressed from here"), expunges=True)
    c.compress()
    return None
