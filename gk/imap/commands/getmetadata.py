"""GETMETADATA (RFC 5464 §4.2)."""

from dataclasses import dataclass

from gk.imap.conversation import Conversation
from gk.imap.grammar import LARGEST, BadSyntax, Cursor
from gk.imap.metadata import ENTRIES, box, entry
from gk.imap.registry import command
from gk.imap.reply import Reply, ok
from gk.imap.session import LOGGED_IN
from gk.message.nstring import quote


@dataclass(slots=True)
class _Options:
    maxsize: int | None = None
    depth: int | None = 0  # None: infinity


@command("GETMETADATA", when=LOGGED_IN, capability="METADATA")
async def get_metadata(c: Conversation, args: Cursor) -> Reply:
    args.space()
    options = _Options()
    if args.at(b"("):
        options = _options(args)
        args.space()
    mailbox, spelled = box(c, args)
    args.space()
    if args.at(b"("):  # also between mailbox and entries, as the examples of RFC 5464 §4.2 have it
        mark = args.position
        try:
            options = _options(args)
            args.space()
        except BadSyntax:
            args.position = mark
    names = args.listed(lambda: entry(args), ENTRIES) if args.at(b"(") else [entry(args)]
    args.end()
    kept = c.store.metadata.of(c.account.id, mailbox)
    found: dict[str, None] = {}  # each once, however many of the names it is below
    for name in dict.fromkeys(names):
        below = [key for key in sorted(kept) if _within(key, name, options.depth)]
        found |= dict.fromkeys(below or ([name] if options.depth == 0 else []))
    told: list[bytes] = []
    longest = 0
    for key in found:
        value = kept.get(key)
        if value is not None and options.maxsize is not None and len(value) > options.maxsize:
            longest = max(longest, len(value))
        else:
            told.append(quote(key.encode()) + b" " + (b"NIL" if value is None else quote(value)))
    if told:
        c.tell(b"* METADATA %b (%b)\r\n" % (spelled, b" ".join(told)))
    if longest:
        return ok("some are longer", f"METADATA LONGENTRIES {longest}")
    return ok("that is what is kept")


def _options(args: Cursor) -> _Options:
    found = _Options()

    def option() -> None:
        word = args.word()
        args.space()
        if word == b"MAXSIZE":
            found.maxsize = args.number(LARGEST)
        elif word == b"DEPTH":
            depth = args.word()
            if depth not in (b"0", b"1", b"INFINITY"):
                raise BadSyntax("DEPTH is 0, 1 or infinity")
            found.depth = None if depth == b"INFINITY" else int(depth)
        else:
            raise BadSyntax("an unknown option")

    args.listed(option, 2)
    return found


def _within(entry: str, name: str, depth: int | None) -> bool:
    if entry == name:
        return True
    below = entry.removeprefix(name + "/") if entry.startswith(name + "/") else ""
    return bool(below) and (depth is None or (depth == 1 and "/" not in below))
