"""What a rule is: conditions, all or any of which must hold, and the steps that follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gk.message.address import AddressError, parse_address
from gk.sieve.words.flags import words

CONDITIONS, STEPS = 50, 20  # of one rule
LONGEST = 1000  # characters of a value
REPLY = 10_000  # characters of a reply

TEXTS = ("from", "to", "sender", "recipient", "subject", "body", "list", "header")
"""Conditions on texts: the From field, To and Cc, the sender and recipient of the envelope, and so on."""
VERDICTS = ("verdict", "spf", "dkim", "dmarc", "arc")
"""Conditions on how the message was judged."""
SUBJECTS = (*TEXTS, *VERDICTS, "size", "score")
RELATIONS = {"contains", "is", "matches"}
BOUNDS = {"over", "under"}
ACTIONS = ("file", "flag", "forward", "reply", "reject", "keep", "discard", "stop")
WITH_VALUE = frozenset({"file", "flag", "forward", "reply", "reject"})


class RuleError(ValueError):
    """The rule makes no sense; says why, in words for who wrote it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; `header` names the field where the subject is "header"."""

    subject: str
    relation: str
    value: str
    header: str = ""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: `value` is a mailbox, a flag, an address or words; `subject` is that of a reply."""

    action: str
    value: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """If `every` condition holds, or else any of them, the steps are taken; without conditions always."""

    conditions: tuple[Condition, ...]
    steps: tuple[Step, ...]
    every: bool = True

    @property
    def asks_verdict(self) -> bool:
        """Whether how a message was judged is asked for: then the rule is asked about junk, too."""
        return any(condition.subject in (*VERDICTS, "score") for condition in self.conditions)


def check(rule: Rule) -> Rule:
    """The rule itself; raises RuleError."""
    if len(rule.conditions) > CONDITIONS or len(rule.steps) > STEPS:
        raise RuleError(f"a rule has at most {CONDITIONS} conditions and {STEPS} steps")
    if not rule.steps:
        raise RuleError("a rule does something: it has no steps")
    for condition in rule.conditions:
        _check_condition(condition)
    for step in rule.steps:
        _check_step(step)
    kinds = [step.action for step in rule.steps]
    if "reject" in kinds and {"file", "forward", "keep", "reply"} & set(kinds):
        raise RuleError("what is rejected is neither filed, forwarded, kept nor answered")
    return rule


def _check_condition(condition: Condition) -> None:
    if condition.subject not in SUBJECTS:
        raise RuleError(f'there is no condition on "{condition.subject[:50]}"; there are {", ".join(SUBJECTS)}')
    bounded = condition.subject in ("size", "score")
    if condition.relation not in (BOUNDS if bounded else {"is"} if condition.subject in VERDICTS else RELATIONS):
        raise RuleError(f'"{condition.subject} {condition.relation[:50]}" makes no sense')
    if bounded and (not condition.value.isdecimal() or not condition.value.isascii() or len(condition.value) > 18):
        raise RuleError(f"{condition.subject} is a number")
    if (condition.subject == "header") != bool(condition.header):
        raise RuleError("a condition on a header field names it, others do not")
    if condition.header and not all("!" <= letter <= "~" and letter != ":" for letter in condition.header[:LONGEST]):
        raise RuleError(f'"{condition.header[:50]}" can be no name of a header field')
    _check_text(condition.value, LONGEST)
    _check_text(condition.header, 76)


def _check_step(step: Step) -> None:
    if step.action not in ACTIONS:
        raise RuleError(f'there is no step "{step.action[:50]}"; there are {", ".join(ACTIONS)}')
    if bool(step.value) != (step.action in WITH_VALUE):
        raise RuleError(f"{step.action} needs a value" if not step.value else f"{step.action} takes no value")
    if step.subject and step.action != "reply":
        raise RuleError(f"{step.action} has no subject")
    _check_text(
        step.value, REPLY if step.action in ("reply", "reject") else LONGEST, step.action in ("reply", "reject")
    )
    _check_text(step.subject, LONGEST)
    if step.action == "forward":
        try:
            parse_address(step.value)
        except AddressError as error:
            raise RuleError(f'"{step.value[:100]}" is no address: {error}') from None
    if step.action == "flag" and len(words([step.value])) != 1:
        raise RuleError(f'"{step.value[:100]}" is no flag: one word in ASCII, of letters rather than signs')


def _check_text(text: str, longest: int, lines: bool = False) -> None:
    if len(text) > longest:
        raise RuleError(f"a value has at most {longest:,} characters")
    if not all(letter.isprintable() or (lines and letter == "\n") for letter in text):
        raise RuleError("a value cannot hold control characters")


def to_plain(rule: Rule) -> dict[str, Any]:
    """The rule as it is stored and as JSON carries it."""
    conditions = [
        {"subject": c.subject, "relation": c.relation, "value": c.value}
        | ({"header": c.header} if c.header else {})
        | ({"not": True} if c.negated else {})
        for c in rule.conditions
    ]
    steps = [
        {"action": s.action} | ({"value": s.value} if s.value else {}) | ({"subject": s.subject} if s.subject else {})
        for s in rule.steps
    ]
    return {"match": "all" if rule.every else "any", "if": conditions, "then": steps}


def from_plain(value: object) -> Rule:
    """The rule that plain values stand for; raises RuleError."""
    if not isinstance(value, Mapping) or not set(value) <= {"match", "if", "then"}:
        raise RuleError('a rule has the members "match", "if" and "then"')
    if value.get("match", "all") not in ("all", "any"):
        raise RuleError('"match" is "all" or "any"')
    conditions = tuple(
        Condition(
            _text(one, "subject"), _text(one, "relation"), _text(one, "value"), _text(one, "header"),
            one.get("not") is True,
        )
        for one in _list(value, "if", {"subject", "relation", "value", "header", "not"})
    )  # fmt: skip
    steps = tuple(
        Step(_text(one, "action"), _text(one, "value"), _text(one, "subject"))
        for one in _list(value, "then", {"action", "value", "subject"})
    )
    return check(Rule(conditions, steps, value.get("match", "all") == "all"))


def _list(value: Mapping[str, Any], name: str, members: set[str]) -> Sequence[Mapping[str, Any]]:
    found = value.get(name, [])
    if not isinstance(found, list | tuple) or len(found) > max(CONDITIONS, STEPS):
        raise RuleError(f'"{name}" is a list')
    for one in found:
        if not isinstance(one, Mapping) or not set(one) <= members:
            raise RuleError(f'each of "{name}" has the members {", ".join(sorted(members))}')
    return found


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name, "")
    if not isinstance(found, str):
        raise RuleError(f'"{name}" is a text')
    return found
