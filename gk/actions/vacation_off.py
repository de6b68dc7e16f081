"""vacation_off: answer nobody any more."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.vacation_shown import Shown, shown
from gk.actions.whose import whose


@dataclass(frozen=True, slots=True)
class Input:
    address: str = ""


@action("vacation_off", scope="settings")
async def vacation_off(context: Context, input: Input) -> Shown:
    """Stop answering the senders of an account's mail."""
    account = whose(context, input.address)
    await context.store.scripts.set_absence(account.id, None)
    return shown(context, account)
