"""vacation_set: answer senders while a user is away."""

import time
from dataclasses import dataclass, field
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.vacation_shown import Shown, midnight, shown
from gk.actions.whose import whose
from gk.errors import Refused
from gk.sieve.rules.absence import Absence, check, to_plain
from gk.sieve.rules.value import RuleError


@dataclass(frozen=True, slots=True)
class Input:
    text: str
    address: str = ""
    subject: str = ""
    first: str = ""
    last: str = ""
    days: int = 7
    addresses: list[Any] = field(default_factory=list)


@action("vacation_set", scope="settings")
async def vacation_set(context: Context, input: Input) -> Shown:
    """Answer senders with this text while the user of an account is away, each once in so many days.

    `first` and `last` are the days of it, both included, like 2026-12-24, or open; `addresses` are more addresses of
    the user's, at other servers. Lists, bulk mail, programs and forged senders get no answer.
    """
    account = whose(context, input.address)
    if not all(isinstance(address, str) for address in input.addresses):
        raise Refused("addresses are texts")
    start, end = midnight(input.first), midnight(input.last, 1)
    absence = Absence(input.text, input.subject, start, end, input.days, tuple(input.addresses), time.time_ns())
    try:
        check(absence)
    except RuleError as error:
        raise Refused(str(error)) from None
    await context.store.scripts.set_absence(account.id, to_plain(absence))
    return shown(context, account)
