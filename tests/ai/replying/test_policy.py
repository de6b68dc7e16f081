"""Rules: the first that fits, days and hours, and silence where triage is not sure."""

from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gk.ai.replying.policy import Asked, Policy
from gk.config import Replies, ReplyRule, parse
from gk.config.checks import check
from gk.errors import ConfigError

ASKED = Asked(
    "alice@example.test", "zoe@far.test", True, "support", "high", "en", True, False,
    {"category": 0.8, "urgency": 0.5, "needs_response": 0.95}, datetime(2026, 3, 2, 10, 0),
)  # fmt: skip


def rule_for(asked: Asked, *rules: ReplyRule) -> str:
    """The name of the rule that answers, or in brackets of the one that says nothing."""
    found = Policy(Replies(rules=rules)).decide(asked)
    name = found.rule.name if found.rule else ""
    return name if found.answers else f"({name})"


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (ReplyRule("r"), True),
        (ReplyRule("r", users=("Alice@example.test",)), True),
        (ReplyRule("r", users=("bob@example.test",)), False),
        (ReplyRule("r", senders=("zoe@far.test",)), True),
        (ReplyRule("r", senders=("@far.test",)), True),
        (ReplyRule("r", senders=("@ar.test", "far.test@x")), False),
        (ReplyRule("r", known=True), True),
        (ReplyRule("r", categories=("billing", "support")), True),
        (ReplyRule("r", categories=("billing",)), False),
        (ReplyRule("r", urgency=("critical",)), False),
        (ReplyRule("r", languages=("fr",)), False),
        (ReplyRule("r", days=("mon",)), True),
        (ReplyRule("r", days=("sun",)), False),
        (ReplyRule("r", hours=("09:00-12:00",)), True),
        (ReplyRule("r", hours=("10:00-10:01",)), True),
        (ReplyRule("r", hours=("09:00-10:00",)), False),
        (ReplyRule("r", hours=("18:00-08:00",)), False),
        (ReplyRule("r", hours=("18:00-10:30",)), True),
    ],
)
def test_a_rule_fits_where_all_it_asks_for_holds(rule: ReplyRule, fits: bool) -> None:
    assert rule_for(ASKED, rule) == ("r" if fits else "()")


def test_the_first_that_fits_holds_and_none_ends_the_search() -> None:
    other = ReplyRule("other")
    assert rule_for(ASKED, ReplyRule("boss", senders=("boss@far.test",)), other) == "other"
    assert rule_for(ASKED, ReplyRule("never", action="none"), other) == "(never)"


def test_what_may_not_be_sent_goes_on_to_the_next_rule() -> None:
    sends = ReplyRule("sends", action="send", senders=("@far.test",))
    unsendable = replace(ASKED, unsendable="nothing proves who sent it")
    assert rule_for(ASKED, sends) == "sends"
    assert rule_for(unsendable, sends, ReplyRule("drafts")) == "drafts"
    found = Policy(Replies(rules=(sends,))).decide(unsendable)
    assert not found.answers and "nothing proves who sent it" in found.reason


def test_doubt_is_silence_about_what_the_rule_asks_for_only() -> None:
    assert rule_for(ASKED, ReplyRule("r", urgency=("high",)), ReplyRule("later")) == "(r)"
    assert rule_for(ASKED, ReplyRule("r", urgency=("high",), confidence=0.5)) == "r"
    assert rule_for(ASKED, ReplyRule("r", confidence=0.99)) == "(r)"
    assert rule_for(ASKED, ReplyRule("r", awaiting=False, confidence=1.0)) == "r"


def test_machines_and_mail_to_many_are_met_with_silence() -> None:
    for kind in (
        {"machine": True}, {"category": "newsletter"}, {"category": "spam"}, {"category": "notification"},
        {"category": "security"}, {"language": ""},
    ):  # fmt: skip
        assert rule_for(replace(ASKED, **kind), ReplyRule("r", awaiting=False, confidence=0.0)) == "()"  # type: ignore[arg-type]
    assert rule_for(replace(ASKED, awaiting=False), ReplyRule("r")) == "()"


def test_hours_are_those_of_the_zone() -> None:
    policy = Policy(Replies(timezone="Europe/Paris"))
    assert policy.came(1_770_000_000.0) == datetime(2026, 2, 2, 3, 40, tzinfo=ZoneInfo("Europe/Paris"))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"rules": [{}]}, "rule 1 needs a name"),
        ({"rules": [{"name": "a"}, {"name": "a"}]}, "rule 2 needs a name of its own"),
        ({"rules": [{"name": "a", "action": "reply"}]}, 'action can be draft, send, none, not "reply"'),
        ({"rules": [{"name": "a", "categories": ["spam"]}]}, "categories can be"),
        ({"rules": [{"name": "a", "hours": ["9-12"]}]}, 'hours are written like "18:00-08:30"'),
        ({"rules": [{"name": "a", "hours": ["09:00-24:00"]}]}, "hours are written"),
        ({"rules": [{"name": "a", "days": ["Monday"]}]}, "days can be"),
        ({"rules": [{"name": "a", "senders": ["far.test"]}]}, "no address"),
        ({"rules": [{"name": "a", "users": ["@example.org"]}]}, "users are addresses"),
        ({"rules": [{"name": "a", "confidence": 2}]}, "from 0 to 1"),
        ({"rules": [{"name": "a", "action": "send"}]}, "needs senders or categories"),
        ({"rules": [{"name": str(n)} for n in range(101)]}, "at most 100 rules"),
        ({"timezone": "Mars/Phobos"}, "Europe/Paris"),
        ({"rules": [{"name": "a", "instruction": "x"}]}, "did you mean"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        check(parse({"domains": ["example.org"], "replies": table}), "gk.toml")
    assert said in str(error.value)


def test_every_key_is_in_the_document() -> None:
    text = (Path(__file__).parents[3] / "docs/replies.md").read_text()
    for key in fields(ReplyRule):
        assert f"| `{key.name}` |" in text and key.metadata["doc"] in text, key.name
    for key in fields(Replies):
        assert key.name in text, key.name
