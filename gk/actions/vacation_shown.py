"""What the actions on absences have in common: how one is told, with days where the store has seconds."""

import datetime
import time
from dataclasses import dataclass

from gk.actions.context import Context
from gk.errors import Refused
from gk.sieve.rules.absence import from_plain
from gk.store.values import Account


@dataclass(frozen=True, slots=True)
class Shown:
    """`set` says that there is an absence, `active` that senders are answered today.

    `first` and `last` are days like 2026-12-24 by the server's clock, both included, "" for open.
    """

    address: str
    set: bool
    active: bool
    text: str = ""
    subject: str = ""
    first: str = ""
    last: str = ""
    days: int = 7
    addresses: tuple[str, ...] = ()


def shown(context: Context, account: Account) -> Shown:
    """The absence of an account."""
    kept = context.store.scripts.filing(account.id).absence
    if kept is None:
        return Shown(account.address, False, False)
    absence = from_plain(kept)
    first = _day(absence.start) if absence.start else ""
    last = _day(absence.end - 1) if absence.end else ""
    active = absence.vacation(int(time.time())) is not None
    return Shown(
        account.address, True, active, absence.text, absence.subject, first, last, absence.days, absence.addresses
    )


def _day(at: int) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(at))


def midnight(day: str, after: int = 0) -> int:
    """The second a day begins, or the one so many days later; 0 for "". Raises Refused."""
    if not day:
        return 0
    try:
        found = datetime.date.fromisoformat(day) + datetime.timedelta(days=after)
        return max(1, int(time.mktime((found.year, found.month, found.day, 0, 0, 0, 0, 0, -1))))
    except (ValueError, OverflowError):
        raise Refused(f"{day!r} is no day; one is written like 2026-12-24") from None
