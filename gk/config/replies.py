"""The table about which mail is answered by GK itself, with drafts or, where a rule says so, at once."""

import re
import zoneinfo
from dataclasses import dataclass

from gk.config.key import key
from gk.errors import ConfigError

RULES = 100
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ACTIONS = ("draft", "send", "none")
CATEGORIES = ("legal", "hr", "billing", "sales", "scheduling", "support", "personal", "other")
URGENCIES = ("low", "normal", "high", "critical")
LANGUAGES = ("fr", "en")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_SENDER = re.compile(r"[^\s@]*@[^\s@]+")


@dataclass(frozen=True, slots=True)
class ReplyRule:
    """Which mail, and how it is answered. What a rule does not say, it does not ask for."""

    name: str = key("", "How «gk why» calls it.")
    users: tuple[str, ...] = key((), "Addresses of accounts here.")
    senders: tuple[str, ...] = key((), 'Who wrote: "ann@example.net", or "@example.net" for all of a domain.')
    known: bool = key(False, "Only those the user has written to.")
    categories: tuple[str, ...] = key(
        (), "What triage makes of it: legal, hr, billing, sales, scheduling, support, personal, other."
    )
    urgency: tuple[str, ...] = key((), "How urgent it is: low, normal, high, critical.")
    languages: tuple[str, ...] = key((), "fr, en.")
    awaiting: bool = key(True, "Only mail whose writer waits for an answer.")
    days: tuple[str, ...] = key((), "Days it comes on: mon, tue, wed, thu, fri, sat, sun.")
    hours: tuple[str, ...] = key((), 'Hours it comes in: "18:00-08:30".')
    action: str = key("draft", "draft, send, or none: such mail is not answered, whatever later rules say.")
    template: str = key("default", "The name of the template.")
    instructions: str = key("", "What a model is told besides, in one's own words.")
    confidence: float = key(0.6, "Below it, from 0 to 1, nothing is answered.")


@dataclass(frozen=True, slots=True)
class Replies:
    """Which mail GK answers, first of all with drafts. Without rules: none."""

    rules: tuple[ReplyRule, ...] = key(
        (),
        "The first that fits holds; each a [[replies.rules]] with name, users, senders, known, categories, urgency,"
        " languages, awaiting, days, hours, action, template, instructions, confidence (docs/replies.md).",
    )
    timezone: str = key("", 'Of days and hours, "Europe/Paris"; empty: that of the server.')
    templates: str = key("", "Directory of one's own templates, NAME.LANGUAGE.txt and .html; empty: none.")
    brand: str = key("", "In whose name: the first line of HTML answers, and what templates call workspace.")
    signature: str = key("", "Below the answer; empty: the user's name.")
    disclaimer: str = key("", "In small print below that.")
    written_per_hour: int = key(100, "Answers written for one user in an hour, drafts and others.", 0)
    sent_per_hour: int = key(20, "Those sent without a person; 0: none.", 0)
    days_per_sender: int = key(7, "Days in which one sender gets one answer without a person.")
    drafts_per_sender: int = key(5, "Answers written to one sender in a day.", 0)


def check_replies(replies: Replies, source: str) -> None:
    """Raise ConfigError for what is wrong, named as in the file `source`."""
    if len(replies.rules) > RULES:
        raise ConfigError(f"{source}: replies.rules: at most {RULES} rules")
    if replies.timezone:
        try:
            zoneinfo.ZoneInfo(replies.timezone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ConfigError(
                f'{source}: replies.timezone must be one like "Europe/Paris", not "{replies.timezone}"'
            ) from None
    names: set[str] = set()
    for number, rule in enumerate(replies.rules, 1):
        where = f"{source}: replies.rules: rule {number}"
        if not rule.name or rule.name in names:
            raise ConfigError(f"{where} needs a name of its own")
        names.add(rule.name)
        _check_rule(rule, f'{source}: replies.rules: rule "{rule.name}"')


def _check_rule(rule: ReplyRule, where: str) -> None:
    for what, values, allowed in (
        ("action", (rule.action,), ACTIONS),
        ("categories", rule.categories, CATEGORIES),
        ("urgency", rule.urgency, URGENCIES),
        ("languages", rule.languages, LANGUAGES),
        ("days", rule.days, DAYS),
    ):
        for value in values:
            if value not in allowed:
                raise ConfigError(f'{where}: {what} can be {", ".join(allowed)}, not "{value}"')
    for text in rule.hours:
        if not _HOURS.fullmatch(text):
            raise ConfigError(f'{where}: hours are written like "18:00-08:30", not "{text}"')
    for text in (*rule.senders, *rule.users):
        if not _SENDER.fullmatch(text):
            raise ConfigError(f'{where}: "{text}" is no address; all of a domain are "@example.net"')
    for text in rule.users:
        if text.startswith("@"):
            raise ConfigError(f'{where}: users are addresses of accounts, not "{text}"')
    if not 0 <= rule.confidence <= 1:
        raise ConfigError(f"{where}: confidence goes from 0 to 1")
    if rule.action == "send" and not (rule.senders or rule.categories):
        raise ConfigError(f"{where}: what is sent without a person needs senders or categories; drafts need none")
