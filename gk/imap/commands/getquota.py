"""GETQUOTA and GETQUOTAROOT (RFC 9208 §4.1): one quota root, "", holds all of an account's mailboxes."""

from gk.errors import NoSuchMailbox
from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, no, ok
from gk.imap.session import LOGGED_IN

KIB = 1024  # STORAGE is counted in units of it, RFC 9208 §5.1


@command("GETQUOTA", when=LOGGED_IN, capability=("QUOTA", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE"))
async def get_quota(c: Conversation, args: Cursor) -> Reply:
    args.space()
    root = args.astring()
    args.end()
    if root:
        return no("there is one quota root, the empty one", "NONEXISTENT")
    c.tell(_quota(c))
    return ok("that is the quota")


@command("GETQUOTAROOT", when=LOGGED_IN)
async def get_quota_root(c: Conversation, args: Cursor) -> Reply:
    args.space()
    name = args.mailbox()
    args.end()
    try:
        box = c.named(name)
    except NoSuchMailbox as error:
        return no(str(error), "NONEXISTENT")
    c.tell(b'* QUOTAROOT %b ""\r\n' % c.spelled(box.name), _quota(c))
    return ok("that is the quota root")


def _quota(c: Conversation) -> bytes:
    usage = c.store.accounts.usage(c.account.id)
    storage = b"STORAGE %d %d " % (-(-usage.size // KIB), usage.size_limit // KIB) if usage.size_limit else b""
    return b'* QUOTA "" (%bMESSAGE %d %d)\r\n' % (storage, usage.messages, usage.messages_limit)
