"""Tests of dates: date, currentdate (RFC 5260)."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone

from gk.message.date import format_date, parse_date
from gk.message.header import uncomment, unfold
from gk.sieve.compilation import Compilation
from gk.sieve.errors import SieveError
from gk.sieve.grammar import INDEX, MATCH, STRING, STRINGS, Bound, Tag, Test, test
from gk.sieve.run import Run
from gk.sieve.words.header import chosen, field_names, position

_ZONE = re.compile(r"([+-])(\d\d)([0-5]\d)", re.ASCII)
_NUMERIC = re.compile(rb"[ \t]([+-])(\d\d)([0-5]\d)(?!\d)")
_JULIAN = date(1858, 11, 17).toordinal()  # of the modified Julian day
READ = 4096  # octets of a field in which its date is looked for


def _std11(when: datetime) -> str:
    text = format_date(int(when.replace(tzinfo=UTC).timestamp())).decode()
    return text.removesuffix("+0000") + _zone(when)


def _zone(when: datetime) -> str:
    return when.strftime("%z")


def _iso8601(when: datetime) -> str:
    zone = _zone(when)
    return f"{when.year:04d}-{when:%m-%dT%H:%M:%S}{zone[:3]}:{zone[3:5]}"


_PARTS: dict[str, Callable[[datetime], str]] = {
    "year": lambda when: f"{when.year:04d}",
    "month": lambda when: f"{when.month:02d}",
    "day": lambda when: f"{when.day:02d}",
    "date": lambda when: f"{when.year:04d}-{when.month:02d}-{when.day:02d}",
    "julian": lambda when: str(when.toordinal() - _JULIAN),
    "hour": lambda when: f"{when.hour:02d}",
    "minute": lambda when: f"{when.minute:02d}",
    "second": lambda when: f"{when.second:02d}",
    "time": lambda when: f"{when:%H:%M:%S}",
    "iso8601": _iso8601,
    "std11": _std11,
    "zone": _zone,
    "weekday": lambda when: str(when.isoweekday() % 7),
}
_ZONES = {"zone": Tag("zone", STRING), "originalzone": Tag("zone")}


@test("date", (STRING, STRING, STRINGS), tags=MATCH | INDEX | _ZONES, needs="date")
def date_(unit: Compilation, bound: Bound) -> Test:
    """Whether a part of the date in a field matches (RFC 5260 §4)."""
    names, (index, last) = field_names(unit, [bound.string(0)]), position(bound)
    part, zone = _part(unit, bound, 1), _given_zone(unit, bound)
    original = bound.tag("zone") == "originalzone"
    matcher = unit.matcher(bound, bound.strings(2))

    def holds(run: Run) -> bool:
        values: list[str] = []
        for field in chosen(run, names, index, last):
            value = uncomment(unfold(field.raw[-READ:])).rpartition(b";")[2]  # of Received behind its clauses
            epoch = parse_date(value)
            if epoch is not None:
                minutes = _minutes(value) if original else run.around.zone if zone is None else zone
                values.append(part(_moment(epoch, minutes)))
        return matcher.holds(run, values)

    return holds


@test("currentdate", (STRING, STRINGS), tags=MATCH | {"zone": Tag("zone", STRING)}, needs="date")
def currentdate(unit: Compilation, bound: Bound) -> Test:
    """Whether a part of the time of now matches (RFC 5260 §5)."""
    part, zone = _part(unit, bound, 0), _given_zone(unit, bound)
    matcher = unit.matcher(bound, bound.strings(1))

    def holds(run: Run) -> bool:
        minutes = run.around.zone if zone is None else zone
        return matcher.holds(run, [part(_moment(run.around.now, minutes))])

    return holds


def _part(unit: Compilation, bound: Bound, index: int) -> Callable[[datetime], str]:
    piece = bound.string(index)
    name = unit.constant(piece, "the part of a date").lower()
    if name not in _PARTS:
        raise SieveError(piece.place, f'there is no part "{name}" of a date')
    return _PARTS[name]


def _given_zone(unit: Compilation, bound: Bound) -> int | None:
    """Minutes east of UTC as :zone says (RFC 5260 §4.1)."""
    if bound.tag("zone") != "zone":
        return None
    piece = bound.tagged("zone")
    assert piece is not None
    found = _ZONE.fullmatch(unit.constant(piece, "a time zone"))
    if found is None or int(found[2]) > 23:
        raise SieveError(piece.place, 'a time zone is written as in "+0100"')
    return (-1 if found[1] == "-" else 1) * (int(found[2]) * 60 + int(found[3]))


def _minutes(value: bytes) -> int:
    """The zone a date field names by numbers; UTC for others."""
    found = _NUMERIC.search(value)
    if found is None or int(found[2]) > 23:
        return 0
    return (-1 if found[1] == b"-" else 1) * (int(found[2]) * 60 + int(found[3]))


def _moment(epoch: int, minutes: int) -> datetime:
    """That moment on a clock of that zone, held between the years 1 and 9999."""
    day = 86_400
    epoch = max(-62_135_596_800 + day, min(epoch, 253_402_300_799 - day))
    return datetime(1970, 1, 1, tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes))) + timedelta(seconds=epoch)
