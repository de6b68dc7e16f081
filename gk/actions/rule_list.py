"""rule_list: what a user says about where mail goes."""

from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.actions.whose import whose
from gk.sieve.rules.value import RuleError, from_plain
from gk.sieve.rules.wording import show


@dataclass(frozen=True, slots=True)
class Input:
    address: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    number: int
    text: str
    rule: Any


@dataclass(frozen=True, slots=True)
class Output:
    rules: list[Entry]
    script: str | None


@action("rule_list", scope="read")
async def rule_list(context: Context, input: Input) -> Output:
    """List the rules of an account in their order, each as a line of text and as data; and the name of the Sieve
    script that decides after them, null where none is active.
    """
    account = whose(context, input.address)
    rules = context.store.scripts.filing(account.id).rules
    active = next((script.name for script in context.store.scripts.names(account.id) if script.active), None)
    return Output([Entry(number, _text(rule), rule) for number, rule in enumerate(rules, 1)], active)


def _text(rule: Any) -> str:
    try:
        return show(from_plain(rule))
    except RuleError as error:  # of another version: it can be removed
        return f"(not understood: {error})"
