"""Whether one message meets a search key that needs more than flags (RFC 3501 §6.4.4): pure functions of its row.

Texts are compared decoded and folded, as substrings: encoded words, transfer encodings, case and composition of
characters make no difference.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from gk.imap.header_fields import finder
from gk.imap.search_keys import Aged, Dated, Identified, InContent, InHeader, Order, Saved, Sized
from gk.message import addressed, table
from gk.message.date import parse_date
from gk.message.searched import Sliced, header_text, texts
from gk.message.text import fold

EPOCH = date(1970, 1, 1).toordinal()

_FIRST = re.compile(rb'\((?:"([^"]*)"|\{\d+\}\r\n([^\r\n]*))')  # the date of an ENVELOPE
_DAY = re.compile(rb"(\d{1,2})[ \t-]+([A-Za-z]{3})[a-z]*[ \t.-]+(\d{4})")
_MONTHS = {m: n for n, m in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}

Test = Callable[[Any], bool]  # of the column's value; of two columns, of both as a tuple
Row = Dated | Saved | Aged | Sized | Identified | InHeader
NEVER = 1 << 62  # seconds


def by_row(key: Row, now: int) -> tuple[tuple[str, ...], Test]:
    """The columns a key looks at, and the test of what they hold. `now` is in seconds since 1970."""
    match key:
        case Dated(sent=True, order=order, day=day):
            first, end = _days(order, day.toordinal())
            return ("envelope",), lambda value: (sent := _day_sent(value)) is not None and first <= sent < end
        case Dated(order=order, day=day):
            begin, stop = _seconds(order, day)
            return ("localdate",), lambda value: begin <= value < stop
        case Saved(order=order, day=day):
            begin, stop = _seconds(order, day)
            # INTERNALDATE for what has no save date (RFC 8514 §4.3): messages older than the knowledge of it
            return ("saved", "internaldate"), lambda both: begin <= (both[1] if both[0] is None else both[0]) < stop
        case Aged(younger=younger, seconds=seconds):
            since = now - seconds
            return ("internaldate",), (lambda value: value >= since) if younger else (lambda value: value <= since)
        case Sized(larger=larger, size=size):
            return ("size",), (lambda value: value > size) if larger else (lambda value: value < size)
        case Identified(thread=thread, id=wanted):
            letter = "T" if thread else "G"
            return ("thread" if thread else "message",), lambda value: f"{letter}{value}" == wanted
        case InHeader():
            return ("header",), _in_header(key)


def _days(order: Order, day: int) -> tuple[int, int]:
    """The first day that is meant, and the first that no longer is."""
    return {"before": (-NEVER, day), "on": (day, day + 1), "since": (day, NEVER)}[order]


def _seconds(order: Order, day: date) -> tuple[int, int]:
    first, end = _days(order, day.toordinal() - EPOCH)
    return first * 86_400, end * 86_400


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
    of_addresses = key.field in addressed.FIELDS

    def test(head: bytes) -> bool:
        for field in find(b"\n" + head):
            value = field.partition(b":")[2]
            if plain and b"=?" not in value and value.isascii():  # nothing to decode: compared as bytes
                if plain in value.lower():
                    return True
            elif needle in fold(header_text(value)):
                return True
            if of_addresses and (more := addressed.addressed(value)) and needle in fold(more):
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
