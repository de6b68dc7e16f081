"""FETCH and UID FETCH (RFC 3501 §6.4.5, §6.4.8), with the modifiers of RFC 7162 §3.1.4, §3.2.6 and RFC 9394 §3.2."""

from gk.imap import fetch_items
from gk.imap.commands.select import tell_vanished
from gk.imap.conversation import Conversation
from gk.imap.fetching import Fetching
from gk.imap.grammar import BadSyntax, Cursor, SequenceSet
from gk.imap.registry import announce, command
from gk.imap.reply import Reply, bad, no, ok
from gk.imap.session import SELECTED

announce("OBJECTID")  # RFC 8474
announce("BINARY")  # RFC 3516
announce("PREVIEW")  # RFC 8970
announce("SAVEDATE")  # RFC 8514


@command("FETCH", when=SELECTED, expunges=False)
async def fetch(c: Conversation, args: Cursor) -> Reply:
    return await _fetch(c, args, by_uid=False)


@command("UID FETCH", when=SELECTED)
async def uid_fetch(c: Conversation, args: Cursor) -> Reply:
    return await _fetch(c, args, by_uid=True)


async def _fetch(c: Conversation, args: Cursor, *, by_uid: bool) -> Reply:
    args.space()
    chosen = args.sequence_set()
    args.space()
    wanted = fetch_items.parse(args)
    if wanted.partial is not None and not by_uid:
        raise BadSyntax("PARTIAL is for UID FETCH")  # RFC 9394 §3.2
    if wanted.vanished and not (by_uid and c.session.vanishing):
        raise BadSyntax("VANISHED is for UID FETCH, after ENABLE QRESYNC")  # RFC 7162 §3.2.6
    view = c.view
    if b"MODSEQ" in wanted.items:
        c.enable_condstore()  # RFC 7162 §3.1
    numbers = view.select(chosen, by_uid=by_uid)
    if numbers is None:
        return bad("there is no message of that number")
    if wanted.changed_since is not None:
        if wanted.vanished:
            await tell_vanished(c, wanted.changed_since, _ranges(c, chosen))
        numbers = view.changed_since(numbers, wanted.changed_since)
    if wanted.partial is not None:
        numbers = wanted.partial.of(numbers)
    fetching = Fetching(c, wanted, by_uid=by_uid)
    await fetching.run(numbers)
    if fetching.undecodable:
        return no("a part cannot be decoded", "UNKNOWN-CTE")  # RFC 3516 §4.3
    if not fetching.complete:
        return no("some of them were expunged meanwhile", "EXPUNGEISSUED")
    return ok("that is all")


def _ranges(c: Conversation, chosen: SequenceSet) -> list[tuple[int, int]]:
    """The uids meant, whether or not there are such messages; of `$` those of the saved result."""
    if chosen.saved:
        return [(uid, uid) for uid in c.view.uids(c.view.select(chosen, by_uid=True) or ())]
    return chosen.resolve(c.view.snapshot.uidnext - 1)
