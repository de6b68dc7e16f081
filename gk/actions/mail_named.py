"""Which message a user or an administrator means: by its EMAILID (G12), or by a mailbox and a uid (INBOX/7)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from gk.actions.context import Context
from gk.errors import Refused
from gk.store.values import Account, Mailbox

MOST = 1000  # messages of one call

_ID = re.compile(r"G([1-9][0-9]{0,17})")
_IN = re.compile(r"(.+)/(G[1-9][0-9]{0,17})", re.DOTALL)  # a message where it stands, whatever its uid is there
_PLACE = re.compile(r"(.+)/([1-9][0-9]{0,9})", re.DOTALL)


def message_named(context: Context, address: str, text: str) -> tuple[int, list[tuple[int, int, int]]]:
    """The id of a message and (account, mailbox, uid) of where it stands: in one account, or for administrators in all.

    Raises Refused where there is none that may be seen, and NoSuchMailbox.
    """
    account = _account(context, address)
    message = _message(context, account, text)
    places = context.store.verdicts.places(message, account) if message else []
    if not message or not places:
        raise Refused(f"there is no message {text!r} here; name it by its EMAILID (G12) or as INBOX/7")
    return message, places


def _account(context: Context, address: str) -> int | None:
    """Whose message it must be; None: anybody's, for administrators only."""
    if context.account is None:
        return context.store.accounts.get(address).id if address else None
    if address and address.lower() != context.account.address:
        raise Refused("that is another account")
    return context.account.id


def _message(context: Context, account: int | None, text: str) -> int | None:
    if found := _ID.fullmatch(text):
        return int(found[1])
    place = _PLACE.fullmatch(text)
    if place is None:
        return None
    if account is None:
        raise Refused("a mailbox and a uid need an address: whose mailbox?")
    mailbox = context.store.mailboxes.get(account, place[1])
    rows = context.store.mailboxes.rows(mailbox, [int(place[2])], ("message",)) if int(place[2]) < 1 << 32 else []
    return int(rows[0][1]) if rows else None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands."""

    message: int
    mailbox: Mailbox
    uid: int

    def plain(self) -> dict[str, object]:
        """As answers show it."""
        return {"id": f"G{self.message}", "mailbox": self.mailbox.name, "uid": self.uid}


def places_named(context: Context, account: Account, texts: Sequence[Any]) -> list[Place]:
    """Where messages of an account stand, each place once, by mailbox and uid; a G12 that stands twice gives both.

    `INBOX/G12` is that message in that mailbox alone. Raises Refused, also for more than 1,000, and NoSuchMailbox.
    """
    if not 0 < len(texts) <= MOST or not all(type(text) is str for text in texts):
        raise Refused(f"name 1 to {MOST} messages, like G12 or INBOX/7")
    found = {place for text in texts for place in _places(context, account, text)}
    return sorted(found, key=lambda place: (place.mailbox.id, place.uid))


def by_mailbox(places: Sequence[Place]) -> Iterator[tuple[Mailbox, list[Place]]]:
    """The places of each mailbox, the uids ascending."""
    for mailbox, group in groupby(places, lambda place: place.mailbox):
        yield mailbox, list(group)


def _places(context: Context, account: Account, text: str) -> Iterator[Place]:
    rooms = context.store.mailboxes
    inside, named = _IN.fullmatch(text), _PLACE.fullmatch(text)
    only = (inside or named) and rooms.get(account.id, (inside or named)[1]).id  # type: ignore[index]
    message, places = message_named(context, account.address, inside[2] if inside else text)
    found = [
        Place(message, mailbox, uid)
        for _, number, uid in places
        if (mailbox := rooms.by_id(account.id, number)) is not None
        and (not only or number == only)
        and (named is None or uid == int(named[2]))
    ]
    if not found:
        raise Refused(f"there is no message {text!r} any more")
    yield from found
