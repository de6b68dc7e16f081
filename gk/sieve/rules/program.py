"""A rule as a Sieve script."""

from gk.sieve.rules.value import VERDICTS, Condition, Rule, Step
from gk.sieve.words.places import OURS

LONGEST = 256 << 10  # octets of the script of any rule

_FIELDS = {"from": '"from"', "to": '["to", "cc"]', "subject": '"subject"'}
_REQUIRED = (
    "body", "comparator-i;ascii-numeric", "envelope", "environment", "reject", "fileinto", "imap4flags", "mailbox",
    "relational", "vacation",
)  # fmt: skip
REQUIRE = "require [" + ", ".join(f'"{name}"' for name in _REQUIRED) + "];\n"


def script(rule: Rule) -> str:
    """The script that does what a rule says."""
    tests = [_test(condition) for condition in rule.conditions]
    test = f"{'allof' if rule.every else 'anyof'} ({', '.join(tests)})" if len(tests) > 1 else (*tests, "true")[0]
    flags = [f"addflag {_quoted(step.value)};" for step in rule.steps if step.action == "flag"]
    # Flags first: they belong to what is filed, wherever in the rule they stand.
    steps = flags + [_step(step) for step in rule.steps if step.action != "flag"]
    return f"{REQUIRE}if {test} {{ {' '.join(steps)} }}\n"


def _test(condition: Condition) -> str:
    test = _plain_test(condition)
    return f"not {test}" if condition.negated else test


def _plain_test(condition: Condition) -> str:
    subject, relation, value = condition.subject, f":{condition.relation}", _quoted(condition.value)
    match subject:
        case "size":
            return f"size {relation} {condition.value}"
        case "score":
            compared = "gt" if relation == ":over" else "lt"
            numeric = ':comparator "i;ascii-numeric"'
            return f'environment :value "{compared}" {numeric} "{OURS}score" {value}'
        case "sender" | "recipient":
            return f'envelope {relation} "{"from" if subject == "sender" else "to"}" {value}'
        case "body":
            return f"body {relation} {value}"
        case "header":
            return f"header {relation} {_quoted(condition.header)} {value}"
        case "list" if relation == ":is":  # a name and then the id in angle brackets, RFC 2919 §3
            return f'header :contains "list-id" {_quoted(f"<{condition.value}>")}'
        case "list":
            return f'header {relation} "list-id" {value}'
    if subject in VERDICTS:
        return f'environment :is "{OURS}{subject}" {value}'
    if relation == ":is" and subject != "subject":
        return f"address :is {_FIELDS[subject]} {value}"
    return f"header {relation} {_FIELDS[subject]} {value}"


def _step(step: Step) -> str:
    value = _quoted(step.value)
    match step.action:
        case "file":
            return f"fileinto :create {value};"
        case "forward":
            return f"redirect {value};"
        case "reject":
            return f"reject {value};"
        case "reply":
            subject = f":subject {_quoted(step.subject)} " if step.subject else ""
            return f"vacation {subject}{value};"
    return f"{step.action};"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
