"""STORE and UID STORE (RFC 3501 §6.4.6, §6.4.8), conditional by UNCHANGEDSINCE (RFC 7162 §3.1.3)."""

from collections.abc import Iterator, Sequence
from typing import Literal as Choice

from gk.imap.conversation import Conversation
from gk.imap.grammar import LARGEST_MODSEQ, BadSyntax, Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, bad, no, ok
from gk.imap.session import SELECTED
from gk.imap.view import Slice, View
from gk.store.chosen import uid_set
from gk.store.values import SYSTEM, Flags

UNIT = 10_000  # messages of one commit: what a delivery may have to wait for
SLICE = 2000  # responses rendered before others have their turn

Mode = Choice["add", "remove", "set"]
_MODES: dict[bytes, Mode] = {b"FLAGS": "set", b"+FLAGS": "add", b"-FLAGS": "remove"}


@command("STORE", when=SELECTED, expunges=False)
async def store(c: Conversation, args: Cursor) -> Reply:
    return await _store(c, args, by_uid=False)


@command("UID STORE", when=SELECTED)
async def uid_store(c: Conversation, args: Cursor) -> Reply:
    return await _store(c, args, by_uid=True)


async def _store(c: Conversation, args: Cursor, *, by_uid: bool) -> Reply:
    args.space()
    chosen = args.sequence_set()
    args.space()
    unchanged_since = _modifier(args)
    word = args.store_word()
    silent = word.endswith(b".SILENT")
    mode = _MODES.get(word.removesuffix(b".SILENT"))
    if mode is None:
        raise BadSyntax("FLAGS, +FLAGS or -FLAGS is expected")
    args.space()
    flags = args.bare_flags()
    args.end()
    view = c.view
    if view.read_only:
        return no("the mailbox is read-only", "CANNOT")
    if unchanged_since is not None:
        c.enable_condstore()
    numbers = view.select(chosen, by_uid=by_uid)
    if numbers is None:
        return bad("there is no message of that number")
    part = view.look(numbers)
    unheard = view.unheard()
    modified: list[int] = []
    for start in range(0, len(part.uids), UNIT):
        uids = part.uids[start : start + UNIT]
        modified += await c.store.mailboxes.store_flags(c.mailbox, uids, mode, flags, unchanged_since)
    if modified:
        refused = set(modified)
        done: Sequence[int] = [n for n, uid in zip(part.numbers, part.uids, strict=True) if uid not in refused]
    else:
        done = part.numbers
    if not silent:
        await _tell(c, done, by_uid=by_uid)
    else:
        if unchanged_since is not None:
            c.tell(_modseqs(c, done, by_uid=by_uid))
        view.told([uid for uid in _foreseen(view, part, view.look(done), mode, flags) if uid not in unheard])
    code = ""
    if modified:
        code = "MODIFIED " + uid_set(modified if by_uid else view.removed(modified))
    if not by_uid and not (part.complete and view.look(numbers).complete):  # gone before, or while it waited its turn
        return no("some of them were expunged meanwhile", code or "EXPUNGEISSUED")
    return ok("stored", code)


def _modifier(args: Cursor) -> int | None:
    found: list[int] = []

    def modifier() -> None:
        if args.word() != b"UNCHANGEDSINCE" or found:
            raise BadSyntax("an unknown store modifier")
        args.space()
        found.append(args.number(LARGEST_MODSEQ))

    if not args.at(b"("):
        return None
    args.listed(modifier, 2)
    args.space()
    return found[0] if found else None


async def _tell(c: Conversation, numbers: Sequence[int], *, by_uid: bool) -> None:
    """FETCH with the flags as they are now; with UID for clients that resynchronise (RFC 7162 §3.2.4)."""
    view = c.view
    by_uid |= view.vanishing
    template = b"* %d FETCH (" + (b"UID %d " if by_uid else b"") + b"FLAGS (%b)"
    template += b" MODSEQ (%d))\r\n" if view.with_modseq else b")\r\n"
    for start in range(0, len(numbers), SLICE):
        part = view.look(numbers[start : start + SLICE])
        c.tell(view.introduce(part.flags))
        columns: list[Sequence[object]] = [part.numbers]
        if by_uid:
            columns.append(part.uids)
        columns.append(view.rendered(part))
        if view.with_modseq:
            columns.append(part.modseqs)
        c.tell(b"".join([template % values for values in zip(*columns, strict=True)]))
        view.told(part.uids)
        await c.flush()


def _foreseen(view: View, before: Slice, after: Slice, mode: Mode, flags: Flags) -> Iterator[int]:
    """The uids whose flags are what a silent client makes of it: nobody else changed them while it waited its turn."""
    given = frozenset(word.lower() for word in flags.keywords)

    def plain(value: int) -> tuple[int, frozenset[str]]:
        return value & SYSTEM, frozenset(word.lower() for word in view.snapshot.words(value))

    def changed(value: int) -> tuple[int, frozenset[str]]:
        system, words = plain(value)
        match mode:
            case "add":
                return system | flags.system, words | given
            case "remove":
                return system & ~flags.system, words - given
        return flags.system, given

    expected = {value: changed(value) for value in set(before.flags)}
    now = {value: plain(value) for value in set(after.flags)}
    were = dict(zip(before.uids, before.flags, strict=True))
    return (u for u, value in zip(after.uids, after.flags, strict=True) if now[value] == expected[were[u]])


def _modseqs(c: Conversation, numbers: Sequence[int], *, by_uid: bool) -> bytes:
    """A conditional STORE tells the new MODSEQ, .SILENT or not (RFC 7162 §3.1.3)."""
    part = c.view.look(numbers)
    by_uid |= c.view.vanishing
    return b"".join(
        b"* %d FETCH (%bMODSEQ (%d))\r\n" % (number, b"UID %d " % uid if by_uid else b"", modseq)
        for number, uid, modseq in zip(part.numbers, part.uids, part.modseqs, strict=True)
    )
