"""mail_delete: messages into Trash, and those in Trash away for good."""

from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.mail_named import by_mailbox, places_named
from gk.actions.registry import action
from gk.actions.undo import Undo
from gk.actions.whose import whose
from gk.errors import Refused
from gk.store.values import DELETED, Flags


@dataclass(frozen=True, slots=True)
class Input:
    ids: list[Any]
    address: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    trashed: list[str]
    gone: list[str]
    undo: list[Undo]


@action("mail_delete", scope="delete")
async def mail_delete(context: Context, input: Input) -> Output:
    """Move messages (G12, INBOX/7) into Trash; those that stand in Trash already are expunged for good.

    `gone` names the latter, which nothing brings back.
    """
    account = whose(context, input.address)
    rooms = context.store.mailboxes
    trash = rooms.with_use(account.id, "\\Trash")
    if trash is None:
        raise Refused("there is no mailbox for Trash")
    trashed: list[str] = []
    gone: list[str] = []
    undo: list[Undo] = []
    for source, places in by_mailbox(places_named(context, account, input.ids)):
        messages = {place.uid: f"G{place.message}" for place in places}
        if source.id == trash.id:
            await rooms.store_flags(source, list(messages), "add", Flags(DELETED))
            gone += [messages[uid] for uid in await rooms.expunge(source, list(messages))]
            continue
        old, new = await rooms.move(source, list(messages), trash)
        trashed += [messages[uid] for uid in old]
        if new:
            back = {
                "ids": [f"{trash.name}/{messages[uid]}" for uid in old],
                "mailbox": source.name,
                "address": account.address,
            }
            undo.append(Undo("mail_move", back))
    return Output(trashed, gone, undo)
