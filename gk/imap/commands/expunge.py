"""EXPUNGE (RFC 3501 §6.4.3) and UID EXPUNGE (RFC 4315 §2.1); the news that follow tell what went."""

from collections.abc import Sequence

from gk.imap.conversation import Conversation
from gk.imap.grammar import Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, no, ok
from gk.imap.session import SELECTED


@command("EXPUNGE", when=SELECTED)
async def expunge(c: Conversation, args: Cursor) -> Reply:
    args.end()
    return await _expunge(c, None)


@command("UID EXPUNGE", when=SELECTED)
async def uid_expunge(c: Conversation, args: Cursor) -> Reply:
    args.space()
    chosen = args.sequence_set()
    args.end()
    return await _expunge(c, c.view.uids(c.view.select(chosen, by_uid=True) or ()))


async def _expunge(c: Conversation, uids: Sequence[int] | None) -> Reply:
    if c.view.read_only:
        return no("the mailbox is read-only", "CANNOT")
    gone = await c.store.mailboxes.expunge(c.mailbox, uids)
    if gone and c.view.with_modseq:
        return ok("expunged", f"HIGHESTMODSEQ {c.view.snapshot.modseq}")  # RFC 7162 §3.2.10
    return ok("expunged")
