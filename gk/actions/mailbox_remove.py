"""mailbox_remove: a mailbox without messages, no more."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.whose import whose
from gk.errors import Refused


@dataclass(frozen=True, slots=True)
class Input:
    mailbox: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    mailbox: str


@action("mailbox_remove", scope="change")
async def mailbox_remove(context: Context, input: Input) -> Output:
    """Remove a mailbox that holds no messages and no other mailboxes, and has no special use."""
    account = whose(context, input.address)
    rooms = context.store.mailboxes
    mailbox = rooms.get(account.id, input.mailbox)
    if rooms.status(mailbox).messages or rooms.has_children(mailbox) or mailbox.special_use or mailbox.name == "INBOX":
        raise Refused(f"{mailbox.name} is not empty, or has a use of its own: it stays")
    await rooms.delete(account.id, mailbox.name, empty=True)  # asked again where no delivery comes between
    await rooms.subscribe(account.id, mailbox.name, False)
    return Output(mailbox.name)
