"""Dates (RFC 5322 section 3.3 and 4.3, RFC 3501 date-time)."""

from datetime import UTC, datetime

import pytest

from gk.message.date import format_date, format_internal, parse_date, parse_internal


def at(*parts: int) -> int:
    year, month, day, *rest = parts
    return int(datetime(year, month, day, *rest, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("value", "epoch"),
    [
        (b"Fri, 21 Nov 1997 09:55:06 -0600", at(1997, 11, 21, 15, 55, 6)),
        (b"21 Nov 97 09:55:06 GMT", at(1997, 11, 21, 9, 55, 6)),
        (
            b"Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n  -0330 (Newfoundland Time)",
            at(1969, 2, 14, 3, 2),
        ),
        (b"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", at(1997, 11, 21, 15, 55, 6)),
        (b"Tue, 1 Jul 2003 10:52:37 +0200 (CEST)", at(2003, 7, 1, 8, 52, 37)),
        (b"1 July 2003 10:52 EST", at(2003, 7, 1, 15, 52)),
        (b"Tue, 1 Jul 103 10:52:37 PDT", at(2003, 7, 1, 17, 52, 37)),
        (b"Tue, 1 Jul 49 10:52:37 Z", at(2049, 7, 1, 10, 52, 37)),
        (b"Tue, 1 Jul 2003 10:52:37", at(2003, 7, 1, 10, 52, 37)),
        (b"Tue, 1 Jul 2003 10:52:37 XYZ", at(2003, 7, 1, 10, 52, 37)),
        (b"Thu Aug 22 12:36:23 2002", at(2002, 8, 22, 12, 36, 23)),
        (b"Thu Aug 22 12:36:23 PDT 2002", at(2002, 8, 22, 19, 36, 23)),
        (b"2003-07-01T10:52:37+02:00", at(2003, 7, 1, 8, 52, 37)),
        (b"Sat, 31 Dec 2016 23:59:60 +0000", at(2016, 12, 31, 23, 59, 59)),
        (b"Mon, 29 Feb 2024 00:00:00 +0000", at(2024, 2, 29)),
    ],
)
def test_a_date_is_read_in_its_usual_and_obsolete_forms(value: bytes, epoch: int) -> None:
    assert parse_date(value) == epoch


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"yesterday",
        b"Tue, 32 Jul 2003 10:52:37 +0200",
        b"Tue, 29 Feb 2023 10:52:37 +0200",
        b"Tue, 1 Foo 2003 10:52:37 +0200",
        b"Tue, 1 Jul 2003 10:61:37 +0200",
        b"Tue, 1 Jul 2003 99:52:37 +0200",
        b"Tue, 1 Jul 0000 10:52:37 +0200",
        b"(" * 100_000,
        b"1" * 100_000,
    ],
)
def test_what_is_no_date_is_none(value: bytes) -> None:
    assert parse_date(value) is None


@pytest.mark.parametrize("epoch", [0, 1, -1, 1_795_168_800, at(1969, 7, 20), at(2038, 1, 20), at(9999, 12, 31, 23)])
def test_a_date_that_is_written_reads_back(epoch: int) -> None:
    assert parse_date(format_date(epoch)) == epoch
    assert parse_internal(format_internal(epoch)) == epoch


def test_the_forms_are_those_of_the_standards() -> None:
    epoch = at(1996, 7, 7, 2, 44, 25)
    assert format_date(epoch) == b"Sun, 7 Jul 1996 02:44:25 +0000"
    assert format_internal(epoch) == b'" 7-Jul-1996 02:44:25 +0000"'


def test_an_internal_date_is_read_strictly() -> None:
    assert parse_internal(b'"17-Jul-1996 02:44:25 -0700"') == at(1996, 7, 17, 9, 44, 25)
    assert parse_internal(b" 7-jul-1996 02:44:25 +0000") == at(1996, 7, 7, 2, 44, 25)
    for value in (
        b"",
        b"7-Jul-1996 02:44:25 +0000",
        b"17-Jul-1996",
        b"31-Feb-1996 02:44:25 +0000",
        b"17-Jul-1996 24:00:00 +0000",
    ):
        assert parse_internal(value) is None


def test_a_moment_outside_the_calendar_is_written_as_its_end() -> None:
    assert format_date(10**20) == b"Fri, 31 Dec 9999 23:59:59 +0000"
    assert format_date(-(10**20)) == b"Mon, 1 Jan 0001 00:00:00 +0000"
