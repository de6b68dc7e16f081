"""mail_flag: flags and keywords of messages."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gk.actions.context import Context
from gk.actions.mail_named import Place, by_mailbox, places_named
from gk.actions.registry import BadArguments, action
from gk.actions.undo import Undo
from gk.actions.whose import whose
from gk.store.values import ANSWERED, FLAGGED, SEEN, Flags, Mailbox

SYSTEM = {"\\seen": SEEN, "\\answered": ANSWERED, "\\flagged": FLAGGED}
KEYWORD = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z^_`a-z|~]{1,64}")  # an atom, RFC 9051 §9
MOST = 20  # flags of one call

Mode = Literal["add", "remove"]


@dataclass(frozen=True, slots=True)
class Input:
    ids: list[Any]
    add: list[Any] = field(default_factory=list)
    remove: list[Any] = field(default_factory=list)
    address: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    changed: list[str]
    undo: list[Undo]


@action("mail_flag", scope="change")
async def mail_flag(context: Context, input: Input) -> Output:
    r"""Add flags to messages (G12, INBOX/7) and remove others: \Seen, \Answered, \Flagged, and keywords.

    `changed` names the messages that had them otherwise before.
    """
    account = whose(context, input.address)
    changed: dict[str, None] = {}
    undo: list[Undo] = []
    places = places_named(context, account, input.ids)
    asked: list[tuple[Mode, Mode, list[Any]]] = [("add", "remove", input.add), ("remove", "add", input.remove)]
    for mode, inverse, names in asked:
        flags = [(name, _flag(name)) for name in names[: MOST + 1]]
        if len(flags) > MOST:
            raise BadArguments(f"at most {MOST} flags can be changed at once")
        for name, flag in flags:
            for mailbox, group in by_mailbox(places):
                other = await _otherwise(context, mailbox, group, name, mode)
                if not other:
                    continue
                await context.store.mailboxes.store_flags(mailbox, [place.uid for place in other], mode, flag)
                changed |= dict.fromkeys(f"G{place.message}" for place in other)
                back = {
                    "ids": [f"{mailbox.name}/G{place.message}" for place in other],
                    inverse: [name],
                    "address": account.address,
                }
                undo.insert(0, Undo("mail_flag", back))
    return Output(list(changed), undo)


def _flag(name: Any) -> Flags:
    if type(name) is str:
        if name.lower() in SYSTEM:
            return Flags(SYSTEM[name.lower()])
        if KEYWORD.fullmatch(name):
            return Flags(0, frozenset((name,)))
    raise BadArguments(f"{str(name)[:40]!r} is no flag: \\Seen, \\Answered, \\Flagged or a keyword")


async def _otherwise(context: Context, mailbox: Mailbox, places: Sequence[Place], name: str, mode: Mode) -> list[Place]:
    """Those the change would change."""
    snapshot = await context.store.mailboxes.open(mailbox)
    try:
        values = dict(zip(snapshot.uids, snapshot.flags, strict=True))
        found = []
        for place in places:
            value = values.get(place.uid)
            if value is not None and (name.lower() in snapshot.render(value).decode().lower().split()) != (
                mode == "add"
            ):
                found.append(place)
        return found
    finally:
        snapshot.close()
