"""APPEND (RFC 3501 §6.3.11), of several messages at once, too (RFC 3502), with APPENDUID (RFC 4315), of binary content
(literal8 of RFC 3516 §4.4) and of `UTF8 (~{…}` messages (RFC 6855 §4).

A message beyond 256 KiB goes to the spool as it arrives and is never in memory as a whole.
"""

from dataclasses import dataclass

from gk.errors import NoSuchMailbox, Refused
from gk.imap.conversation import Conversation
from gk.imap.crlf import Normal
from gk.imap.grammar import BadSyntax, Cursor
from gk.imap.registry import command
from gk.imap.reply import Reply, bad, no, ok
from gk.imap.session import LOGGED_IN
from gk.imap.wire import Command, Fault, Literal
from gk.net.client import Ended
from gk.store.chosen import uid_set
from gk.store.db import JOURNAL, Store
from gk.store.spool import SpoolFile
from gk.store.values import Arrival, Flags, When

IN_MEMORY = 8 << 20  # bytes of one command's messages before all that follow are spooled
MESSAGES = 1000  # of one command


@dataclass(frozen=True, slots=True)
class _New:
    """One message of the command."""

    arrival: Arrival
    flags: Flags
    date: When | None


@command("APPEND", when=LOGGED_IN, capability=("MULTIAPPEND", "UIDPLUS"))
async def append(c: Conversation, args: Cursor) -> Reply:
    args.space()
    name = args.mailbox()
    try:
        mailbox = c.named(name)
    except NoSuchMailbox as error:
        return no(str(error), "TRYCREATE")
    if c.literal is None:
        raise BadSyntax("the message is missing")
    messages: list[_New] = []
    kept = False
    try:
        refusal = await _read(c, args, c.literal, messages)
        if refusal is not None:
            return refusal
        uids = await c.store.mailboxes.append(mailbox, [(m.arrival, m.flags, m.date) for m in messages])
        kept = True
    except NoSuchMailbox as error:  # deleted while the message came in
        return no(str(error), "TRYCREATE")
    finally:
        for message in [] if kept else messages:
            if isinstance(message.arrival.content, SpoolFile):
                message.arrival.content.discard()
    return ok("appended", f"APPENDUID {mailbox.uidvalidity} {uid_set(uids)}")


async def _read(c: Conversation, args: Cursor, literal: Literal, messages: list[_New]) -> Reply | None:
    """Take in all messages; a Reply when one cannot be had."""
    empty = False
    in_memory = 0
    while True:
        args.space()
        flags, date = Flags(), None
        if args.at(b"("):
            flags = args.flags()
            args.space()
        if args.at(b'"'):
            date = args.date_time()
            args.space()
        wrapped = args.skip_word(b"UTF8")
        if wrapped:
            args.space()
            args.need(b"(")
        binary = args.skip(b"~")
        if wrapped and not binary:
            raise BadSyntax("UTF8 takes a literal8")  # RFC 6855 §4
        args.end()
        if literal.size > c.limits.message_bytes:
            return no(f"a message has at most {c.limits.message_bytes} bytes", "TOOBIG")
        if len(messages) == MESSAGES:
            return no(f"at most {MESSAGES} messages at once", "LIMIT")
        c.store.check_space(literal.size)
        content = await _receive(c, literal, in_memory + literal.size <= IN_MEMORY, binary)
        in_memory += literal.size
        if content is None:
            empty = True  # RFC 3502 §6.3.11: the client gave up
        elif not empty:
            messages.append(_New(await c.store.prepare(content), flags, date))
        match await c.event():
            case Literal() as literal:
                args = _after(literal.data, wrapped)
            case Command(data=data):
                _after(data, wrapped).end()
                return no("an empty message cannot be kept", "CANNOT") if empty else None
            case Fault(text=text, fatal=fatal):
                c.answer(bad(text))
                raise Ended(text if fatal else "the message was followed by something else")
            case _:
                raise Refused("a literal where none can be")


def _after(data: bytes, wrapped: bool) -> Cursor:
    """What follows a message; behind one in brackets these are closed first."""
    args = Cursor(data)
    if wrapped:
        args.need(b")")
    return args


async def _receive(c: Conversation, literal: Literal, in_memory: bool, binary: bool) -> bytes | SpoolFile | None:
    """The content, with CRLF line ends unless it is binary; None when it is empty."""
    reception = _Reception(c.store, spooled=literal.size > JOURNAL or not in_memory, binary=binary)
    try:
        await c.receive(literal, reception.take)
        return await reception.end()
    except BaseException:
        reception.discard()
        raise


class _Reception:
    """One message coming in."""

    def __init__(self, store: Store, *, spooled: bool, binary: bool) -> None:
        self._spool = store.spool() if spooled else None
        self._normal = Normal() if not binary else None
        self._pieces: list[bytes] = []
        self._size = 0

    async def take(self, piece: bytes) -> None:
        self._pieces.append(piece if self._normal is None else self._normal(piece))
        self._size += len(piece)
        if self._spool is not None and self._size > JOURNAL:
            await self._write()

    async def _write(self) -> None:
        assert self._spool is not None
        pieces, self._pieces, self._size = self._pieces, [], 0
        if pieces:
            await self._spool.write(b"".join(pieces))

    async def end(self) -> bytes | SpoolFile | None:
        if self._spool is None:
            return b"".join(self._pieces) or None
        await self._write()
        return self._spool if self._spool.size else None

    def discard(self) -> None:
        if self._spool is not None:
            self._spool.discard()
