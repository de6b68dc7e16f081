"""SETQUOTA (RFC 9208 §4.1.1): refused, for quotas are set by `gk user quota`."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import LARGEST_MODSEQ, Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, no
from gk.imap.session import LOGGED_IN


@command("SETQUOTA", when=LOGGED_IN)
async def set_quota(c: Conversation, args: Cursor) -> Reply:
    args.space()
    args.astring()
    args.space()

    def resource() -> None:
        args.atom()
        args.space()
        args.number(LARGEST_MODSEQ)

    args.listed(resource, 10)
    args.end()
    return no("quotas are set by who runs this server", "NOPERM")
