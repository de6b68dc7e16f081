"""How the signs of a message speak for junk or against it, by what was learnt (Robinson's f(w), as in bogofilter).

What an account moved in and out of its Junk counts `OWN` times as much as the base all accounts have in common.
"""

import functools
import math
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter

from gk.inbound.spam.signs import SIGNS

OWN = 4
LEAST = 10  # messages of each kind below which there is no opinion
STRENGTH, GUESS = 0.1, 0.5  # of what is assumed about a sign seen rarely
MIDDLE = 0.4  # log-odds: signs that speak less clearly are left out
TELLING = 150  # signs that are heard, the clearest first
SHOWN = 10
MOST_SEEN = 0xFFFF  # messages a sign of the base is counted in; half of each count is 16 bits

JUNK, WANTED = (
    7.5,
    12.0,
)  # evidence by which a message is surely one or the other; docs/junk.md says how they were found
MOST = 6.0  # points

NOTHING: Mapping[int, tuple[int, int]] = {}


class Base:
    """What all accounts have in common: for each sign, in how many junk (upper half) and wanted messages it was."""

    def __init__(self, rows: Iterable[tuple[int, int, int]] = (), junk: int = 0, wanted: int = 0) -> None:
        """`rows` are (sign, junk, wanted)."""
        self.junk, self.wanted = junk, wanted
        self.counts = array("I", bytes(4 * SIGNS)) if junk or wanted else array("I")
        for sign, in_junk, in_wanted in rows:
            self.counts[sign] = min(in_junk, MOST_SEEN) << 16 | min(in_wanted, MOST_SEEN)


@dataclass(frozen=True, slots=True)
class Own:
    """What one account taught: (junk, wanted) by sign, for the signs of one message, and messages of each kind."""

    counts: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    junk: int = 0
    wanted: int = 0


@dataclass(frozen=True, slots=True)
class Opinion:
    """The points towards junk (negative: away from it), the evidence in units of chance, and the clearest signs."""

    points: float
    evidence: float
    telling: tuple[tuple[str, float], ...]  # a sign, and how sure it is of junk, from 0 to 1


Odds = tuple[float, float]  # log-odds of junk, how clear they are first


class _Odds(dict[int, Odds]):
    """Odds by the counts of a sign, packed as in Base, for so many messages of each kind; worked out once."""

    def __init__(self, junk: int, wanted: int) -> None:
        super().__init__()
        self._junk, self._wanted = junk, wanted
        self[0] = 0.0, 0.0

    def __missing__(self, packed: int) -> Odds:
        found = self[packed] = self.of(packed >> 16, packed & 0xFFFF)
        return found

    def of(self, in_junk: int, in_wanted: int) -> Odds:
        seen = in_junk + in_wanted
        share, other = in_junk / self._junk, in_wanted / self._wanted
        sure = (STRENGTH * GUESS + seen * share / (share + other)) / (STRENGTH + seen)
        odds = math.log(sure / (1 - sure))
        return abs(odds), odds


@functools.lru_cache(16)
def _odds(junk: int, wanted: int) -> _Odds:
    return _Odds(junk, wanted)


def judge(signs: Mapping[int, str], base: Base, own: Own) -> Opinion | None:
    """What the signs say; None where too little was learnt."""
    junk, wanted = base.junk + OWN * own.junk, base.wanted + OWN * own.wanted
    if junk < LEAST or wanted < LEAST:
        return None
    odds, counts, mine = _odds(junk, wanted), base.counts, own.counts
    heard: list[tuple[Odds, int]] = []
    if counts:
        heard = [(found, sign) for sign in signs if (found := odds[counts[sign]])[0] > MIDDLE and sign not in mine]
    for sign, (in_junk, in_wanted) in mine.items():
        packed = counts[sign] if counts else 0
        if in_junk or in_wanted:
            found = odds.of((packed >> 16) + OWN * in_junk, (packed & 0xFFFF) + OWN * in_wanted)
            if found[0] > MIDDLE:
                heard.append((found, sign))
    if not heard:
        return Opinion(0.0, 0.0, ())
    heard.sort(key=itemgetter(0), reverse=True)
    del heard[TELLING:]
    evidence = sum(found[1] for found, _ in heard) / math.sqrt(len(heard))
    telling = tuple((signs[sign], 1 / (1 + math.exp(-found[1]))) for found, sign in heard[:SHOWN])
    return Opinion(points(evidence), evidence, telling)


def points(evidence: float) -> float:
    """Evidence as points: nothing in the doubtful middle, the most where it is sure."""
    return min(MOST, MOST * evidence / JUNK) if evidence > 0 else max(-MOST, MOST * evidence / WANTED)
