"""rule_add: one more rule about where mail goes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.whose import whose
from gk.errors import Refused
from gk.sieve.errors import SieveError
from gk.sieve.rules import program, wording
from gk.sieve.rules.value import Rule, RuleError, to_plain
from gk.sieve.script import compile
from gk.store.names import canonical


@dataclass(frozen=True, slots=True)
class Input:
    text: str
    address: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    number: int
    text: str


@action("rule_add", scope="settings")
async def rule_add(context: Context, input: Input) -> Output:
    """Add a rule to an account, as the one of that number, or with 0 as the last; later ones move down.

    `text` is like: if from contains "ann@" and subject contains "report" then file "Ann/Reports", flag seen, stop.
    """
    account = whose(context, input.address)
    rule = await asyncio.to_thread(_made, input.text)
    number = 0

    def added(before: list[Any]) -> Sequence[Any]:
        nonlocal number
        if not 0 <= input.number <= len(before) + 1:
            raise Refused(f"there are {len(before)} rules: the new one can be 1 to {len(before) + 1}")
        number = input.number or len(before) + 1
        return [*before[: number - 1], to_plain(rule), *before[number - 1 :]]

    await context.store.scripts.change_rules(account.id, added)
    return Output(number, wording.show(rule))


def _made(text: str) -> Rule:
    """The rule, which compiles and files into mailboxes that can be."""
    try:
        rule = wording.parse(text)
        for step in rule.steps:
            if step.action == "file":
                canonical(step.value)
        compile(program.script(rule).encode(), program.LONGEST)
    except (RuleError, SieveError) as error:
        raise Refused(f"that is no rule: {error}") from None
    return rule
