"""MOVE and UID MOVE (RFC 6851): one commit takes the messages there and away from here; the news tell the latter."""

from gk.errors import NoSuchMailbox
from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, bad, no, ok
from gk.imap.session import SELECTED
from gk.store.chosen import uid_set


@command("MOVE", when=SELECTED, capability="MOVE")
async def move(c: Conversation, args: Cursor) -> Reply:
    return await _move(c, args, by_uid=False)


@command("UID MOVE", when=SELECTED)
async def uid_move(c: Conversation, args: Cursor) -> Reply:
    return await _move(c, args, by_uid=True)


async def _move(c: Conversation, args: Cursor, *, by_uid: bool) -> Reply:
    args.space()
    chosen = args.sequence_set()
    args.space()
    name = args.mailbox()
    args.end()
    if c.view.read_only:
        return no("the mailbox is read-only", "CANNOT")
    numbers = c.view.select(chosen, by_uid=by_uid)
    if numbers is None:
        return bad("there is no message of that number")
    try:
        target = c.named(name)
        moved, new = await c.store.mailboxes.move(c.mailbox, c.view.uids(numbers), target)
    except NoSuchMailbox as error:
        return no(str(error), "TRYCREATE")
    if not moved:
        return (
            ok("there was nothing to move")
            if by_uid or chosen.saved
            else no("they were expunged meanwhile", "EXPUNGEISSUED")
        )
    # Before the EXPUNGEs, in an untagged OK (RFC 6851 §4.3).
    c.tell(f"* OK [COPYUID {target.uidvalidity} {uid_set(moved)} {uid_set(new)}] moved\r\n".encode())
    return ok("moved")
