"""spam_status: what was learnt about junk."""

from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.inbound.spam.bayes import LEAST, OWN
from gk.store.lessons import BASE


@dataclass(frozen=True, slots=True)
class Input:
    pass


@dataclass(frozen=True, slots=True)
class Output:
    base: dict[str, int]
    accounts: list[dict[str, Any]]
    open: int


@action("spam_status", scope="admin")
async def spam_status(context: Context, input: Input) -> Output:
    """Show how many messages of each kind all accounts have in common, and how many each account taught.

    `speaks` says whether that is enough for an opinion; `open` lessons are yet to be learnt.
    """
    lessons = context.store.lessons
    base = lessons.totals(BASE)
    rows = []
    for account in context.store.accounts.all():
        own = lessons.totals(account.id)
        speaks = min(base.junk + OWN * own.junk, base.wanted + OWN * own.wanted) >= LEAST
        rows.append({"address": account.address, "junk": own.junk, "wanted": own.wanted, "speaks": speaks})
    return Output({"junk": base.junk, "wanted": base.wanted}, rows, lessons.waiting())
