"""vacation: an answer while somebody is away (RFC 5230, RFC 6131)."""

import hashlib

from gk.message.address import AddressError
from gk.sieve.compilation import Compilation
from gk.sieve.errors import SieveError
from gk.sieve.grammar import NUMBER, STRING, STRINGS, Action, Bound, Tag, command
from gk.sieve.mailbox import parse_mailbox
from gk.sieve.outcome import Vacation
from gk.sieve.run import Run
from gk.sieve.strings import Text

DAY = 86_400  # seconds
DAYS = 7  # RFC 5230 §4.1: the default
LONGEST = 365 * DAY
ADDRESSES = 100

_TAGS = {
    "days": Tag("period", NUMBER),
    "seconds": Tag("period", NUMBER, "vacation-seconds"),
    "subject": Tag("subject", STRING),
    "from": Tag("from", STRING),
    "addresses": Tag("addresses", STRINGS),
    "mime": Tag("mime"),
    "handle": Tag("handle", STRING),
}


@command("vacation", (STRING,), tags=_TAGS, needs="vacation vacation-seconds")
def vacation(unit: Compilation, bound: Bound) -> Action:
    """Answer the sender, once in a period."""
    reason, mime = unit.text(bound.string(0)), "mime" in bound.tags
    subject, sender, handle = (_optional(unit, bound, group) for group in ("subject", "from", "handle"))
    addresses = unit.texts(bound.tagged_list("addresses"))
    if len(addresses) > ADDRESSES:
        raise SieveError(bound.place, f"more than {ADDRESSES} addresses")
    if sender is not None and sender.constant is not None and not _is_address(sender.constant):
        raise SieveError(sender.piece.place, "this is no address")
    seconds = _seconds(bound)

    def act(run: Run) -> None:
        words = reason.of(run)
        about = subject.of(run) if subject is not None else ""
        author = sender.of(run) if sender is not None else ""
        if author and not _is_address(author):
            author = ""
        own = handle.of(run) if handle is not None else _handle(words, about, author, mime)
        found = tuple(address.of(run) for address in addresses)
        run.answer(Vacation(words, own, seconds, about, author, found, mime))

    return act


def _optional(unit: Compilation, bound: Bound, group: str) -> Text | None:
    piece = bound.tagged(group)
    return unit.text(piece) if piece is not None else None


def _seconds(bound: Bound) -> int:
    """RFC 5230 §4.1: at least a day, unless RFC 6131 names seconds; at most a year."""
    if bound.tag("period") == "seconds":
        return min(bound.number("period", 0), LONGEST)
    return min(max(bound.number("period", DAYS), 1) * DAY, LONGEST)


def _handle(*what: object) -> str:
    """What stands for a vacation without a handle: answers that say something else are others (RFC 5230 §4.2)."""
    return hashlib.sha256(repr(what).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _is_address(text: str) -> bool:
    try:
        parse_mailbox(text)
    except AddressError:
        return False
    return True
