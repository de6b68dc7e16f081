"""mailbox_add: a mailbox of an account, made unless it is there."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.undo import Undo
from gk.actions.whose import whose
from gk.errors import MailboxExists, Refused
from gk.store.values import SPECIAL

USES = frozenset(use for _, use in SPECIAL)


@dataclass(frozen=True, slots=True)
class Input:
    mailbox: str
    address: str = ""
    special_use: str | None = None
    subscribe: bool = True


@dataclass(frozen=True, slots=True)
class Output:
    mailbox: str
    made: bool
    undo: list[Undo]


@action("mailbox_add", scope="change")
async def mailbox_add(context: Context, input: Input) -> Output:
    r"""Make a mailbox, with the superior ones its name has, unless it is there; subscribe to it where asked.

    `special_use` is \Drafts, \Sent, \Junk, \Trash or \Archive; only one mailbox of an account has each.
    """
    if input.special_use is not None and input.special_use not in USES:
        raise Refused(f"a special use is one of {', '.join(sorted(USES))}")
    account = whose(context, input.address)
    rooms = context.store.mailboxes
    made = False
    if rooms.find(account.id, input.mailbox) is None:
        try:
            await rooms.create(account.id, input.mailbox, input.special_use)
            made = True
        except MailboxExists:
            pass  # made by somebody else meanwhile
    name = rooms.get(account.id, input.mailbox).name
    if input.subscribe:
        await rooms.subscribe(account.id, name, True)
    undo = [Undo("mailbox_remove", {"mailbox": name, "address": account.address})] if made else []
    return Output(name, made, undo)
