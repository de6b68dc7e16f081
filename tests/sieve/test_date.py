"""Dates (RFC 5260)."""

import pytest

from tests.sieve.running import Around, holds, refused


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("year", "2023"),
        ("month", "11"),
        ("day", "14"),
        ("date", "2023-11-14"),
        ("julian", "60262"),
        ("hour", "14"),
        ("minute", "30"),
        ("second", "00"),
        ("time", "14:30:00"),
        ("iso8601", "2023-11-14T14:30:00-08:00"),
        ("std11", "Tue, 14 Nov 2023 14:30:00 -0800"),
        ("zone", "-0800"),
        ("weekday", "2"),
    ],
)
def test_parts_of_a_date(part: str, value: str) -> None:
    assert holds(f'date :originalzone "date" "{part}" "{value}"', "date")
    assert not holds(f'date :originalzone "date" "{part}" "x{value}"', "date")


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ('date "date" "iso8601" "2023-11-14T23:30:00+01:00"', True),  # the user's zone
        ('date :zone "+0530" "date" "iso8601" "2023-11-15T04:00:00+05:30"', True),
        ('date :zone "-0100" "date" "std11" "Tue, 14 Nov 2023 21:30:00 -0100"', True),
        ('date :zone "+0000" "received" "hour" "22"', True),
        ('date :index 2 :zone "+0000" "received" "minute" "00"', True),
        ('date :index 1 :originalzone "received" "zone" "+0100"', True),
        ('date :index 1 :last :originalzone "received" "zone" "+0000"', True),
        ('date :value "ge" "date" "date" "2023-11-14"', True),
        ('date :value "lt" "date" "hour" "09"', False),
        ('date :matches "subject" "year" "*"', False),
        ('date :matches "x-none" "year" "*"', False),
        ('date :count "eq" "received" "year" "2"', True),
        ('currentdate "iso8601" "2023-11-14T23:13:20+01:00"', True),
        ('currentdate :zone "+0000" "hour" "22"', True),
        ('allof (currentdate :value "ge" "date" "2023-11-01", currentdate :value "le" "date" "2023-11-30")', True),
        ('currentdate "weekday" "2"', True),
    ],
)
def test_dates(test: str, result: bool) -> None:
    assert holds(test, "date index relational") is result


def test_sunday_is_the_first_day() -> None:
    assert holds('currentdate :zone "+0000" "weekday" "0"', "date", around=Around(now=1_700_000_000 - 2 * 86_400))


def test_odd_dates_match_nothing_and_hurt_nobody() -> None:
    for value in (b"no date", b"31 Feb 2020 10:00:00 +0000", b"(((", b"1 Jan 0001 00:00:00 +2359", b";" * 9000):
        holds('date :matches "date" "year" "*"', "date", b"Date: " + value + b"\r\n\r\n")
    assert not holds('date :matches "date" "year" "*"', "date", b"Date: 31 Feb 2020 10:00:00 +0000\r\n\r\n")
    assert holds('date "date" "year" "2020"', "date", b"Date: 1 (a comment; of 1999) Feb 2020 10:00:00 +9999\r\n\r\n")


def test_parts_and_zones_are_checked() -> None:
    assert 'no part "century"' in refused('require "date"; if currentdate "century" "21" {}')
    assert "a time zone is written" in refused('require "date"; if currentdate :zone "CET" "hour" "21" {}')
    assert "cannot stand beside" in refused('require "date"; if date :originalzone :zone "+0000" "date" "hour" "1" {}')
    assert "currentdate takes no :originalzone" in refused('require "date"; if currentdate :originalzone "hour" "1" {}')
