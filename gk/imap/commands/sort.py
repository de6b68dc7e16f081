"""SORT and UID SORT (RFC 5256 §3), SORT=DISPLAY (RFC 5957), with RETURN options as ESORT (RFC 5267 §3)."""

from collections.abc import Sequence
from typing import Any

from gk.imap import search_keys, search_options, search_parsing, sorting
from gk.imap.commands.search import answer, check, saving
from gk.imap.conversation import Conversation
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.progress import Progress
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.search_keys import Fuzzy
from gk.imap.searching import Searching
from gk.imap.session import SELECTED
from gk.imap.sorting import Criterion

SLICE = 2_000  # messages whose values are fetched at once
IN_LOOP = 5_000  # messages sorted in the event loop; more go to a thread

Columns = dict[str, list[Any]]


@command("SORT", when=SELECTED, capability=("SORT", "SORT=DISPLAY", "ESORT"), expunges=False)
async def sort(c: Conversation, args: Cursor) -> Reply:
    return await _sort(c, args, by_uid=False)


@command("UID SORT", when=SELECTED)
async def uid_sort(c: Conversation, args: Cursor) -> Reply:
    return await _sort(c, args, by_uid=True)


async def _sort(c: Conversation, args: Cursor, *, by_uid: bool) -> Reply:
    args.space()
    options = search_options.parse(args)
    with saving(c, options):
        program = sorting.parse(args)
        args.space()
        key = search_parsing.parse(args, c.limits.search_keys, declared="must")
        check(c, key, options)
        if any(criterion.column == "relevancy" for criterion in program) and not search_keys.asks(key, Fuzzy):
            raise BadSyntax("RELEVANCY is of FUZZY searches")  # RFC 6203 §6
        searching = Searching(c, key, more=1)
        with Progress(c, searching.work):
            places = await _ordered(c, program, searching, await searching.run())
    await answer(c, b"SORT", places, options, searching, key, by_uid=by_uid)
    return ok("that is what was found, in order")


async def _ordered(
    c: Conversation, program: Sequence[Criterion], searching: Searching, places: Sequence[int]
) -> Sequence[int]:
    """The places in the order of the program; those of messages gone meanwhile are left out."""
    names = tuple(criterion.column for criterion in program if criterion.column != "relevancy")
    present, columns = await fetched(c, searching, places, names)
    if any(criterion.column == "relevancy" for criterion in program):
        columns["relevancy"] = searching.scores(present)
    if len(present) <= IN_LOOP:
        order = sorting.order(program, columns)
    else:
        order = await c.computed(sorting.order, program, columns)
    return [present[place] for place in order]


async def fetched(
    c: Conversation, searching: Searching, places: Sequence[int], names: Sequence[str]
) -> tuple[list[int], Columns]:
    """The places of the messages that are still there, and these columns of theirs, side by side.

    `sent` is INTERNALDATE where there is no Date (RFC 5256 §2.2); a text that is not there is empty.
    """
    wanted = dict.fromkeys((*names, *(("internaldate",) if "sent" in names else ())))
    of_rows = tuple(name for name in wanted if name in sorting.ROWS)
    of_headers = tuple(name for name in wanted if name not in sorting.ROWS)
    present: list[int] = []
    columns: Columns = {name: [] for name in wanted}
    for start in range(0, len(places), SLICE):
        here = {searching.part.uids[place]: place for place in places[start : start + SLICE]}
        rows = c.store.mailboxes.rows(c.mailbox, list(here), of_rows)
        made = await c.store.search.keys(c.mailbox, list(here), of_headers) if of_headers else rows
        if not len(rows) == len(made) == len(here):
            there = {row[0] for row in rows} & {row[0] for row in made}
            rows = [row for row in rows if row[0] in there]
            made = [row for row in made if row[0] in there]
        present += [here[row[0]] for row in rows]
        for place, name in enumerate(of_rows, 1):
            columns[name] += [row[place] for row in rows]
        for place, name in enumerate(of_headers, 1):
            columns[name] += [row[place] for row in made]
        searching.advance(len(here) / len(places))
        await c.breathe()
    if "sent" in columns:
        pairs = zip(columns["sent"], columns["internaldate"], strict=True)
        columns["sent"] = [arrived if sent is None else sent for sent, arrived in pairs]
    return present, columns
