"""Where a triaged mail goes: the first rule of a small table whose conditions all hold."""

from collections.abc import Sequence
from dataclasses import dataclass

from gk.ai.signals.urgency import FLOORS


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table: conditions, of which empty ones always hold, and what follows from them.

    `urgency` is the least level; `notification` and `needs_response` are `yes`, `no` or "". `folder` "" leaves the mail
    where it is, `keywords` are IMAP keywords added to it, `priority` is a number that orders work, small ones first.
    """

    category: str = ""
    urgency: str = ""
    sentiment: str = ""
    language: str = ""
    notification: str = ""
    needs_response: str = ""
    folder: str = ""
    keywords: tuple[str, ...] = ()
    priority: int = 5


@dataclass(frozen=True, slots=True)
class Known:
    """What rules ask of a mail."""

    category: str
    urgency: str
    sentiment: str
    language: str
    notification: bool
    needs_response: bool


DEFAULT = (
    Rule(urgency="critical", keywords=("$gk-urgent",), priority=1),
    Rule(category="support", needs_response="yes", keywords=("$gk-support",), priority=3),
    Rule(),
)


def route(known: Known, rules: Sequence[Rule] = DEFAULT) -> Rule:
    """The first rule that fits, or one that does nothing."""
    return next((rule for rule in rules if _fits(rule, known)), Rule())


def _fits(rule: Rule, known: Known) -> bool:
    return (
        rule.category in ("", known.category)
        and FLOORS.get(rule.urgency, 0.0) <= FLOORS[known.urgency]
        and rule.sentiment in ("", known.sentiment)
        and rule.language in ("", known.language)
        and rule.notification in ("", "yes" if known.notification else "no")
        and rule.needs_response in ("", "yes" if known.needs_response else "no")
    )
