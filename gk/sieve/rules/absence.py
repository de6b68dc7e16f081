"""Somebody is away: what senders are answered, and when, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gk.message.address import AddressError, parse_address
from gk.sieve.outcome import Vacation
from gk.sieve.rules.value import RuleError

DAY = 86_400
TEXT, SUBJECT, ADDRESSES, DAYS = 10_000, 250, 50, 365


@dataclass(frozen=True, slots=True)
class Absence:
    """`start` and `end` are seconds since 1970, the end not included, 0 for open; `days` is how long a sender is not
    answered again; `addresses` are more of the user's own, at other servers; `since` tells one absence from the next.
    """

    text: str
    subject: str = ""
    start: int = 0
    end: int = 0
    days: int = 7
    addresses: tuple[str, ...] = ()
    since: int = 0

    def vacation(self, now: int) -> Vacation | None:
        """The answer that holds now, if any."""
        if now < self.start or (self.end and now >= self.end):
            return None
        handle = f"absence {self.since}"
        return Vacation(self.text, handle, self.days * DAY, self.subject, addresses=self.addresses)


def check(absence: Absence) -> Absence:
    """The absence itself; raises RuleError."""
    if not absence.text.strip() or len(absence.text) > TEXT:
        raise RuleError(f"an answer has 1 to {TEXT:,} characters")
    if len(absence.subject) > SUBJECT or not absence.subject.isprintable():
        raise RuleError(f"a subject is one line of at most {SUBJECT} characters")
    if not 1 <= absence.days <= DAYS:
        raise RuleError(f"a sender is answered once in 1 to {DAYS} days")
    if absence.end and absence.end <= absence.start:
        raise RuleError("the absence ends before it begins")
    if len(absence.addresses) > ADDRESSES:
        raise RuleError(f"at most {ADDRESSES} addresses")
    for address in absence.addresses:
        try:
            parse_address(address)
        except AddressError as error:
            raise RuleError(f'"{address[:100]}" is no address: {error}') from None
    return absence


def to_plain(absence: Absence) -> dict[str, Any]:
    """The absence as it is stored."""
    return {
        "text": absence.text, "subject": absence.subject, "start": absence.start, "end": absence.end,
        "days": absence.days, "addresses": list(absence.addresses), "since": absence.since,
    }  # fmt: skip


def from_plain(value: Mapping[str, Any]) -> Absence:
    """The absence that stored values stand for."""
    return Absence(**{**value, "addresses": tuple(value["addresses"])})
