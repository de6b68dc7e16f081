"""GETMETADATA and SETMETADATA (RFC 5464): small notes of programs on a mailbox, or on the account.

What is /shared is the owner's like what is /private: nobody else reads these mailboxes. On the server as a whole, named
"", only /private can be written.
"""

from dataclasses import dataclass

from gk.errors import LimitReached
from gk.imap.conversation import Conversation
from gk.imap.grammar import LARGEST, BadMailboxName, BadSyntax, Cursor, mailbox_name
from gk.imap.registry import command
from gk.imap.reply import Reply, no, ok
from gk.imap.session import LOGGED_IN
from gk.message.nstring import quote
from gk.store.values import Mailbox

ENTRIES = 100  # of one command
VALUE = 64 << 10  # octets of a value, announced by METADATA MAXSIZE
NAME = 255  # octets of an entry's name
_FORBIDDEN = frozenset("*%")


@dataclass(slots=True)
class _Options:
    maxsize: int | None = None
    depth: int | None = 0  # None: infinity


@command("GETMETADATA", when=LOGGED_IN, capability=("METADATA", "METADATA-SERVER"))
async def get_metadata(c: Conversation, args: Cursor) -> Reply:
    args.space()
    options = _Options()
    if args.at(b"("):
        options = _options(args)
        args.space()
    box, spelled = _box(c, args)
    args.space()
    if args.at(b"("):  # also between mailbox and entries, as the examples of RFC 5464 §4.2 have it
        mark = args.position
        try:
            options = _options(args)
            args.space()
        except BadSyntax:
            args.position = mark
    names = args.listed(lambda: _entry(args), ENTRIES) if args.at(b"(") else [_entry(args)]
    args.end()
    kept = c.store.metadata.of(c.account.id, box)
    told: list[bytes] = []
    longest = 0
    for name in dict.fromkeys(names):
        found = [entry for entry in sorted(kept) if _within(entry, name, options.depth)]
        if not found and options.depth == 0:
            told.append(quote(name.encode()) + b" NIL")
        for entry in found:
            value = kept[entry]
            if options.maxsize is not None and len(value) > options.maxsize:
                longest = max(longest, len(value))
            else:
                told.append(_spelled(entry) + b" " + quote(value))
    if told:
        c.tell(b"* METADATA %b (%b)\r\n" % (spelled, b" ".join(dict.fromkeys(told))))
    if longest:
        return ok("some are longer", f"METADATA LONGENTRIES {longest}")
    return ok("that is what is kept")


@command("SETMETADATA", when=LOGGED_IN)
async def set_metadata(c: Conversation, args: Cursor) -> Reply:
    args.space()
    box, _ = _box(c, args)
    args.space()
    changes: dict[str, bytes | None] = {}

    def change() -> None:
        name = _entry(args)
        args.space()
        changes[name] = args.nstring()

    args.listed(change, ENTRIES)
    args.end()
    if not changes:
        raise BadSyntax("an empty list of entries")
    if any(len(value) > VALUE for value in changes.values() if value is not None):
        return no(f"a value has at most {VALUE} bytes", f"METADATA MAXSIZE {VALUE}")
    if box is None and any(name.startswith("/shared/") for name in changes):
        return no("what all users share is not for one of them to write", "NOPERM")
    try:
        await c.store.metadata.change(c.account.id, box, changes)
    except LimitReached as error:
        return no(str(error), "METADATA TOOMANY")
    return ok("kept")


def _box(c: Conversation, args: Cursor) -> tuple[Mailbox | None, bytes]:
    """The mailbox, or None for the server, and how it is written."""
    raw = args.astring()
    if not raw:
        return None, b'""'
    box = c.named(mailbox_name(raw, utf8=c.session.utf8))
    return box, c.spelled(box.name)


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


def _entry(args: Cursor) -> str:
    """An entry's name, folded: names are compared without case (RFC 5464 §3.2)."""
    raw = args.astring()
    try:
        name = raw.decode("ascii").lower()
    except UnicodeDecodeError:
        raise BadMailboxName("an entry's name is ASCII") from None
    well_formed = not _FORBIDDEN & set(name) and "//" not in name and not name.endswith("/") and name.isprintable()
    if not name.startswith(("/private/", "/shared/")) or not well_formed or len(name) > NAME:
        raise BadSyntax("an entry is named /private/… or /shared/…")
    return name


def _within(entry: str, name: str, depth: int | None) -> bool:
    if entry == name:
        return True
    below = entry.removeprefix(name + "/") if entry.startswith(name + "/") else ""
    return bool(below) and (depth is None or (depth == 1 and "/" not in below))


def _spelled(entry: str) -> bytes:
    return quote(entry.encode())
