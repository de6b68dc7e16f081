"""ID (RFC 2971): what a client says of itself is neither kept nor acted upon."""

from gk import __version__
from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import announce, command
from gk.imap.reply import Reply, ok
from gk.imap.session import ANY

FIELDS = 60  # 30 names and their values, RFC 2971 §3.3

announce("ID", lambda session: True)


@command("ID", when=ANY)
async def identify(c: Conversation, args: Cursor) -> Reply:
    args.space()
    if args.at(b"("):
        args.listed(args.nstring, FIELDS)
    else:
        args.nstring()
    args.end()
    c.tell(f'* ID ("name" "GK" "version" "{__version__}")\r\n'.encode())
    return ok("how do you do")
