"""Dates: of header fields (RFC 5322 section 3.3, obsolete zones of section 4.3) and of IMAP (RFC 3501 `date-time`)."""

import re
from datetime import UTC, date, datetime, timedelta

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = {name.lower().encode(): number for number, name in enumerate(_MONTHS, 1)}
# Obsolete zones in hours; the single letters of RFC 822 were defined wrongly and mean nothing (RFC 5322 section 4.3).
_ZONES = {b"ut": 0, b"utc": 0, b"gmt": 0, b"z": 0, b"est": -5, b"edt": -4, b"cst": -6, b"cdt": -5}
_ZONES |= {b"mst": -7, b"mdt": -6, b"pst": -8, b"pdt": -7, b"cet": 1, b"cest": 2, b"met": 1, b"mest": 2, b"bst": 1}
_EPOCH = date(1970, 1, 1).toordinal()
LONGEST = 500  # octets of a date field that are read

_USUAL = re.compile(
    rb"[ \t]*+(?:[A-Za-z]{3,9}[, \t]++)?(\d{1,2})[ \t-]++([A-Za-z]{3})[a-z]*+[ \t.-]++(\d{2,4})[ \t,]++"
    rb"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.\d*+)?)?(?:[ \t]*+([+-]\d{4})|[ \t]*+([A-Za-z]{1,5}))?"
)
# ctime, as programs that ignore the standard write it: `Thu Aug 22 12:36:23 2002`, a zone before or after the year.
_CTIME = re.compile(
    rb"[ \t]*+(?:[A-Za-z]{3,9}[, \t]++)?([A-Za-z]{3})[a-z]*+[ \t]++(\d{1,2}),?[ \t]++"
    rb"(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?(?:[ \t]++([A-Za-z]{1,5}))?[ \t]++(\d{4})(?:[ \t]++([+-]\d{4}))?"
)
_ISO = re.compile(rb"[ \t]*+(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d))?(?:\.\d*+)?[ \t]*+(Z|[+-]\d\d:?\d\d)?")
_INTERNAL = re.compile(rb'"?([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-]\d{4})"?')
_COMMENT = re.compile(rb"\([^()]*+\)")


def parse_date(value: bytes) -> int | None:
    """The epoch second a Date field names, None when it names none. A zone that is missing or unknown is UTC."""
    if len(value) > LONGEST:
        value = value[:LONGEST]
    found = _USUAL.match(value)
    if found is None:
        value = b" ".join(_without_comments(value).split()).replace(b" :", b":").replace(b": ", b":")
        found = _USUAL.match(value)
    if found is not None:
        day, month, year, hour, minute, second, offset, zone = found.groups()
        return _epoch(_year(year), _MONTH.get(month.lower(), 0), day, hour, minute, second, _offset(offset, zone))
    found = _CTIME.match(value)
    if found is not None:
        month, day, hour, minute, second, zone, year, offset = found.groups()
        return _epoch(int(year), _MONTH.get(month.lower(), 0), day, hour, minute, second, _offset(offset, zone))
    found = _ISO.match(value)
    if found is not None:
        year, month, day, hour, minute, second, offset = found.groups()
        numeric = offset.replace(b":", b"") if offset and offset not in b"Zz" else None
        return _epoch(int(year), int(month), day, hour, minute, second, _offset(numeric, None))
    return None


def _without_comments(value: bytes) -> bytes:
    while b"(" in value:  # innermost first; a date of 500 octets nests 250 deep at most
        shorter = _COMMENT.sub(b" ", value)
        if shorter == value:
            return value.partition(b"(")[0]
        value = shorter
    return value


def _year(digits: bytes) -> int:
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)  # RFC 5322 section 4.3
    return year + 1900 if len(digits) == 3 else year


def _offset(numeric: bytes | None, zone: bytes | None) -> int:
    """Seconds east of UTC."""
    if numeric is not None:
        hours, minutes = int(numeric[1:3]), int(numeric[3:5])
        seconds = hours * 3600 + minutes * 60
        return -seconds if numeric[:1] == b"-" else seconds
    return _ZONES.get(zone.lower(), 0) * 3600 if zone else 0


def _epoch(
    year: int, month: int, day: bytes, hour: bytes, minute: bytes, second: bytes | None, offset: int
) -> int | None:
    hours, minutes, seconds = int(hour), int(minute), int(second or b"0")
    if hours > 24 or minutes > 59 or seconds > 60 or not 0 < month <= 12 or not 0 < year < 10_000:
        return None
    try:
        days = date(year, month, int(day)).toordinal() - _EPOCH
    except ValueError:
        return None
    return days * 86_400 + hours * 3600 + minutes * 60 + min(seconds, 59) - offset


def _moment(epoch: int) -> datetime:
    """The moment in UTC, held between the years 1 and 9999."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=max(-62_135_596_800, min(epoch, 253_402_300_799)))


def format_date(epoch: int) -> bytes:
    """A Date field value in UTC (RFC 5322 section 3.3)."""
    when = _moment(epoch)
    text = f"{_DAYS[when.weekday()]}, {when.day} {_MONTHS[when.month - 1]} {when.year:04d} {when:%H:%M:%S} +0000"
    return text.encode("ascii")


def format_internal(epoch: int) -> bytes:
    """An INTERNALDATE in UTC, in its quotes (RFC 3501 section 9, `date-time`)."""
    when = _moment(epoch)
    return f'"{when.day:2d}-{_MONTHS[when.month - 1]}-{when.year:04d} {when:%H:%M:%S} +0000"'.encode("ascii")


def parse_internal(value: bytes) -> int | None:
    """The epoch second of an IMAP date-time, with or without its quotes; None when it is none."""
    found = _INTERNAL.fullmatch(value)
    if found is None:
        return None
    day, month, year, hour, minute, second, zone = found.groups()
    if int(hour) > 23:
        return None
    return _epoch(int(year), _MONTH.get(month.lower(), 0), day, hour, minute, second, _offset(zone, None))
