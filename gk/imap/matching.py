"""Whether one message meets a search key that needs more than flags (RFC 3501 §6.4.4): pure functions of its row.

Texts are compared decoded and folded, as substrings: encoded words, transfer encodings, case and composition of
characters make no difference.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from gk.imap.header_fields import finder
from gk.imap.search_keys import Dated, Identified, InContent, InHeader, Sized
from gk.message import table
from gk.message.date import parse_date
from gk.message.searched import Sliced, header_text, texts
from gk.message.text import fold

EPOCH = date(1970, 1, 1).toordinal()

_FIRST = re.compile(rb'\((?:"([^"]*)"|\{\d+\}\r\n([^\r\n]*))')  # the date of an ENVELOPE
_DAY = re.compile(rb"(\d{1,2})[ \t-]+([A-Za-z]{3})[a-z]*[ \t.-]+(\d{4})")
_MONTHS = {m: n for n, m in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}

Test = Callable[[Any], bool]  # of one column's value


def by_row(key: "Dated | Sized | Identified | InHeader") -> tuple[str, Test]:
    """The column a key looks at, and the test of its value."""
    match key:
        case Dated(sent=True):
            return "envelope", _compared(key, _day_sent)
        case Dated():
            return "internaldate", _compared(key, lambda epoch: epoch // 86_400 + EPOCH)
        case Sized(larger=larger, size=size):
            return "size", (lambda value: value > size) if larger else (lambda value: value < size)
        case Identified(thread=thread, id=wanted):
            letter = "T" if thread else "G"
            return "thread" if thread else "message", lambda value: f"{letter}{value}" == wanted
        case InHeader():
            return "header", _in_header(key)


def _compared(key: Dated, day_of: Callable[[Any], int | None]) -> Test:
    wanted = key.day.toordinal()

    def test(value: Any) -> bool:
        day = day_of(value)
        if day is None:
            return False
        return day < wanted if key.order == "before" else day == wanted if key.order == "on" else day >= wanted

    return test


def _day_sent(envelope: bytes) -> int | None:
    """The day of the Date field as its writer's calendar had it."""
    found = _FIRST.match(envelope)
    if found is None:
        return None
    value = found[1] if found[1] is not None else found[2]
    if (day := _DAY.search(value)) and day[2].lower() in _MONTHS:
        try:
            return date(int(day[3]), _MONTHS[day[2].lower()], int(day[1])).toordinal()
        except ValueError:
            return None
    moment = parse_date(value)
    return None if moment is None else moment // 86_400 + EPOCH


def _in_header(key: InHeader) -> Test:
    needle = fold(key.text)
    find = finder(frozenset({key.field}))
    plain = needle.encode() if needle.isascii() and not any(c.isspace() for c in needle) else b""

    def test(head: bytes) -> bool:
        for field in find(b"\n" + head):
            value = field.partition(b":")[2]
            if plain and b"=?" not in value and value.isascii():  # nothing to decode: compared as bytes
                if plain in value.lower():
                    return True
            elif needle in fold(header_text(value)):
                return True
        return False

    return test


def in_content(key: InContent, raw: Sliced, parts: bytes) -> bool:
    """Whether the decoded text of a message holds the needle; its text is looked at piece by piece."""
    needle = fold(key.text)
    if not needle:
        return True
    kept = ""  # the end of what came before, where the needle may begin
    for text in texts(raw, table.load(parts), body=True, header=key.header):
        seen = kept + fold(text)
        if needle in seen:
            return True
        kept = seen[max(0, len(seen) - len(needle) + 1) :]
    return False
