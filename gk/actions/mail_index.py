"""mail_index: what is in a mailbox, page by page, without the messages themselves."""

import asyncio
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.transfer.lines import identity

PAGE = 5000  # messages of one answer
SLICE = 500  # of one query
BYTES = 1 << 20  # of headers read at once in the event loop: a few milliseconds


@dataclass(frozen=True, slots=True)
class Input:
    address: str
    mailbox: str
    after: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    rows: list[list[Any]]


@action("mail_index", scope="admin")
async def mail_index(context: Context, input: Input) -> Output:
    r"""List the messages of a mailbox by uid: up to 5,000 with uids above `after`, none at its end.

    A row is [uid, id, size, crc, date, zone, flags, identity]: CRC-32 of the content, internal date in seconds since
    1970 and its zone in minutes east, flags as IMAP words with blanks between, and 16 hexadecimal digits made of the
    Message-ID (of the header where there is none).
    """
    account = context.store.accounts.get(input.address)
    rooms = context.store.mailboxes
    mailbox = rooms.get(account.id, input.mailbox)
    snapshot = await rooms.open(mailbox)
    try:
        start = bisect_right(snapshot.uids, input.after)
        uids = snapshot.uids[start : start + PAGE]
        found: list[list[Any]] = []
        columns = ("message", "size", "crc", "internaldate", "zone", "flags", "header")
        while uids:
            slice_ = uids[:SLICE]
            rows = rooms.rows(mailbox, slice_, columns, BYTES)
            for *known, flags, header in rows:
                found.append([*known, snapshot.render(flags).decode(), identity(header)])
            # Rows end early once they hold enough; none are left of a slice that was expunged meanwhile.
            uids = uids[bisect_right(uids, rows[-1][0] if rows else slice_[-1]) :]
            await asyncio.sleep(0)
        return Output(found)
    finally:
        snapshot.close()
