"""CREATE (RFC 3501 §6.3.3), with a special use (RFC 6154 §3) and MAILBOXID (RFC 8474 §4.1)."""

from gk.errors import BadName, LimitReached, MailboxExists, Refused
from gk.imap.conversation import Conversation
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, no, ok
from gk.imap.session import LOGGED_IN
from gk.store.values import DELIMITER, SPECIAL

_USES = {use.upper().encode(): use for _, use in SPECIAL}


@command("CREATE", when=LOGGED_IN, capability="CREATE-SPECIAL-USE")
async def create(c: Conversation, args: Cursor) -> Reply:
    args.space()
    name = args.mailbox()
    uses: list[bytes] = []
    if args.at(b" ("):
        args.space()
        uses = _use(args)
    args.end()
    if len(uses) > 1 or any(use not in _USES for use in uses):
        return no("a mailbox has one use, of those this server knows", "USEATTR")
    use = _USES[uses[0]] if uses else None
    # A delimiter at the end only says that names below are to come (RFC 3501 §6.3.3).
    name = name.removesuffix(DELIMITER) if len(name) > 1 else name
    try:
        mailbox = await c.store.mailboxes.create(c.account.id, name, use)
    except (MailboxExists, BadName, LimitReached):
        raise
    except Refused as error:
        return no(str(error), "USEATTR" if use else "CANNOT")
    return ok("created", f"MAILBOXID (M{mailbox.id})")


def _use(args: Cursor) -> list[bytes]:
    uses: list[bytes] = []

    def parameter() -> None:
        if args.word() != b"USE" or uses:
            raise BadSyntax("an unknown parameter")
        args.space()
        uses.extend(args.listed(args.use, 10))

    args.listed(parameter, 2)
    return uses
