"""SETMETADATA (RFC 5464 §4.3). On the server as a whole, named "", only /private can be written."""

from gk.errors import LimitReached
from gk.imap.conversation import Conversation
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.metadata import ENTRIES, box, entry
from gk.imap.registry import command
from gk.imap.reply import Reply, no, ok
from gk.imap.session import LOGGED_IN

VALUE = 64 << 10  # octets of a value, announced by METADATA MAXSIZE


@command("SETMETADATA", when=LOGGED_IN)
async def set_metadata(c: Conversation, args: Cursor) -> Reply:
    args.space()
    mailbox, _ = box(c, args)
    args.space()
    changes: dict[str, bytes | None] = {}

    def change() -> None:
        name = entry(args)
        args.space()
        changes[name] = args.nstring()

    args.listed(change, ENTRIES)
    args.end()
    if not changes:
        raise BadSyntax("an empty list of entries")
    if any(len(value) > VALUE for value in changes.values() if value is not None):
        return no(f"a value has at most {VALUE} bytes", f"METADATA MAXSIZE {VALUE}")
    if mailbox is None and any(name.startswith("/shared/") for name in changes):
        return no("what all users share is not for one of them to write", "NOPERM")
    try:
        await c.store.metadata.change(c.account.id, mailbox, changes)
    except LimitReached as error:
        return no(str(error), "METADATA TOOMANY")
    return ok("kept")
