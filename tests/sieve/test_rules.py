"""Rules of users: the line they are written in, the values they are stored as, and what they do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.sieve.mail import Mail
from gk.sieve.outcome import Outcome
from gk.sieve.rules.program import script
from gk.sieve.rules.value import ACTIONS, SUBJECTS, Condition, Rule, RuleError, Step, check, from_plain, to_plain
from gk.sieve.rules.wording import parse, show
from gk.sieve.script import compile, run_all
from tests.sieve.running import FROM, MAIL, TO, Around, parse_address

JUDGED = Around(environment={"vnd.gk.verdict": "accept", "vnd.gk.dmarc": "pass", "vnd.gk.score": "7"})


def decide(*lines: str, mail: bytes = MAIL) -> Outcome:
    programs = [(f"rule {number}", compile(script(parse(line)).encode())) for number, line in enumerate(lines, 1)]
    outcome = run_all(programs, Mail(mail, sender=parse_address(FROM), recipient=parse_address(TO)), JUDGED)
    assert outcome.error is None, outcome.error
    return outcome


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('from contains "Accounts"', True),
        ("from is ann+news@example.org", True),
        ('from is "Ann"', False),
        ('to contains "carl@"', True),
        ("to is dora@example.net", True),
        ('sender is "ann@example.org"', True),
        ('recipient contains "+lists"', True),
        ('subject matches "[*] hello*"', True),
        ('subject contains "André"', True),
        ('not subject contains "hello"', False),
        ('header "X-Many" is "two"', True),
        ('header X-Many is "four"', False),
        ("size over 100", True),
        ("size over 1K", False),
        ("size under 1k", True),
        ('body contains "the BODY"', True),
        ('list contains ""', False),
        ("dmarc is pass", True),
        ("verdict is junk", False),
        ("score over 6", True),
        ("score under 7", False),
        ('from contains "Ann" and subject contains "Hello"', True),
        ('from contains "Ann" and subject contains "Bye"', False),
        ('from contains "Zoe" or subject contains "Hello"', True),
    ],
)
def test_conditions(condition: str, holds: bool) -> None:
    assert (decide(f"if {condition} then discard").filings == ()) is holds


def test_a_list_is_known_by_its_id() -> None:
    mail = b"List-Id: The people <people.example.org>\r\n\r\n"
    assert decide("if list is people.example.org then discard", mail=mail).filings == ()
    assert decide("if list is example.org then discard", mail=mail).filings != ()
    assert decide("if list contains people then discard", mail=mail).filings == ()


def test_steps_are_taken() -> None:
    outcome = decide('always file "Ann", flag seen, flag $Work, forward zoe@example.com')
    assert [(filing.mailbox, filing.flags, filing.create) for filing in outcome.filings] == [
        ("Ann", ("\\Seen", "$Work"), True)
    ]
    assert [redirect.address for redirect in outcome.redirects] == ["zoe@example.com"]
    outcome = decide('always reply "I am\\naway" subject "Away"')
    assert outcome.vacation is not None
    assert (outcome.vacation.reason, outcome.vacation.subject) == ("I am\r\naway", "Away")
    outcome = decide('always reject "No"')
    assert outcome.reject is not None and outcome.reject.reason == "No"


def test_rules_go_on_until_one_stops() -> None:
    lines = ['if from contains "Ann" then flag "a"', "always flag b, stop", 'always file "never"']
    outcome = decide(*lines)
    assert [(filing.mailbox, filing.flags) for filing in outcome.filings] == [("INBOX", ("a", "b"))]
    assert [step.program for step in outcome.trace] == ["rule 1", "rule 1", "rule 2", "rule 2", "rule 2"]


def test_of_two_replies_the_first_is_given() -> None:
    outcome = decide('always reply "one"', 'always reply "two"')
    assert outcome.vacation is not None and outcome.vacation.reason == "one"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", 'expected "always" or "if"'),
        ("if", "ends too early"),
        ("if size over 5", 'expected "then"'),
        ("if size over x then stop", '"x" is no number'),
        ("if size contains 5 then stop", "makes no sense"),
        ("if moon is full then stop", 'no condition on "moon"'),
        ("if subject like x then stop", '"like" is none of'),
        ("if spf contains pass then stop", "makes no sense"),
        ("if from is a and to is b or cc is c then stop", "no condition on"),
        ("if from is a and to is b or subject is c then stop", "not both"),
        ("always", "ends too early"),
        ("always explode", 'no step "explode"'),
        ("always forward nobody", "is no address"),
        ("always stop stop", 'unexpected "stop"'),
        ("always file", "ends too early"),
        ('always file "x', "does not end"),
        ('always flag "a b"', '"a b" is no flag'),
        ("always flag a(b", '"a(b" is no flag'),
        ('always reject "x", file "y"', "neither filed"),
        ('if header "a b" is "x" then stop', "no name of a header field"),
        ("always " + "stop, " * 30 + "stop", "at most"),
        ('always file "' + "x" * 2000 + '"', "at most 1,000 characters"),
    ],
)
def test_what_makes_no_sense_is_said(line: str, said: str) -> None:
    with pytest.raises(RuleError, match=None) as raised:
        parse(line)
    assert said in str(raised.value)


_VALUES = st.text(st.characters(exclude_categories=("C", "Zl", "Zp", "Zs")) | st.sampled_from(' "\\'), max_size=20)
_CONDITION = st.builds(
    Condition,
    st.sampled_from(SUBJECTS),
    st.sampled_from(["contains", "is", "matches", "over", "under"]),
    _VALUES | st.sampled_from(["5", "1000"]),
    st.sampled_from(["", "X-A"]),
    st.booleans(),
)
_STEP = st.builds(Step, st.sampled_from(ACTIONS), _VALUES | st.just("a@b.example"), st.sampled_from(["", "s"]))
_RULES = st.builds(
    Rule, st.lists(_CONDITION, max_size=3).map(tuple), st.lists(_STEP, max_size=3).map(tuple), st.booleans()
)


@given(_RULES)
def test_a_rule_comes_back_from_its_line_and_its_values_and_compiles(rule: Rule) -> None:
    try:
        check(rule)
    except RuleError:
        return
    again = parse(show(rule))
    assert (again.conditions, again.steps) == (rule.conditions, tuple(map(_known_flag, rule.steps)))
    assert again.every == rule.every or len(rule.conditions) < 2
    assert from_plain(json.loads(json.dumps(to_plain(rule)))) == rule
    assert compile(script(rule).encode()).run(Mail(MAIL), JUDGED).filings is not None


def _known_flag(step: Step) -> Step:
    return parse(f'always flag "{step.value}"').steps[0] if step.action == "flag" and step.value.isalpha() else step


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["if", "from", "is", '"x"', "and", "then", "stop", ","])).map(" ".join)
)
def test_any_line_is_a_rule_or_an_error(line: str) -> None:
    try:
        rule = parse(line)
    except RuleError:
        return
    assert parse(show(rule)) == rule


@pytest.mark.parametrize(
    "value",
    [
        None, [], "x", {}, {"then": []}, {"then": "stop"}, {"then": [{"action": "stop", "extra": 1}]},
        {"then": [{"action": 5}]}, {"match": "some", "then": [{"action": "stop"}]}, {"else": []},
        {"if": [{"subject": "from"}], "then": [{"action": "stop"}]}, {"then": [["stop"]]},
    ],
)  # fmt: skip
def test_values_that_are_no_rule_are_refused(value: object) -> None:
    with pytest.raises(RuleError):
        from_plain(value)
