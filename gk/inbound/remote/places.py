"""Which mailbox here a mailbox there is in step with, and which one there stands for Trash, Archive and Junk."""

from collections.abc import Sequence
from dataclasses import dataclass

from gk.config import Remote
from gk.errors import Refused
from gk.inbound.remote.parsing import Listed
from gk.transfer.naming import clean, guessed
from gk.transfer.values import Folder

TRASH, ARCHIVE, JUNK = "\\Trash", "\\Archive", "\\Junk"
USES = (TRASH, ARCHIVE, JUNK)
ABOVE = ("INBOX", "[GMAIL]", "[GOOGLE MAIL]")
_SAME = {"\\SPAM": JUNK, "\\ALL": ARCHIVE, "\\ALLMAIL": ARCHIVE}


@dataclass(frozen=True, slots=True)
class Place:
    """A mailbox there, and the name of the one here."""

    there: Listed
    here: str


def watched(remote: Remote, listed: Sequence[Listed]) -> list[Place]:
    """The folders of the configuration. Raises Refused for the first, the others may be missing."""
    by_name = {("INBOX" if one.name.upper() == "INBOX" else one.name): one for one in reversed(listed)}
    places: list[Place] = []
    for number, folder in enumerate(remote.folders):
        there = by_name.get("INBOX" if folder.upper() == "INBOX" else folder)
        if there is None and number == 0:
            raise Refused("the first of the folders is not there")
        if there is not None:
            places.append(Place(there, _here(remote, there, first=not places)))
    return places


def _here(remote: Remote, there: Listed, *, first: bool) -> str:
    top = remote.here.split("/")
    if first:
        return clean(top)
    levels = _levels(there)
    return clean([*top, *(levels[1:] if len(levels) > 1 and levels[0].upper() == "INBOX" else levels)])


def _levels(there: Listed) -> list[str]:
    return there.name.split(there.delimiter) if there.delimiter else [there.name]


def _top(there: Listed) -> tuple[str, ...]:
    """Its levels without those above all others of an account."""
    levels = tuple(_levels(there))
    return levels[1:] if len(levels) > 1 and levels[0].upper() in ABOVE else levels


def used(listed: Sequence[Listed]) -> dict[str, Listed]:
    """The mailboxes for Trash, Archive and Junk: as the server says (RFC 6154), else by their usual names.

    What holds all mail stands for Archive where nothing else does.
    """
    found: dict[str, Listed] = {}
    for one in sorted(listed, key=lambda one: "\\ALL" in one.attributes or "\\ALLMAIL" in one.attributes):
        for attribute in sorted(one.attributes):
            use = _SAME.get(attribute) or next((use for use in USES if use.upper() == attribute), "")
            if use:
                found.setdefault(use, one)
    names = {Folder(_top(one), place=str(place)): one for place, one in enumerate(listed)}
    for folder, use in guessed(list(names)).items():
        if use in USES:
            found.setdefault(use, names[folder])
    return found
