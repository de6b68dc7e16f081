"""rule_remove: a rule about where mail goes, no more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.whose import whose
from gk.errors import Refused


@dataclass(frozen=True, slots=True)
class Input:
    number: int
    address: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    removed: int


@action("rule_remove", scope="settings")
async def rule_remove(context: Context, input: Input) -> Output:
    """Remove the rule of that number from an account; later ones move up."""
    account = whose(context, input.address)

    def left(before: list[Any]) -> Sequence[Any]:
        if not 1 <= input.number <= len(before):
            raise Refused(f"there is no rule {input.number}; «gk rule list» shows them")
        return [*before[: input.number - 1], *before[input.number :]]

    await context.store.scripts.change_rules(account.id, left)
    return Output(input.number)
