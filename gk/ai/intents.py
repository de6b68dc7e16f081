"""What somebody wants who asks about their mail in English or French, without a model: patterns, the first that fits.

A question is read without accents and marks. What says a time (today, hier, since monday), that only unread mail is
meant, or an author is taken out of it first; what is left of a search are its words.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

Kind = Literal["list", "who", "search", "summary", "awaiting", "urgent", "count", "folders", "help"]

LONGEST = 500  # characters of a question
DAYS_EN = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAYS_FR = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")


@dataclass(frozen=True, slots=True)
class Intent:
    """What is wanted: `since` and `before` bound the time where one was said, `when` is how it was said."""

    kind: Kind
    french: bool
    text: str = ""
    author: str = ""
    since: datetime | None = None
    before: datetime | None = None
    when: str = ""
    unread: bool = False


_FRENCH = re.compile(
    r"\b(?:le|la|les|l|un|une|des|du|de|d|mes|mon|ma|moi|m|qui|quels?|quelles?|est|sont|ce|cette|ces|aujourd hui|hier|"
    r"liste|montre|cherche|trouve|retrouve|resume|combien|qu|a|dossiers|courriels?|ecrit|repondre|reponse|quoi|lus?|aide|ou)\b"
)
_ENGLISH = re.compile(
    r"\b(?:the|my|me|a|an|of|from|who|what|which|is|are|this|today|yesterday|list|show|find|search|how|many|folders|"
    r"wrote|answer|reply|unread|new|any|mail|summari[sz]e|help|do|to|need|week)\b"
)
_UNREAD = re.compile(r"\b(?:unread|not read|new|non lus?|pas(?: encore)? lus?|nouveaux?|nouvelles?)\b")
_MAIL = r"(?:e?mails?|messages?|courriels?|courriers?|letters?)"
_AUTHOR = re.compile(
    rf"\b{_MAIL}(?: \w+)?(?: (?:i|we) (?:got|received))?"
    r" (?:from|by|sent by|de la part de|de|d|par|envoyes? par) (.+)$"
    r"|\b(?:did|has|have) (.+?) (?:write|written|send|sent|say|said)\b|\b(?:what|que) (.+?) (?:wrote|sent|said)\b"
    r"|\bqu a (?:ecrit|envoye|dit) (.+)$|\b(?:from|de la part de|envoyes? par) (.+)$"
)

_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("help", re.compile(r"^(?:help|aide|aide moi|what can you do|que (?:peux|sais) tu faire|\?)$")),
    ("folders", re.compile(r"\b(?:folders|mailboxes|dossiers|boites aux lettres)\b")),
    ("count", re.compile(rf"^(?:how many|combien)\b|\b(?:number|nombre) (?:of|de) .*{_MAIL}")),
    (
        "awaiting",
        re.compile(
            r"\b(?:needs?|awaits?|waits?|waiting|requires?|expects?|expecting)\b.*\b(?:answer|reply|replies|response)"
            r"|\b(?:who|whom|what|which).*\b(?:should|must|do) i (?:have to )?(?:answer|reply|respond)"
            r"|\battend(?:ent)?\b.*\breponse|\b(?:dois|faut|devrais)\b.*\brepondre"
            r"|\brepondre\b.*\b(?:qui|quels?)\b|\b(?:qui|quels?|quoi)\b.*\brepondre\b"
        ),
    ),
    (
        "who",
        re.compile(r"^who\b.*\b(?:wrote|written|write|e?mailed|sent|contacted)\b|\bqui\b.*\b(?:ecrit|envoye|contacte)"),
    ),
    ("urgent", re.compile(r"\b(?:urgent|urgente?s?|pressing|important|pressante?s?|importante?s?)\b")),
    ("summary", re.compile(r"^(?:please |can you )?(?:summari[sz]e|sum up|summary)\b|\bresume[rz]?\b")),
    (
        "search",
        re.compile(
            r"^(?:please |can you |peux tu )?(?:find|search(?: for)?|look for|where(?: is| are| s)?|ou (?:est|sont)"
            r"|cherche[rz]?|trouve[rz]?|retrouve[rz]?|recherche[rz]?)\b(?: (?:me|moi))?\s*(.*)$"
        ),
    ),
    (
        "list",
        re.compile(
            r"^(?:list|show|read|get|open|liste[rz]?|montre[rz]?|affiche[rz]?|lis|lire|donne)\b"
            rf"|\bwhat(?: i)? s new\b|\bquoi de neuf\b|\b{_MAIL}\b"
        ),
    ),
)
_AUTHOR_AND_WORDS = re.compile(
    rf"\b{_MAIL} (?:from|by|de|d|par) (.+?)(?: (?:about|on|sur|concernant|a propos de) (.+))?$"
)
_SAY_NOTHING = """
    a an the my me some any all please of for in about with that this these to and i you le la les l un une des du de d
    mes mon ma moi m au aux sur avec pour dans que qui s il te plait vous et en ce cette ces tous toutes j tu
    mail mails email emails message messages courriel courriels
