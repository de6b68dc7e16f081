"""SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2, RFC 9051 §6.3.2; CONDSTORE and QRESYNC of RFC 7162 §3.1.8, §3.2.5;
MAILBOXID of RFC 8474)."""

from dataclasses import dataclass

from gk.imap.commands.list import list_line
from gk.imap.conversation import Conversation
from gk.imap.grammar import LARGEST_MODSEQ, BadSyntax, Cursor, SequenceSet
from gk.imap.registry import command
from gk.imap.reply import Reply, flags_of, ok, vanished_earlier
from gk.imap.session import LOGGED_IN
from gk.imap.view import View

SLICE = 2000  # FETCH responses made at once


@dataclass(frozen=True, slots=True)
class _Known:
    """What a client knew of the mailbox when it last left it (RFC 7162 §3.2.5)."""

    uidvalidity: int
    modseq: int
    uids: SequenceSet | None  # only of these it wants to hear; None: of all


@dataclass(slots=True)
class _Parameters:
    condstore: bool = False
    known: _Known | None = None


@command("SELECT", when=LOGGED_IN, capability="CONDSTORE")
async def select(c: Conversation, args: Cursor) -> Reply:
    return await _open(c, args, read_only=False)


@command("EXAMINE", when=LOGGED_IN)
async def examine(c: Conversation, args: Cursor) -> Reply:
    return await _open(c, args, read_only=True)


async def _open(c: Conversation, args: Cursor, *, read_only: bool) -> Reply:
    args.space()
    name = args.mailbox()
    asked = _parameters(args)
    args.end()
    if asked.known is not None and not c.session.vanishing:
        raise BadSyntax("ENABLE QRESYNC comes first")  # RFC 7162 §3.2.5
    if asked.condstore or asked.known is not None:
        c.session.enable("CONDSTORE")
    if await c.leave():  # a SELECT that fails leaves no mailbox selected, either (RFC 3501 §6.3.1)
        c.tell(b"* OK [CLOSED] the mailbox before is left\r\n")
    mailboxes, rev2 = c.store.mailboxes, c.session.rev2
    mailbox = c.named(name)
    keywords = mailboxes.keywords(mailbox)
    view = View(await mailboxes.open(mailbox), read_only=read_only, keywords=keywords, recent=not rev2)
    c.session.select(view)
    snapshot = view.snapshot
    c.tell(
        flags_of(keywords, read_only=read_only, more=len(keywords) < c.limits.keywords),
        b"* %d EXISTS\r\n" % view.count,
    )
    if rev2:
        c.tell(list_line(c, mailbox))  # RFC 9051 §6.3.2
    else:
        c.tell(b"* %d RECENT\r\n" % view.recent())
        unseen = snapshot.unseen_first()
        if unseen is not None:
            c.tell(b"* OK [UNSEEN %d] the first unseen message\r\n" % (unseen + 1))
    c.tell(
        b"* OK [UIDVALIDITY %d] uids are valid\r\n" % mailbox.uidvalidity,
        b"* OK [UIDNEXT %d] the next uid\r\n" % snapshot.uidnext,
        b"* OK [HIGHESTMODSEQ %d] the latest change\r\n" % snapshot.modseq,
        b"* OK [MAILBOXID (M%d)] of this mailbox\r\n" % mailbox.id,
    )
    if asked.known is not None and asked.known.uidvalidity == mailbox.uidvalidity:
        await _resynchronise(c, asked.known)
    return ok("it is selected", "READ-ONLY" if read_only else "READ-WRITE")


async def _resynchronise(c: Conversation, known: _Known) -> None:
    """What was expunged and what changed since: VANISHED (EARLIER) first, then FETCH (RFC 7162 §3.2.5.1)."""
    view = c.view
    wanted = known.uids.resolve(view.snapshot.uidnext - 1) if known.uids is not None else None
    await tell_vanished(c, known.modseq, wanted)
    numbers = range(1, view.count + 1) if known.uids is None else view.select(known.uids, by_uid=True) or ()
    uids = view.uids(view.changed_since(numbers, known.modseq))
    for start in range(0, len(uids), SLICE):
        c.tell(view.fetched(uids[start : start + SLICE]))
        await c.flush()


async def tell_vanished(c: Conversation, since: int, among: list[tuple[int, int]] | None) -> None:
    """VANISHED (EARLIER) for what went since a modseq, in responses of a bounded length."""
    gone = _without(c.view, c.store.mailboxes.vanished(c.mailbox, since, among))
    for start in range(0, len(gone), SLICE):
        c.tell(vanished_earlier(gone[start : start + SLICE]))
        await c.breathe()


def _without(view: View, gone: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Of these ranges of uids what the session does not count: what went since it looked it is told in its turn."""
    numbers = view.select(SequenceSet(tuple(gone)), by_uid=True)
    if not numbers:
        return gone
    left: list[tuple[int, int]] = []
    uids = iter([*view.uids(numbers), 0])
    uid = next(uids)
    for first, last in gone:
        while first <= uid <= last:
            if first < uid:
                left.append((first, uid - 1))
            first, uid = uid + 1, next(uids)
        if first <= last:
            left.append((first, last))
    return left


def _parameters(args: Cursor) -> _Parameters:
    asked = _Parameters()

    def parameter() -> None:
        match args.word():
            case b"CONDSTORE":
                asked.condstore = True
            case b"QRESYNC" if asked.known is None:
                args.space()
                asked.known = _known(args)
            case _:
                raise BadSyntax("an unknown parameter")

    if args.at(b" ("):
        args.space()
        args.listed(parameter, 10)
    return asked


def _known(args: Cursor) -> _Known:
    """`(uidvalidity modseq [known-uids] [(numbers uids)])`. The last is a hint for servers that forget expunges: what
    it says of message numbers is not needed here."""
    args.need(b"(")
    uidvalidity = args.nz_number()
    args.space()
    modseq = args.number(LARGEST_MODSEQ)
    uids: SequenceSet | None = None
    if args.skip(b" ") and not args.at(b"("):
        uids = args.sequence_set()
        if uids.saved:
            raise BadSyntax("known uids are numbers")  # RFC 7162 §3.2.5
        args.skip(b" ")
    if args.skip(b"("):
        args.sequence_set()
        args.space()
        args.sequence_set()
        args.need(b")")
    args.need(b")")
    return _Known(uidvalidity, modseq, uids)
