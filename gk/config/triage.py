"""The table about what mail is judged to be about when it is delivered, and where that leads it."""

import re
from dataclasses import dataclass

from gk.config.key import key
from gk.errors import ConfigError

ROUTES = 100
FOLDER = 200  # characters
FLAGS = 10  # of one route
CATEGORIES = (
    "spam", "newsletter", "security", "legal", "hr", "billing", "sales", "scheduling", "support", "personal",
    "notification", "other",
)  # fmt: skip
URGENCIES = ("", "low", "normal", "high", "critical")
SENTIMENTS = ("", "negative", "neutral", "positive")
LANGUAGES = ("", "fr", "en", "mixed")
EITHER = ("", "yes", "no")
SYSTEM = ("\\Flagged", "\\Seen")  # other system flags say what a user did
_KEYWORD = re.compile(r"[A-Za-z0-9$_.-]{1,50}")
_TEACHING = frozenset(("$junk", "$notjunk", "junk", "notjunk", "nonjunk", "$nonjunk"))
_RESERVED = frozenset(("inbox", "junk", "trash", "drafts", "sent"))
_USER = re.compile(r"[^\s@]+@[^\s@]+")


@dataclass(frozen=True, slots=True)
class TriageRoute:
    """Which mail, and what becomes of it. What a route does not say, it does not ask for."""

    name: str = key("", "How «gk why» calls it.")
    users: tuple[str, ...] = key((), "Addresses of accounts here; none: all.")
    categories: tuple[str, ...] = key((), "What the mail is for, any of these.")
    urgency: str = key("", "The least: low, normal, high, critical.")
    sentiment: str = key("", "negative, neutral, positive.")
    language: str = key("", "fr, en, mixed.")
    notification: str = key("", "yes: no person wrote it to a small circle; no: a person did.")
    needs_response: str = key("", "yes: somebody waits for an answer; no: nobody does.")
    folder: str = key("", "Where it is moved; made where it is missing. Empty: it stays in INBOX.")
    flags: tuple[str, ...] = key((), "Flags and keywords it gets.")
    priority: int = key(5, "From 1, first of all, to 5; 1 and 2 set the keyword $Important.")


@dataclass(frozen=True, slots=True)
class Triage:
    """What delivered mail is about, how urgent it is, and whether an answer is awaited."""

    enabled: bool = key(True, "Mail that is delivered, but not to Junk, is judged soon after.")
    keywords: bool = key(True, "IMAP keywords tell the result: $gk-billing, $gk-urgent, $gk-reply, $gk-notification.")
    routes: tuple[TriageRoute, ...] = key(
        (),
        "The first that fits holds; each a [[triage.routes]] with name, users, categories, urgency, sentiment,"
        " language, notification, needs_response, folder, flags, priority (docs/triage.md).",
    )


def check_triage(triage: Triage, source: str) -> None:
    """Raise ConfigError for what is wrong, named as in the file `source`."""
    if len(triage.routes) > ROUTES:
        raise ConfigError(f"{source}: triage.routes: at most {ROUTES} routes")
    names: set[str] = set()
    for number, route in enumerate(triage.routes, 1):
        if not route.name or route.name in names:
            raise ConfigError(f"{source}: triage.routes: route {number} needs a name of its own")
        names.add(route.name)
        _check(route, f'{source}: triage.routes: route "{route.name}"')


def _check(route: TriageRoute, where: str) -> None:
    for what, values, allowed in (
        ("categories", route.categories, CATEGORIES),
        ("urgency", (route.urgency,), URGENCIES),
        ("sentiment", (route.sentiment,), SENTIMENTS),
        ("language", (route.language,), LANGUAGES),
        ("notification", (route.notification,), EITHER),
        ("needs_response", (route.needs_response,), EITHER),
    ):
        for value in values:
            if value not in allowed:
                raise ConfigError(f'{where}: {what} can be {", ".join(filter(None, allowed))}, not "{value}"')
    for user in route.users:
        if not _USER.fullmatch(user):
            raise ConfigError(f'{where}: users are addresses of accounts, not "{user}"')
    _check_folder(route.folder, where)
    if len(route.flags) > FLAGS:
        raise ConfigError(f"{where}: at most {FLAGS} flags")
    for flag in route.flags:
        if flag not in SYSTEM and (not _KEYWORD.fullmatch(flag) or flag.lower() in _TEACHING):
            raise ConfigError(f'{where}: flags are {", ".join(SYSTEM)} and keywords, not "{flag}"')
    if not 1 <= route.priority <= 5:
        raise ConfigError(f"{where}: priority goes from 1 to 5")
    if not route.folder and not route.flags and route.priority == 5:
        raise ConfigError(f"{where}: says nothing of what becomes of the mail: folder, flags or priority")


def _check_folder(folder: str, where: str) -> None:
    """Refuse names no mailbox can have, and mailboxes whose content means something of its own."""
    levels = folder.split("/")
    if folder and (
        len(folder) > FOLDER or not all(levels) or not folder.isprintable() or {*folder} & {*'%*"\\'}
        or folder != folder.strip()
    ):  # fmt: skip
        raise ConfigError(f'{where}: "{folder}" is no name of a folder')
    if folder.lower() in _RESERVED:
        raise ConfigError(f'{where}: mail is not routed to "{folder}"')
