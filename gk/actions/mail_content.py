"""mail_content: messages as they are stored."""

import asyncio
from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused
from gk.store.content import IN_MEMORY

MESSAGES = 100  # of one call
PIECE = 1 << 20  # bytes of a large message given at once


@dataclass(frozen=True, slots=True)
class Input:
    address: str
    mailbox: str
    uids: list[Any]


@dataclass(frozen=True, slots=True)
class Output:
    sizes: list[int | None]


@action("mail_content", scope="admin")
async def mail_content(context: Context, input: Input) -> Output:
    """Give the bytes of up to 100 messages of a mailbox, one after the other, beside the answer.

    The answer holds the size of each, null for one that was expunged meanwhile.
    """
    account = context.store.accounts.get(input.address)
    mailbox = context.store.mailboxes.get(account.id, input.mailbox)
    uids = input.uids
    if len(uids) > MESSAGES or not all(type(uid) is int and 0 < uid < 1 << 32 for uid in uids):
        raise Refused(f"at most {MESSAGES} uids can be asked for at once")
    sizes: list[int | None] = []
    for content in await context.store.mailboxes.contents(mailbox, uids):
        sizes.append(content.size if content is not None else None)
        if content is None:
            continue
        try:
            for start in range(0, content.size, PIECE):
                if content.size <= IN_MEMORY:
                    piece = content.whole()
                else:
                    piece = await asyncio.to_thread(content.read, start, PIECE)
                await context.attached.give(piece)
        finally:
            content.close()
    return Output(sizes)
