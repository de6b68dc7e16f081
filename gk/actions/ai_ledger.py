"""ai_ledger: what language models cost."""

from dataclasses import dataclass
from datetime import date, timedelta

from gk.actions.context import Context
from gk.actions.registry import BadArguments, action
from gk.ai.metering import MILLION

MOST = 400  # days


@dataclass(frozen=True, slots=True)
class Input:
    address: str = ""
    days: int = 30


@dataclass(frozen=True, slots=True)
class Line:
    day: str
    address: str
    model: str
    calls: int
    failed: int
    tokens_asked: int
    tokens_said: int
    seconds: float
    price: float


@dataclass(frozen=True, slots=True)
class Output:
    spending: list[Line]


@action("ai_ledger", scope="admin")
async def ai_ledger(context: Context, input: Input) -> Output:
    """Show what calls to language models took: calls, tokens, time and money by day (UTC), account and model.

    `address` is one account, else all; `days` is at most 400. The price is in the money of the configuration.
    """
    if not 1 <= input.days <= MOST:
        raise BadArguments(f"the argument days must be from 1 to {MOST}")
    account = context.store.accounts.get(input.address).id if input.address else None
    names = {one.id: one.address for one in context.store.accounts.all()}
    return Output([
        Line(
            str(date(1970, 1, 1) + timedelta(row.day)), names.get(row.account, "(removed)"), row.model, row.calls,
            row.failed, row.asked, row.said, row.milliseconds / 1000, row.price / MILLION,
        )
        for row in context.store.ledger.of(account, input.days)
    ])  # fmt: skip
