"""What GETMETADATA and SETMETADATA have in common (RFC 5464): small notes of programs on a mailbox, or on the account.

What is /shared is the owner's like what is /private: nobody else reads these mailboxes.
"""

from gk.imap.conversation import Conversation
from gk.imap.grammar import BadMailboxName, BadSyntax, Cursor, mailbox_name
from gk.store.values import Mailbox

ENTRIES = 100  # of one command
NAME = 255  # octets of an entry's name
_FORBIDDEN = frozenset("*%")


def box(c: Conversation, args: Cursor) -> tuple[Mailbox | None, bytes]:
    """The mailbox, or None for the server, and how it is written."""
    raw = args.astring()
    if not raw:
        return None, b'""'
    box = c.named(mailbox_name(raw, utf8=c.session.utf8))
    return box, c.spelled(box.name)


def entry(args: Cursor) -> str:
    """An entry's name, folded: names are compared without case (RFC 5464 §3.2)."""
    raw = args.astring()
    try:
        name = raw.decode("ascii").lower()
    except UnicodeDecodeError:
        raise BadMailboxName("an entry's name is ASCII") from None
    well_formed = not _FORBIDDEN & set(name) and "//" not in name and not name.endswith("/") and name.isprintable()
    if not name.startswith(("/private/", "/shared/")) or not well_formed or len(name) > NAME:
        raise BadSyntax("an entry is named /private/… or /shared/…")
    return name
