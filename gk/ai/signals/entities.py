"""What a mail names: dates, amounts, phones, addresses, links, references; people, organisations and places by `names`.

Each pattern runs only where a sign of it is in the text, and none can look at a character more than a few times.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from gk.ai.signals.words import fold

MOST = 100  # entities of one mail
NUMBERS = 500  # that are looked at
MONTHS = {
    month: number % 12 + 1
    for number, month in enumerate(
        "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre "
        "january february march april may june july august september october november december".split()
    )
}
_SHORT = "jan=1 janv=1 feb=2 fev=2 fevr=2 mar=3 apr=4 avr=4 juil=7 aug=8 sep=9 sept=9 oct=10 nov=11 dec=12"
MONTHS |= {name: int(month) for name, month in (pair.split("=") for pair in _SHORT.split())}


@dataclass(frozen=True, slots=True)
class Entity:
    """Something named: `type` is person, organisation, place, date, amount, phone, email, link or order.

    `start` and `end` are character offsets in the text it was found in, `text` what stands there.
    """

    type: str
    text: str
    start: int
    end: int


_LINK = re.compile(r"(?:https?://|\bwww\.)[^\s<>\"»«)\]]{3,500}", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+-])[\w+-]{1,64}(?:\.[\w+-]{1,64}){0,8}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_NAMED = (
    r"(?:janv(?:ier|\.)?|f[ée]vr?(?:ier|\.)?|mars|avr(?:il|\.)|mai|juin|juil(?:let|\.)|ao[uû]t|sept?(?:embre|ember|\.)?"
    r"|oct(?:obre|ober|\.)?|nov(?:embre|ember|\.)?|d[ée]c(?:embre|ember|\.)?|jan(?:uary|\.)?|feb(?:ruary|\.)?|march"
    r"|mar\.|april|apr\.?|may|june|july|aug(?:ust|\.)?)"
)
# Matched where a number begins.
_DATE = re.compile(
    rf"\d{{4}}-\d\d-\d\d(?!\d)|\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{2,4}}(?![\d.])|\d{{1,2}}/\d{{1,2}}(?![\d/])"
    rf"|(?P<d>\d{{1,2}})(?:er|st|nd|rd|th)?\s(?:of\s)?(?P<m>{_NAMED})(?!\w)(?:,?\s\d{{4}}(?!\d))?",
    re.IGNORECASE,
)
_MONTH_BEFORE = re.compile(rf"(?<!\w)(?=[A-Zm])({_NAMED})\s\Z", re.IGNORECASE)
_DAY = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?(?![\w:%])(?:,?\s\d{4}(?!\d))?")
_NUMBER = r"(?:\d{1,3}(?:[ .,’']\d{3})+(?:[.,]\d{1,2})?(?!\d)|\d+(?:[.,]\d{1,2})?(?!\d))"
_TAXED = r"(?:\s?(?:HT|TTC|HTVA)\b)?"
_CURRENCY_BEFORE = re.compile(r"(?<![\w.,-])(?:US\$|C\$|€|\$|£|EUR|USD|GBP|CHF)\s?\Z")
_SUM_BEHIND = re.compile(rf"{_NUMBER}(?:\s?(?:k|m|bn|million|thousand)\b)?{_TAXED}")
_SUM = re.compile(
    rf"{_NUMBER}\s?(?:k|K|M|[Mm]illions?|[Mm]ille|thousand)?\s?(?:d['’]\s?|de )?"
    r"(?:€|£|\$|(?:euros?|EUR|dollars?|USD|CHF|GBP|pounds?|quid|kr|SEK|NOK|DKK|francs?|k€|K€|cents|centimes|pence|p)\b)"
    rf"{_TAXED}"
)
_PHONE = re.compile(r"(?:\+\d{1,3}[ .-]?(?:\(0\)[ .-]?)?|\(?0)\d(?:[ .-]?\(?\d{1,5}\)?){2,7}(?![\w/-])")
_DIGITS = re.compile(r"(?<![\w/.@-])[#A-Za-z\d][A-Za-z\d]*+(?:[-/_.][A-Za-z\d]++){0,6}")
_GROUPS = re.compile(r"(?: \d{3}(?![\d.,]))+(?! ?[€£$%])")
_CODE = re.compile(
    r"#\d{2,12}|[A-Z]{1,8}\d{0,3}(?:[-/_][A-Z0-9]{1,6}){0,3}[-/_]?\d{3,12}(?:[-/][A-Z0-9]{1,8}){0,3}"
    r"|[A-Z]{1,6}[-/]\d{1,4}[-/]\d{2,8}(?:[-/]\d{1,8})?|\d{1,3}[A-Z]{1,3}\d{4,14}|[A-Z]{1,3}\d{1,3}-\d{2,6}"
)
_CUE = re.compile(
    r"(?:n[°ºo]|num[ée]ro|number|r[ée]f(?:[ée]rence)?|ticket|order|commande|factures?|invoices?|dossier|contra(?:t|ct)"
    r"|devis|quote|colis|parcel|tracking|suivi|case|file|policy|police|build|claim|sinistre|account|compte|identifiant"
    r"|engagement|request|issue|reservation|booking|id)[.\s:#(]*(?:n[°ºo]|no\.|number|num[ée]ro|id)?[.\s:#(]*\Z",
    re.IGNORECASE,
)
_REQUEST = re.compile(r"(?:PR|MR) ?\Z", re.IGNORECASE)


def found(text: str, folded: str | None = None) -> tuple[list[Entity], list[tuple[int, int]]]:
    """Entities that follow a pattern, and (day, month) of the dates that name a month; `folded` is the fold."""
    out: list[Entity] = []
    days: list[tuple[int, int]] = []
    taken: list[tuple[int, int]] = []

    def take(kind: str, start: int, end: int) -> bool:
        if len(out) >= MOST or any(start < there and here < end for here, there in taken):
            return False
        taken.append((start, end))
        out.append(Entity(kind, text[start:end], start, end))
        return True

    if "://" in text or "www." in text:
        for match in _LINK.finditer(text):
            take("link", match.start(), match.start() + len(match[0].rstrip(".,;:!?'’*_")))
    if "@" in text:
        for match in _EMAIL.finditer(text):
            take("email", *match.span())
    folded = fold(text) if folded is None else folded
    if "0" not in folded:
        return out, days
    _numbers(text, folded, take, days)
    return out, days


def _numbers(text: str, folded: str, take: Callable[[str, int, int], bool], days: list[tuple[int, int]]) -> None:
    """What begins with or holds a number, from left to right: dates, sums, phones, references."""
    at = 0
    for _ in range(NUMBERS):
        at = folded.find("0", at)
        if at < 0:
            return
        end = (
            _dated(text, at, take, days) or _summed(text, at, take) or _called(text, at, take) or _coded(text, at, take)
        )
        if not end:
            end = at + 1
            while folded[end : end + 1] == "0":
                end += 1
        at = end


def _joined(text: str, at: int, signs: str) -> bool:
    """Whether the number at `at` is the end of a word."""
    return at > 0 and (text[at - 1].isalnum() or text[at - 1] in signs)


def _dated(text: str, at: int, take: Callable[[str, int, int], bool], days: list[tuple[int, int]]) -> int:
    if _joined(text, at, "-_/."):
        return 0
    start, match = at, _DATE.match(text, at)
    if match is not None:
        day, month = match["d"], match["m"]
    else:
        named = _MONTH_BEFORE.search(text, max(0, at - 11), at)
        match = _DAY.match(text, at) if named else None
        if named is None or match is None or (named[1][0].islower() and named[1] not in ("mars", "mai")):
            return 0  # `may 5 people` is no date
        start, day, month = named.start(), match[1], named[1]
    if take("date", start, match.end()) and month and (number := MONTHS.get(fold(month).strip())):
        days.append((int(day), number))
    return match.end()


def _summed(text: str, at: int, take: Callable[[str, int, int], bool]) -> int:
    start = at
    if currency := _CURRENCY_BEFORE.search(text, max(0, at - 4), at):
        start, match = currency.start(), _SUM_BEHIND.match(text, at)
    elif _joined(text, at, "-_.,"):
        return 0
    else:
        match = _SUM.match(text, at)
    if match is None:
        return 0
    take("amount", start, match.end())
    return match.end()


def _called(text: str, at: int, take: Callable[[str, int, int], bool]) -> int:
    start = at - 1 if at and text[at - 1] in "+(" else at
    if _joined(text, start, "+/.,-_"):
        return 0
    match = _PHONE.match(text, start)
    if match is None or not 9 <= sum(map(str.isdigit, match[0])) <= 15:
        return 0
    end = start + len(match[0].rstrip(" .(-"))
    take("phone", start, end)
    return end


def _coded(text: str, at: int, take: Callable[[str, int, int], bool]) -> int:
    """A word of capitals and digits, or whatever number follows a word such as `ticket`."""
    start = at
    while start > 0 and at - start < 40 and (text[start - 1].isalnum() or text[start - 1] in "-/_.#"):
        start -= 1
    match = _DIGITS.match(text, start)
    if match is None or match.end() <= at:
        return 0
    code, end = match[0], match.end()
    if groups := _GROUPS.match(text, end):
        end = groups.end()
    if _CODE.fullmatch(code):
        if code[0] == "#" and (cue := _REQUEST.search(text, max(0, start - 8), start)):
            start = cue.start()
        take("order", start, match.end())
    elif (
        sum(map(str.isdigit, text[start:end])) >= 3 and not _year(code) and _CUE.search(text, max(0, start - 30), start)
    ):
        take("order", start, end)
        return end
    return match.end()


def _year(code: str) -> bool:
    return len(code) == 4 and code[:2] in ("19", "20")