"""
_EMPTY = frozenset(_SAY_NOTHING.split())


def understood(question: str, now: datetime) -> Intent | None:
    """What is wanted, by a clock in the user's own time; None where no pattern fits."""
    text = plain(question[:LONGEST])
    if not text and question.strip() != "?":
        return None
    french = len(_FRENCH.findall(text)) > len(_ENGLISH.findall(text))
    rest, since, before, when = _time(text, now)
    for kind, pattern in _KINDS:
        found = pattern.search(rest if kind != "help" else text or "?")
        if found is None:
            continue
        intent = Intent(kind, french, since=since, before=before, when=when)
        if kind == "search":
            return _sought(replace(intent, text=found[1]), rest)
        if kind in ("list", "count", "summary", "who"):
            author = _AUTHOR.search(rest) if kind != "who" else None
            name = next(filter(None, author.groups()), "") if author else ""
            unread = kind in ("list", "count") and _UNREAD.search(rest) is not None
            return replace(intent, author=_words(name), unread=unread)
        return intent
    author = _AUTHOR.search(rest)
    name = _words(next(filter(None, author.groups()), "")) if author else ""
    unread = _UNREAD.fullmatch(rest) is not None
    if name or unread or (when and not rest):
        return Intent("list", french, author=name, since=since, before=before, when=when, unread=unread)
    return None


def plain(text: str) -> str:
    """In lower case, without accents and marks but those of addresses."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^\w@.+-]|(?<!\w)[.+-]+|[.+-]+(?!\w)", " ", bare).split())


def _sought(intent: Intent, rest: str) -> Intent:
    """A search: by an author where mail from somebody is sought, else by all that is said."""
    author = re.search(
        rf"\b{_MAIL} (?:from|by|de|d|par) (.+?)(?: (?:about|on|sur|concernant|a propos de) (.+))?$", rest
    )
    if author:
        return replace(intent, author=_words(author[1]), text=_words(author[2] or ""))
    return replace(intent, text=_words(re.sub(r"\bfrom\b", " ", intent.text)), unread=False)


def _words(text: str) -> str:
    """What is left without the words that say nothing."""
    return " ".join(word for word in text.split() if word not in _EMPTY)


_AGO = re.compile(
    r"\b(?:(?:in|over|during|for) )?(?:the )?(?:last|past|ces|les|des|depuis)(?: les)? (\d{1,3})"
    r" (?:derniers |dernieres )?"
    r"(hours?|heures?|days?|jours?|weeks?|semaines?|months?|mois)(?: derniers| dernieres)?\b"
)
_SINCE = re.compile(rf"\b(?:since|depuis|on|from|de|ce)? ?(?:last )?({'|'.join(DAYS_EN + DAYS_FR)})(?: dernier)?\b")


def _time(text: str, now: datetime) -> tuple[str, datetime | None, datetime | None, str]:
    """(the text without its time, from when, until when, how it was said)."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    monday, first = today - timedelta(days=today.weekday()), today.replace(day=1)
    for pattern, since, before in (
        (r"\b(?:today|aujourd hui|ce (?:matin|soir)|this (?:morning|evening|afternoon))\b", today, None),
        (r"\b(?:yesterday|hier)\b", today - timedelta(days=1), today),
        (r"\b(?:last week|la semaine (?:derniere|passee))\b", monday - timedelta(days=7), monday),
        (r"\b(?:this week|cette semaine)\b", monday, None),
        (r"\b(?:last month|le mois (?:dernier|passe))\b", (first - timedelta(days=1)).replace(day=1), first),
        (r"\b(?:this month|ce mois(?: ci)?)\b", first, None),
        (r"\b(?:recently|lately|recemment)\b", today - timedelta(days=7), None),
    ):
        if found := re.search(pattern, text):
            return _without(text, found), since, before, found[0]
    if found := _AGO.search(text):
        hours = {"h": 1, "d": 24, "j": 24, "w": 168, "s": 168, "m": 720}[found[2][0]] * int(found[1])
        return _without(text, found), now - timedelta(hours=hours), None, found[0]
    if found := _SINCE.search(text):
        number = (DAYS_EN + DAYS_FR).index(found[1]) % 7
        day = today - timedelta(days=(today.weekday() - number) % 7)
        open_ = found[0].startswith(("since", "depuis"))
        return _without(text, found), day, None if open_ else day + timedelta(days=1), found[0]
    return text, None, None, ""


def _without(text: str, found: re.Match[str]) -> str:
    return " ".join((text[: found.start()] + " " + text[found.end() :]).split())
