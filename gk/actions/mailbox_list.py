"""mailbox_list: the mailboxes of an account."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.whose import whose


@dataclass(frozen=True, slots=True)
class Input:
    address: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    id: int
    special_use: str | None
    subscribed: bool
    uidvalidity: int
    uidnext: int
    modseq: int
    messages: int
    size: int


@dataclass(frozen=True, slots=True)
class Output:
    address: str
    mailboxes: list[Entry]


@action("mailbox_list", scope="read")
async def mailbox_list(context: Context, input: Input) -> Output:
    """List the mailboxes of an account, INBOX first, with their messages and the bytes in them."""
    account = whose(context, input.address)
    rooms = context.store.mailboxes
    subscribed = rooms.subscribed(account.id)
    found = []
    for mailbox in rooms.list(account.id):
        status = rooms.status(mailbox)
        found.append(
            Entry(
                mailbox.name, mailbox.id, mailbox.special_use, mailbox.name in subscribed, mailbox.uidvalidity,
                status.uidnext, status.modseq, status.messages, status.size,
            )
        )  # fmt: skip
    return Output(account.address, found)
