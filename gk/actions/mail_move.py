"""mail_move: messages into another mailbox."""

from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.mail_named import by_mailbox, places_named
from gk.actions.registry import action
from gk.actions.undo import Undo
from gk.actions.whose import whose


@dataclass(frozen=True, slots=True)
class Input:
    ids: list[Any]
    mailbox: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    mailbox: str
    moved: list[dict[str, Any]]
    undo: list[Undo]


@action("mail_move", scope="change")
async def mail_move(context: Context, input: Input) -> Output:
    """Move messages (G12, INBOX/7) into a mailbox of the same account, which must be there; flags stay.

    `moved` holds where each stands now, and `from`, where it stood; what stands there already is left alone. What is
    moved to Junk, or out of it, teaches the junk filter.
    """
    account = whose(context, input.address)
    rooms = context.store.mailboxes
    target = rooms.get(account.id, input.mailbox)
    moved: list[dict[str, Any]] = []
    undo: list[Undo] = []
    for source, places in by_mailbox(places_named(context, account, input.ids)):
        if source.id == target.id:
            continue
        old, new = await rooms.move(source, [place.uid for place in places], target)
        messages = {place.uid: place.message for place in places}
        moved += [
            {"id": f"G{messages[before]}", "from": source.name, "mailbox": target.name, "uid": uid}
            for before, uid in zip(old, new, strict=True)
        ]
        if new:
            back = {
                "ids": [f"{target.name}/G{messages[uid]}" for uid in old],
                "mailbox": source.name,
                "address": account.address,
            }
            undo.append(Undo("mail_move", back))
    return Output(target.name, moved, undo)
