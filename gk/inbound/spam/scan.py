"""A message looked at: what the rules find, and its signs. One pure function of the bytes, bounded in its time."""

from collections.abc import Mapping
from dataclasses import dataclass

from gk.inbound.spam.rule import Around, Hit
from gk.inbound.spam.rules import look
from gk.inbound.spam.seen import see
from gk.inbound.spam.signs import signs

READ = 256 << 10  # octets of a message that are looked at: spam says what it wants sooner


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found; `author` is the address in From, in lower case, "" without one.

    `points` are those of everything but the words, `forged` says that the author's domain wants it treated as such.
    """

    hits: tuple[Hit, ...]
    signs: Mapping[int, str]
    author: str
    points: float = 0.0
    forged: bool = False


def scan(raw: bytes, around: Around, weights: Mapping[str, float]) -> Scan:
    """Look at the first READ octets of a message with CRLF line ends; `weights` replace the points of rules."""
    seen = see(raw[:READ])
    author = seen.author.address if seen.author else ""
    return Scan(tuple(look(seen, around, weights)), signs(seen), author)
