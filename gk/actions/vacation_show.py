"""vacation_show: whether senders are answered while a user is away, and what."""

from dataclasses import dataclass

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.vacation_shown import Shown, shown
from gk.actions.whose import whose


@dataclass(frozen=True, slots=True)
class Input:
    address: str = ""


@action("vacation_show", scope="read")
async def vacation_show(context: Context, input: Input) -> Shown:
    """Show what senders are answered while the user of an account is away, and from which day to which."""
    return shown(context, whose(context, input.address))
