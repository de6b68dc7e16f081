"""SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2; CONDSTORE of RFC 7162 §3.1.8; MAILBOXID of RFC 8474)."""

from gk.imap.conversation import Conversation
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, flags_of, ok
from gk.imap.session import LOGGED_IN
from gk.imap.view import View


@command("SELECT", when=LOGGED_IN, capability="CONDSTORE")
async def select(c: Conversation, args: Cursor) -> Reply:
    return await _open(c, args, read_only=False)


@command("EXAMINE", when=LOGGED_IN)
async def examine(c: Conversation, args: Cursor) -> Reply:
    return await _open(c, args, read_only=True)


async def _open(c: Conversation, args: Cursor, *, read_only: bool) -> Reply:
    args.space()
    name = args.mailbox()
    parameters: set[bytes] = set()
    if args.at(b" ("):
        args.space()
        parameters = set(args.listed(args.word, 10))
    args.end()
    if parameters - {b"CONDSTORE"}:
        raise BadSyntax("an unknown parameter")
    if parameters:
        c.session.enable("CONDSTORE")
    if await c.leave():  # a SELECT that fails leaves no mailbox selected, either (RFC 3501 §6.3.1)
        c.tell(b"* OK [CLOSED] the mailbox before is left\r\n")
    mailboxes = c.store.mailboxes
    mailbox = c.named(name)
    keywords = mailboxes.keywords(mailbox)
    view = View(await mailboxes.open(mailbox), read_only=read_only, keywords=keywords)
    c.session.select(view)
    snapshot = view.snapshot
    c.tell(
        flags_of(keywords, read_only=read_only, more=len(keywords) < c.limits.keywords),
        b"* %d EXISTS\r\n* %d RECENT\r\n" % (view.count, view.recent()),
    )
    unseen = snapshot.unseen_first()
    if unseen is not None:
        c.tell(b"* OK [UNSEEN %d] the first unseen message\r\n" % (unseen + 1))
    c.tell(
        b"* OK [UIDVALIDITY %d] uids are valid\r\n" % mailbox.uidvalidity,
        b"* OK [UIDNEXT %d] the next uid\r\n" % snapshot.uidnext,
        b"* OK [HIGHESTMODSEQ %d] the latest change\r\n" % snapshot.modseq,
        b"* OK [MAILBOXID (M%d)] of this mailbox\r\n" % mailbox.id,
    )
    return ok("it is selected", "READ-ONLY" if read_only else "READ-WRITE")
