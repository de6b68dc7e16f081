"""COPY and UID COPY (RFC 3501 §6.4.7) with COPYUID (RFC 4315 §3)."""

from gk.errors import NoSuchMailbox
from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, bad, no, ok
from gk.imap.session import SELECTED
from gk.store.chosen import uid_set


@command("COPY", when=SELECTED)
async def copy(c: Conversation, args: Cursor) -> Reply:
    return await _copy(c, args, by_uid=False)


@command("UID COPY", when=SELECTED)
async def uid_copy(c: Conversation, args: Cursor) -> Reply:
    return await _copy(c, args, by_uid=True)


async def _copy(c: Conversation, args: Cursor, *, by_uid: bool) -> Reply:
    args.space()
    chosen = args.sequence_set()
    args.space()
    name = args.mailbox()
    args.end()
    numbers = c.view.select(chosen, by_uid=by_uid)
    if numbers is None:
        return bad("there is no message of that number")
    try:
        target = c.named(name)
        copied, new = await c.store.mailboxes.copy(c.mailbox, c.view.uids(numbers), target)
    except NoSuchMailbox as error:
        return no(str(error), "TRYCREATE")
    if not copied:
        return (
            ok("there was nothing to copy")
            if by_uid or chosen.saved
            else no("they were expunged meanwhile", "EXPUNGEISSUED")
        )
    return ok("copied", f"COPYUID {target.uidvalidity} {uid_set(copied)} {uid_set(new)}")
