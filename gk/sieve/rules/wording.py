"""A rule as one line of text: `if from contains "ann@" and not subject is "x" then file "Ann", stop`."""

import re
from collections.abc import Iterator

from gk.sieve.rules.value import BOUNDS, RELATIONS, SUBJECTS, WITH_VALUE, Condition, Rule, RuleError, Step, check

LONGEST = 20_000  # characters of a line

_TOKEN = re.compile(r'\s*+(?:"((?:[^"\\]++|\\.)*+)"|([^\s",]++)|(,))', re.DOTALL)
_UNIT = {"k": 10, "m": 20, "g": 30}
_NUMBER = re.compile(r"([0-9]{1,15})([KkMmGg]?)")
FLAGS = {name.lower(): f"\\{name}" for name in ("Seen", "Flagged", "Answered", "Deleted", "Draft")}


def parse(line: str) -> Rule:
    """The rule a line says; raises RuleError."""
    if len(line) > LONGEST:
        raise RuleError(f"a rule has at most {LONGEST:,} characters")
    return check(_Reader(line).rule())


class _Reader:
    def __init__(self, line: str) -> None:
        self._tokens = list(_tokens(line))
        self._at = 0

    def rule(self) -> Rule:
        conditions: list[Condition] = []
        joined: set[str] = set()
        if self._take("if"):
            conditions.append(self._condition())
            while self._word() in ("and", "or"):
                joined.add(self._next())
                conditions.append(self._condition())
            self._need("then")
        else:
            self._need("always")
        if len(joined) > 1:
            raise RuleError('a rule has "and" or "or" between its conditions, not both')
        steps = [self._step()]
        while self._take(","):
            steps.append(self._step())
        if self._at < len(self._tokens):
            raise RuleError(f'unexpected "{self._next()[:50]}"')
        return Rule(tuple(conditions), tuple(steps), "or" not in joined)

    def _condition(self) -> Condition:
        negated = self._take("not")
        subject = self._next().lower()
        if subject not in SUBJECTS:
            raise RuleError(f'there is no condition on "{subject[:50]}"; there are {", ".join(SUBJECTS)}')
        header = self._next() if subject == "header" else ""
        relation = self._next().lower()
        if relation not in RELATIONS | BOUNDS:
            raise RuleError(f'"{relation[:50]}" is none of {", ".join(sorted(RELATIONS | BOUNDS))}')
        value = self._next()
        if relation in BOUNDS:
            number = _NUMBER.fullmatch(value)
            if number is None:
                raise RuleError(f'"{value[:50]}" is no number')
            value = str(int(number[1]) << _UNIT.get(number[2].lower(), 0))
        return Condition(subject, relation, value, header, negated)

    def _step(self) -> Step:
        action = self._next().lower()
        value = self._next() if action in WITH_VALUE else ""
        if action == "flag":
            value = FLAGS.get(value.lower(), value)
        subject = self._next() if action == "reply" and self._take("subject") else ""
        return Step(action, value, subject)

    def _word(self) -> str:
        """The word that is next, in lower case; "" for a text in quotes and at the end."""
        if self._at < len(self._tokens) and not self._tokens[self._at][1]:
            return self._tokens[self._at][0].lower()
        return ""

    def _take(self, word: str) -> bool:
        found = self._word() == word
        self._at += found
        return found

    def _need(self, word: str) -> None:
        if not self._take(word):
            here = self._tokens[self._at][0] if self._at < len(self._tokens) else "the end"
            begins = ' or "if"' if word == "always" else ""
            raise RuleError(f'expected "{word}"{begins}, found "{here[:50]}"')

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise RuleError("the rule ends too early")
        self._at += 1
        return self._tokens[self._at - 1][0]


def _tokens(line: str) -> Iterator[tuple[str, bool]]:
    """(text, whether it stood in quotes)."""
    at, line = 0, line.strip()
    while at < len(line):
        found = _TOKEN.match(line, at)
        if found is None:
            raise RuleError("a text in quotes does not end")
        at = found.end()
        if found[1] is not None:
            yield re.sub(r'\\(["\\n])', lambda pair: "\n" if pair[1] == "n" else pair[1], found[1]), True
        else:
            yield found[2] or found[3], False


def show(rule: Rule) -> str:
    """The line that says a rule; `parse` reads it back."""
    steps = ", ".join(map(_shown_step, rule.steps))
    if not rule.conditions:
        return f"always {steps}"
    return f"if {(' and ' if rule.every else ' or ').join(map(_shown_condition, rule.conditions))} then {steps}"


def _shown_condition(condition: Condition) -> str:
    subject = f"header {_quoted(condition.header)}" if condition.header else condition.subject
    value = condition.value if condition.relation in BOUNDS else _quoted(condition.value)
    return f"{'not ' if condition.negated else ''}{subject} {condition.relation} {value}"


def _shown_step(step: Step) -> str:
    if step.action == "flag" and step.value in FLAGS.values():
        return f"flag {step.value[1:].lower()}"
    value = f" {_quoted(step.value)}" if step.value else ""
    return step.action + value + (f" subject {_quoted(step.subject)}" if step.subject else "")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
