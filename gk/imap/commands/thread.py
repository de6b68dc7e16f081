"""THREAD and UID THREAD (RFC 5256 §3)."""

from collections.abc import Callable, Sequence
from typing import Any

from gk.imap import search_parsing, threading
from gk.imap.commands.search import check
from gk.imap.commands.sort import fetched
from gk.imap.conversation import Conversation
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.progress import Progress
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.searching import Searching
from gk.imap.session import SELECTED
from gk.imap.threading import Mail, Threads

IN_LOOP = 1_000  # messages threaded in the event loop; more go to a thread

_ALGORITHMS: dict[bytes, tuple[tuple[str, ...], Callable[[Sequence[Sequence[Any]]], Threads]]] = {
    b"ORDEREDSUBJECT": (("sent", "subject"), lambda values: threading.ordered_subject(*values)),
    b"REFERENCES": (
        ("sent", "subject", "reply", "message_id", "references"),
        lambda values: threading.references(Mail(*values)),
    ),
}


@command("THREAD", when=SELECTED, capability=("THREAD=ORDEREDSUBJECT", "THREAD=REFERENCES"), expunges=False)
async def thread(c: Conversation, args: Cursor) -> Reply:
    return await _thread(c, args, by_uid=False)


@command("UID THREAD", when=SELECTED)
async def uid_thread(c: Conversation, args: Cursor) -> Reply:
    return await _thread(c, args, by_uid=True)


async def _thread(c: Conversation, args: Cursor, *, by_uid: bool) -> Reply:
    args.space()
    algorithm = args.word()
    if algorithm not in _ALGORITHMS:
        raise BadSyntax("an unknown threading algorithm")
    args.space()
    key = search_parsing.parse(args, c.limits.search_keys, declared="must")
    check(c, key, None)
    names, make = _ALGORITHMS[algorithm]
    searching = Searching(c, key, more=1)
    with Progress(c, searching.work):
        places, columns = await fetched(c, searching, await searching.run(), names)
        values = [columns[name] for name in names]
        threads = make(values) if len(places) <= IN_LOOP else await c.computed(make, values)
    column = searching.part.uids if by_uid else searching.part.numbers
    c.tell(b"* THREAD " if places else b"* THREAD")
    for piece in threading.render(threads, [column[place] for place in places]):
        c.tell(piece)
        await c.breathe()
    c.tell(b"\r\n")
    return ok("those are the threads")
