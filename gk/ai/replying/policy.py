"""Which rule holds for a mail: the first that fits, and what its confidence floor says. Functions of values alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, tzinfo
from zoneinfo import ZoneInfo

from gk.config.replies import DAYS, LANGUAGES, Replies, ReplyRule


@dataclass(frozen=True, slots=True)
class Asked:
    """What rules ask about one mail; addresses, `author` of From, in lower case.

    `unsendable` says why no answer may leave without a person, "" where it may. `sure` is the chance that triage is
    right, by signal.
    """

    user: str
    author: str
    known: bool
    category: str
    urgency: str
    language: str
    awaiting: bool
    machine: bool
    sure: Mapping[str, float]
    came: datetime
    unsendable: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done: `rule` is None where none holds. `reason` is for people; `confidence` is triage's own."""

    rule: ReplyRule | None
    answers: bool
    reason: str
    confidence: float = 0.0


class Policy:
    """The rules of the configuration."""

    def __init__(self, config: Replies) -> None:
        self.config = config
        self._zone: tzinfo | None = ZoneInfo(config.timezone) if config.timezone else None

    def __bool__(self) -> bool:
        return bool(self.config.rules)

    def came(self, at: float) -> datetime:
        """A moment as days and hours of rules have it."""
        return datetime.fromtimestamp(at, self._zone) if self._zone else datetime.fromtimestamp(at).astimezone()

    def decide(self, asked: Asked) -> Decision:
        """What is done about a mail."""
        if asked.machine:
            return Decision(None, False, "a machine wrote it, or to many")
        if asked.category in ("spam", "newsletter", "notification", "security"):
            return Decision(None, False, f"mail of the category {asked.category} is never answered")
        if asked.language not in (*LANGUAGES, "mixed"):
            return Decision(None, False, "its language is not known")
        unsent = ""
        for rule in self.config.rules:
            if not _fits(rule, asked):
                continue
            if rule.action == "none":
                return Decision(rule, False, "the rule says so")
            if rule.action == "send" and asked.unsendable:
                unsent = unsent or f"the rule «{rule.name}» sends nothing here: {asked.unsendable}"
                continue  # what may not be sent may still be drafted by a later rule
            return _confident(rule, asked)
        return Decision(None, False, unsent or "no rule fits")


def _confident(rule: ReplyRule, asked: Asked) -> Decision:
    """How sure triage is of what the rule asks for."""
    signals = [
        name
        for name, asks in (
            ("category", bool(rule.categories)), ("urgency", bool(rule.urgency)), ("needs_response", rule.awaiting),
        )
        if asks
    ]  # fmt: skip
    confidence = min((asked.sure.get(name, 0.0) for name in signals), default=1.0)
    if confidence < rule.confidence:
        least = min(signals, key=lambda name: asked.sure.get(name, 0.0))
        what = f"{least.replace('_', ' ')} is only {confidence:.2f} sure, the rule asks for {rule.confidence:g}"
        return Decision(rule, False, what, confidence)
    return Decision(rule, True, _words(rule, asked, confidence), confidence)


def _words(rule: ReplyRule, asked: Asked, confidence: float) -> str:
    """Why it is answered."""
    parts = [f"{asked.category} mail"]
    if asked.awaiting:
        parts.append("its writer waits for an answer")
    if asked.urgency in ("high", "critical"):
        parts.append(f"urgency {asked.urgency}")
    if asked.known:
        parts.append("the user has written to them before")
    return f"{', '.join(parts)} ({confidence:.2f} sure)"


def _fits(rule: ReplyRule, asked: Asked) -> bool:
    if rule.users and asked.user not in _lower(rule.users):
        return False
    if rule.senders and not _among(asked.author, rule.senders):
        return False
    if rule.known and not asked.known:
        return False
    if rule.awaiting and not asked.awaiting:
        return False
    for wanted, is_ in (
        (rule.categories, asked.category), (rule.urgency, asked.urgency), (rule.languages, asked.language),
        (rule.days, DAYS[asked.came.weekday()]),
    ):  # fmt: skip
        if wanted and is_ not in wanted:
            return False
    return not rule.hours or any(_within(asked.came.time(), text) for text in rule.hours)


def _lower(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(text.lower() for text in texts)


def _among(address: str, senders: Sequence[str]) -> bool:
    return any(one == address or (one[:1] == "@" and address.endswith(one)) for one in _lower(senders))


def _within(moment: time, hours: str) -> bool:
    """Whether it is between two times of day, the first included; over midnight where the second comes first."""
    first, last = (time.fromisoformat(text) for text in hours.split("-"))
    moment = moment.replace(tzinfo=None)
    return first <= moment < last if first <= last else moment >= first or moment < last
