"""SEARCH and UID SEARCH (RFC 3501 §6.4.4, §6.4.8), RETURN (RFC 4731, RFC 9051 §6.4.4), SAVE (RFC 5182).

Their keys are those of WITHIN (RFC 5032), SAVEDATE (RFC 8514 §4.3), CONDSTORE (RFC 7162 §3.1.5), OBJECTID (RFC 8474 §6)
and FUZZY (RFC 6203), too.
"""

from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal as Choice

from gk.imap import esearch, search_keys, search_options, search_parsing
from gk.imap.conversation import Conversation
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.progress import Progress
from gk.imap.registry import announce, command
from gk.imap.reply import Reply, ok
from gk.imap.search_keys import BadCharset, Fuzzy, Key, Modified
from gk.imap.search_options import Options
from gk.imap.searching import Searching
from gk.imap.session import SELECTED

SLICE = 20_000  # numbers rendered before others have their turn

announce("WITHIN")
announce("SAVEDATE")
announce("SEARCH=FUZZY")
announce("PARTIAL")
announce("INPROGRESS")


@command("SEARCH", when=SELECTED, capability=("ESEARCH", "SEARCHRES"), expunges=False)
async def search(c: Conversation, args: Cursor) -> Reply:
    return await _search(c, args, by_uid=False)


@command("UID SEARCH", when=SELECTED)
async def uid_search(c: Conversation, args: Cursor) -> Reply:
    return await _search(c, args, by_uid=True)


async def _search(c: Conversation, args: Cursor, *, by_uid: bool) -> Reply:
    args.space()
    options = search_options.parse(args)
    with saving(c, options):
        declared: Choice["may", "never"] = "never" if "UTF8=ACCEPT" in c.session.enabled else "may"  # RFC 6855 §3
        key = search_parsing.parse(args, c.limits.search_keys, declared=declared)
        check(c, key, options)
        searching = Searching(c, key)
        with Progress(c, searching.work):
            places = await searching.run()
    if options is None and c.session.rev2:
        options = Options(all=True)  # RFC 9051 §6.4.4
    await answer(c, b"SEARCH", places, options, searching, key, by_uid=by_uid)
    return ok("that is what was found")


@contextmanager
def saving(c: Conversation, options: Options | None) -> Iterator[None]:
    """A search with SAVE that is answered NO leaves nothing saved, BAD changes nothing (RFC 5182 §2.1)."""
    try:
        yield
    except Exception as error:
        if options is not None and options.save and (isinstance(error, BadCharset) or not isinstance(error, BadSyntax)):
            c.view.saved = array("I")
        raise


def check(c: Conversation, key: Key, options: Options | None) -> None:
    """What the keys bring with them: CONDSTORE by MODSEQ (RFC 7162 §3.1), RELEVANCY only with FUZZY (RFC 6203 §4)."""
    if options is not None and options.relevancy and not search_keys.asks(key, Fuzzy):
        raise BadSyntax("RELEVANCY is of FUZZY searches")
    if search_keys.asks(key, Modified):
        c.enable_condstore()


async def answer(
    c: Conversation,
    name: bytes,
    places: Sequence[int],
    options: Options | None,
    searching: Searching,
    key: Key,
    *,
    by_uid: bool,
) -> None:
    """Tell what was found, in the order it is in: as ESEARCH where there are options, else by the command's name."""
    part = searching.part
    meant = places if options is None else options.meant(places)
    modseq = max((part.modseqs[p] for p in meant), default=None) if search_keys.asks(key, Modified) else None
    if options is not None and options.save:
        c.view.saved = array("I", sorted(part.uids[p] for p in meant))
        if options.silent:
            return
    column = part.uids if by_uid else part.numbers
    if options is None:
        await _tell_numbers(c, b"* " + name, places, column)
        c.tell((b" (MODSEQ %d)" % modseq if modseq is not None else b"") + b"\r\n")
        return
    found = column if isinstance(places, range) else [column[p] for p in places]  # a range: all, as they stand
    scores = dict(zip(found, searching.scores(places), strict=True)) if options.relevancy else {}
    c.tell(esearch.response(c.tag, options, found, by_uid=by_uid, modseq=modseq, scores=scores))


async def _tell_numbers(c: Conversation, start: bytes, places: Sequence[int], column: Sequence[int]) -> None:
    c.tell(start)
    for first in range(0, len(places), SLICE):
        c.tell((" " + " ".join(map(str, map(column.__getitem__, places[first : first + SLICE])))).encode())
        await c.breathe()
