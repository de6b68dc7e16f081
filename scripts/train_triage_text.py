"""The text scripts/train_triage.py learns from: how it is written down, and how mails are made of it.

A mail begins with `@ category language urgency sentiment response kind LETTERS`, of which urgency is l n h c,
sentiment - = +, response r or ., kind p (a person) or a (a machine or mass mail), the letters of BANT b a n t where
they hold, and any of re, list, html. Then the subject, then the text up to the next `@`. Slots are filled: {p} a
person, {f} a first name, {o} a firm, {g} a place, {d} a date, {a} an amount, {n} a reference, {t} a telephone number,
{e} an address, {l} a link, {h} a time of day, {w} a weekday.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gk.ai.view import View

_URGENCY = {"l": "low", "n": "normal", "h": "high", "c": "critical"}
_SENTIMENT = {"-": "negative", "=": "neutral", "+": "positive"}
_LETTER = {"b": "budget", "a": "authority", "n": "need", "t": "timing"}
_SLOT = re.compile(r"\{([a-z])\}")


@dataclass(frozen=True, slots=True)
class Written:
    """One mail as it was written down; `form` holds re, list and html."""

    category: str
    language: str
    urgency: str
    sentiment: str
    response: bool
    automatic: bool
    bant: frozenset[str]
    form: frozenset[str]
    subject: str
    body: str


def read(path: Path) -> list[Written]:
    """The mails of one file."""
    out = []
    for block in re.split(r"^@ ", path.read_text(), flags=re.MULTILINE)[1:]:
        head, subject, body = block.split("\n", 2)
        category, language, urgency, sentiment, response, kind, *more = head.split()
        letters = [word for word in more if not {*word} - {*"bant"}]
        out.append(
            Written(
                category, language, _URGENCY[urgency], _SENTIMENT[sentiment], response == "r", kind == "a",
                frozenset(_LETTER[letter] for word in letters for letter in word),
                frozenset(more) - frozenset(letters), subject, body.strip(),
            )
        )  # fmt: skip
    return out


LISTS = ("concepts", "thesaurus")  # files of words, not of mails


def mails(folder: Path) -> list[Written]:
    """All mails that were written down."""
    return [each for path in sorted(folder.glob("*.txt")) if path.stem not in LISTS for each in read(path)]


def concepts(folder: Path, stem: Callable[[str], str]) -> dict[str, tuple[str, ...]]:
    """Stems and pairs of stems with the wide groups of meaning they belong to; lines are `NAME: words, ...`."""
    lines = (folder / "concepts.txt").read_text().splitlines()
    named = [line.partition(":") for line in lines if ":" in line and not line.startswith("#")]
    return _grouped([(f"={name}", words) for name, _, words in named], stem)


def thesaurus(folder: Path, stem: Callable[[str], str]) -> dict[str, tuple[str, ...]]:
    """Stems and pairs of stems with the words of both languages that say the same; a group is a line `words, ...`."""
    lines = (folder / "thesaurus.txt").read_text().splitlines()
    return _grouped([(f"~{n}", line) for n, line in enumerate(lines) if not line.startswith("#")], stem)


def _grouped(groups: list[tuple[str, str]], stem: Callable[[str], str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, words in groups:
        for word in words.split(","):
            key = stem(word)
            if key and key.count(" ") < 2:
                found[key] = (*found.get(key, ()), name)
    return found


FIRST = (
    "Ada Basil Cyrus Dunstan Edwina Fidelma Godfrey Honor Isolde Jolyon Kezia Lachlan Muriel Nerys Orson Petra Quincy "
    "Rosamund Silas Thora Ursula Verity Winston Yolanda Zenobia Anouk Bertille Cyprien Donatien Eulalie Firmin Gaspard "
    "Hermance Isaure Jehan Kilian Leontine Marguerite Nicodeme Ondine Placide Quitterie Romaric Sixtine Tancrede Urbain"
).split()
LAST = (
    "Ashcombe Brindle Coverdale Dunmore Eastlake Farrow Gainsby Holloway Inskip Jessop Kestrel Larkin Mossop Norbury "
    "Oakden Pargeter Quayle Redfern Stanmore Tresco Underhill Varley Wetherby Yardley Aubépin Bonnemaison Castelnau "
    "Delorme Escande Fontanel Grandval Hautecoeur Issoire Jourdain Kermarrec Lacaze Maupas Nogaret Ormesson Peyrac"
).split()
FIRMS = (
    "Lindenholm",
    "Vertbois",
    "Quarryside",
    "Solmarin",
    "Ambrelune",
    "Oldwick",
    "Transalpes",
    "Fernleaf",
    "Belorage",
)
KINDS = ("Ltd", "SAS", "SARL", "Group", "Logistics", "Conseil", "& Sons", "Design", "Transports", "")
PLACES = (
    "Hexwood",
    "Marlow Green",
    "Sainte-Aurore",
    "Vallonbrun",
    "Pontferrat",
    "Ashport",
    "Bramley Cross",
    "Courtemer",
)
MONTHS = {
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
    "en": "January February March April May June July August September October November December".split(),
}
DAYS = {
    "fr": "lundi mardi mercredi jeudi vendredi".split(),
    "en": "Monday Tuesday Wednesday Thursday Friday".split(),
}
GREETINGS = {
    "fr": ("Bonjour,", "Bonjour {f},", "Madame, Monsieur,", "Bonjour Madame,", "Salut,", "Chère Madame,", "", ""),
    "en": ("Hello,", "Hi {f},", "Dear {f},", "Good morning,", "Hi,", "Dear Sir or Madam,", "", ""),
}
LEAVES = {
    "fr": ("Cordialement,", "Bien à vous,", "Bien cordialement", "Merci d'avance,", "Bonne journée,", "", "", ""),
    "en": ("Best regards,", "Kind regards", "Thanks,", "Yours sincerely,", "Best,", "Cheers,", "", ""),
}
ROBOTS = (
    "no-reply noreply notifications alerts alertes ne-pas-repondre info service news newsletter contact support hello "
    "bonjour team system lettre updates accounts"
).split()


# How often those who write are of the reader's own house.
COLLEAGUES = {
    "hr": 0.6,
    "other": 0.45,
    "scheduling": 0.25,
    "security": 0.25,
    "support": 0.04,
    "billing": 0.04,
    "legal": 0.04,
}


def made(written: Written, chance: random.Random) -> View:
    """A mail as it might have come: slots filled, parts left out, a header like those of its kind."""
    language = "fr" if written.language == "fr" else "en"
    first, last = chance.choice(FIRST), chance.choice(LAST)

    def fill(slot: re.Match[str]) -> str:
        match slot[1]:
            case "p":
                return f"{chance.choice(FIRST)} {chance.choice(LAST)}"
            case "f":
                return chance.choice(FIRST)
            case "o":
                return f"{chance.choice(FIRMS)} {chance.choice(KINDS)}".strip()
            case "g":
                return chance.choice(PLACES)
            case "d":
                day, month = chance.randint(1, 28), chance.choice(MONTHS[language])
                return f"{day} {month}" + (f" {chance.randint(2024, 2028)}" if chance.random() < 0.4 else "")
            case "a":
                sum_ = chance.choice(
                    (f"{chance.randint(5, 900)}", f"{chance.randint(1, 90)} {chance.randint(100, 999)}")
                )
                return f"{sum_} €" if language == "fr" else f"£{sum_.replace(' ', ',')}"
            case "n":
                return f"{chance.choice(('T', 'BX', 'INV', 'K', 'REF', 'CMD'))}-{chance.randint(1000, 99999)}"
            case "t":
                return (
                    f"01 99 00 {chance.randint(10, 99)} {chance.randint(10, 99)}"
                    if language == "fr"
                    else "01632 960 123"
                )
            case "e":
                return f"{chance.choice(FIRST).lower()}@{chance.choice(FIRMS).lower()}.example"
            case "l":
                return f"https://{chance.choice(FIRMS).lower()}.example/{chance.randint(10, 9999)}"
            case "h":
                return (
                    f"{chance.randint(8, 19)} h"
                    if language == "fr"
                    else f"{chance.randint(1, 12)} {chance.choice(('am', 'pm'))}"
                )
            case "w":
                return chance.choice(DAYS[language])
        raise ValueError(slot[0])

    lines = []
    for line in written.body.split("\n"):
        sentences = re.split(r"(?<=[.!?])\s+", line)
        kept = [each for each in sentences if len(sentences) < 3 or chance.random() > 0.15]
        lines.append(" ".join(word for each in kept for word in each.split(" ") if chance.random() > 0.06))
    body = "\n".join(lines)
    marks: set[str] = set()
    if "re" in written.form or (not written.automatic and chance.random() < 0.15):
        marks.add("#reply")
    if written.automatic:
        local = chance.choice(ROBOTS)
        name = f"{chance.choice(FIRMS)} {chance.choice(KINDS)}".strip()
        if chance.random() < 0.15:  # out-of-office replies, and robots that bear a name
            name, local = f"{first} {last}", f"{first}.{last}".lower()
        marks |= _bulk(written, chance)
        if chance.random() < (0.9 if written.category == "newsletter" else 0.6):
            marks |= {"#html"} | ({"#only-html"} if chance.random() < 0.8 else set())
    else:
        name = f"{first} {last}"
        local = chance.choice(
            (f"{first}.{last}", f"{first[0]}.{last}", first, "contact", "compta", "direction")
        ).lower()
        if chance.random() < 0.85:
            body += "\n\n" + chance.choice(LEAVES[language]) + "\n" + chance.choice((name, first, name, last))
            if chance.random() < 0.3:
                body += "\n" + fill(re.match(_SLOT, "{o}"))  # type: ignore[arg-type]
        if chance.random() < COLLEAGUES.get(written.category, 0.0):
            marks.add("#colleague")
            if chance.random() < 0.4:  # a telephone number says nothing of how urgent it is
                body += "\n" + ("Tél. " if language == "fr" else "Phone: ") + _SLOT.sub(fill, "{t}")
        if "list" in written.form or (written.urgency != "critical" and chance.random() < 0.1):
            marks |= {"#list", "#unsubscribe", "#bulk"}
        if chance.random() < 0.55:
            marks |= {"#html"} | ({"#only-html"} if chance.random() < 0.5 else set())
        if written.urgency in ("critical", "high") and chance.random() < 0.15:
            marks.add("#priority")
        body = chance.choice(GREETINGS[language]) + "\n" + body
    if re.search("noreply|no-reply|notif|alert|repondre|news|lettre|system", local):
        marks.add("#robot")
    elif re.match("info|contact|support|service|team|hello|bonjour|accounts|compta", local):
        marks.add("#role")
    subject = _SLOT.sub(fill, written.subject)
    if "#reply" in marks and chance.random() < 0.8:
        subject = f"Re: {subject}"
    return View(subject, name, local, "sender.example", _SLOT.sub(fill, body).strip(), frozenset(marks), 1_750_000_000)


def _bulk(written: Written, chance: random.Random) -> set[str]:
    """The marks of machines: newsletters say that they are lists, alerts that they are automatic, spam says nothing."""
    often = {"newsletter": (0.75, 0.05), "spam": (0.2, 0.02), "notification": (0.1, 0.5)}
    bulk, automatic = often.get(written.category, (0.08, 0.4))
    out: set[str] = set()
    if chance.random() < bulk:
        out |= {"#unsubscribe", "#bulk"}
        if chance.random() < 0.3:
            out.add("#list")
    if chance.random() < automatic:
        out.add("#automatic")
    return out
