"""mail_import: messages from elsewhere, with their flags and dates, as one commit."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action, bind
from gk.errors import Refused
from gk.store.db import JOURNAL, Store
from gk.store.spool import SpoolFile
from gk.store.values import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN, Arrival, Flags, When
from gk.transfer.words import is_keyword

MESSAGES = 1000  # of one call
IN_MEMORY = 8 << 20  # bytes of one call's messages before all that follow are spooled
PIECE = 256 << 10  # bytes of a large message taken at once
FEW = 8  # messages scanned before others get their turn: 2 ms
ZONE = 24 * 60 - 1  # minutes
LATEST = 0xFFFFFFFF  # of an internal date: the year 2106
SYSTEM = {"\\Seen": SEEN, "\\Answered": ANSWERED, "\\Flagged": FLAGGED, "\\Deleted": DELETED, "\\Draft": DRAFT}


@dataclass(frozen=True, slots=True)
class Input:
    address: str
    mailbox: str
    messages: list[Any]


@dataclass(frozen=True, slots=True)
class Coming:
    """One of the messages: so many bytes of what is attached."""

    size: int
    flags: str = ""
    date: int | None = None
    zone: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    uids: list[int]


@action("mail_import", scope="admin")
async def mail_import(context: Context, input: Input) -> Output:
    r"""Put up to 1,000 messages into a mailbox, all or none; their bytes are attached, one after the other.

    A message is {"size": bytes, "flags": "\\Seen $Forwarded", "date": seconds since 1970, "zone": minutes east}.
    Line ends are CRLF.
    """
    account = context.store.accounts.get(input.address)
    mailbox = context.store.mailboxes.get(account.id, input.mailbox)
    coming = [_checked(context.store, message) for message in input.messages]
    if not 0 < len(coming) <= MESSAGES:
        raise Refused(f"1 to {MESSAGES} messages can come at once")
    context.store.check_space(sum(message.size for message in coming))
    arrivals: list[tuple[Arrival, Flags, When | int | None]] = []
    kept = False
    in_memory = 0
    try:
        for number, message in enumerate(coming):
            in_memory += message.size
            content = await _taken(context, message.size, in_memory > IN_MEMORY)
            when = None if message.date is None else When(message.date, message.zone)
            arrivals.append((await context.store.prepare(content), _flags(message.flags), when))
            if number % FEW == FEW - 1:
                await asyncio.sleep(0)
        uids = await context.store.mailboxes.append(mailbox, arrivals)
        kept = True
    finally:
        for arrival, _, _ in [] if kept else arrivals:
            if isinstance(arrival.content, SpoolFile):
                arrival.content.discard()
    return Output(uids)


def _checked(store: Store, message: Any) -> Coming:
    if not isinstance(message, dict):
        raise Refused("a message is an object with size, flags and date")
    coming: Coming = bind(Coming, message)
    if not 0 < coming.size <= store.limits.message_bytes:
        raise Refused(f"a message has 1 to {store.limits.message_bytes} bytes")
    if coming.date is not None and not 0 <= coming.date <= LATEST:
        raise Refused("an internal date is between 1970 and 2106")
    if abs(coming.zone) > ZONE:
        raise Refused("a zone is less than a day away from UTC")
    _flags(coming.flags)
    return coming


def _flags(text: str) -> Flags:
    words = text.split()
    for word in words:
        if word not in SYSTEM and not is_keyword(word):
            raise Refused("a flag is a system flag that can be set, or a keyword of 1 to 64 bytes")
    keywords = frozenset(word for word in words if word not in SYSTEM)
    return Flags(sum({SYSTEM[word] for word in words if word in SYSTEM}), keywords)


async def _taken(context: Context, size: int, spooled: bool) -> bytes | SpoolFile:
    """The next `size` bytes of what is attached."""
    if size <= JOURNAL and not spooled:
        content = b"".join([piece async for piece in _pieces(context, size)])
        if content.count(b"\n") != content.count(b"\r\n"):
            raise Refused("a line of a message does not end with CRLF")
        return content
    spool = context.store.spool()
    try:
        last = b""
        async for piece in _pieces(context, size):
            if piece.count(b"\n") != (last + piece).count(b"\r\n"):
                raise Refused("a line of a message does not end with CRLF")
            last = piece[-1:] if piece.endswith(b"\r") else b""
            await spool.write(piece)
        return spool
    except BaseException:
        spool.discard()
        raise


async def _pieces(context: Context, size: int) -> AsyncIterator[bytes]:
    while size:
        piece = await context.attached.take(min(PIECE, size))
        if not piece:
            raise Refused("what is attached is shorter than the messages")
        size -= len(piece)
        yield piece
