"""The tests of RFC 5228 §5 and their match types, with relational (RFC 5231), subaddress (5233) and index (5260)."""

import pytest

from tests.sieve.running import holds, refused

NUMERIC = "relational comparator-i;ascii-numeric"


@pytest.mark.parametrize(
    ("test", "result"),
    [
        ('header "subject" "[lists] hello andré"', True),  # decoded, and ASCII without case
        ('header :comparator "i;octet" "subject" "[lists] Hello André"', False),
        ('header :comparator "i;octet" "subject" "[Lists] Hello André"', True),
        ('header "subject" "[LISTS] HELLO ANDRÉ"', False),  # É is not ASCII
        ('header :contains "subject" "HELLO"', True),
        ('header :contains ["x-none", "x-many"] ["none", "thr"]', True),
        ('header :contains "x-none" ""', False),
        ('header :contains "x-empty" ""', True),
        ('header :is "x-empty" ""', True),
        ('header :matches "x-empty" "*"', True),
        ('header :matches "x-empty" "?"', False),
        ('header :matches "subject" "[*]*andr?"', True),
        ('header :matches "subject" "*andr??"', False),
        ('header :matches "x-many" "t?o"', True),
        ('header :matches "x-many" "t?"', False),
        ('exists "x-many"', True),
        ('exists ["x-many", "x-none"]', False),
        ('exists ["x-many", "x-empty"]', True),
        ('address "from" "ann+news@example.org"', True),
        ('address :localpart "from" "ann+news"', True),
        ('address :domain "from" "example.org"', True),
        ('address :all :contains "from" "accounts"', False),  # the name is no part of the address
        ('address "to" "andre@example.net"', True),
        ('address ["from", "cc"] "dora@example.net"', True),  # in a group
        ('address :domain :matches ["to", "cc"] "*.com"', False),
        ('header :index 2 "x-many" "two"', True),
        ('header :index 2 "x-many" "one"', False),
        ('header :index 1 :last "x-many" "three"', True),
        ('header :index 4 "x-many" "three"', False),
        ('header :count "eq" "x-many" "3"', True),
        ('header :count "eq" :index 3 "x-many" "1"', True),
        ('header :count "ge" ["x-many", "x-empty"] "4"', True),
        ('header :count "eq" "x-none" "0"', True),
        ('address :count "eq" ["to", "cc"] "4"', True),
        ('header :value "gt" :comparator "i;ascii-numeric" "x-spam-score" "9"', True),
        ('header :value "gt" "x-spam-score" "9"', False),  # as text
        ('header :value "lt" :comparator "i;ascii-numeric" "x-spam-score" ["3", "13"]', True),
        ('header :value "ne" "x-many" "one"', True),  # two is not
        ('header :value "eq" :comparator "i;ascii-numeric" "x-spam-score" "0012 points"', True),
        ('header :value "ge" :comparator "i;ascii-numeric" "x-many" "99999999999999999999999"', True),  # infinite
        ('header :is :comparator "i;ascii-numeric" "x-spam-score" "12.5"', True),
        ('envelope "from" "ANN@example.org"', True),
        ('envelope :domain "to" "example.net"', True),
        ('envelope :user "to" "bob"', True),
        ('envelope :detail "to" "LISTS"', True),
        ('address :detail "from" "news"', True),
        ('address :user "from" "ann"', True),
        ('address :detail :matches "to" "*"', False),  # none of them has a detail
    ],
)
def test_tests(test: str, result: bool) -> None:
    assert holds(test, f"envelope index subaddress {NUMERIC}") is result


def test_the_null_path_is_an_empty_sender() -> None:
    for part in ("", ":localpart", ":domain", ":all"):
        assert holds(f'envelope {part} "from" ""', "envelope", sender="")
    assert not holds('envelope "from" ""', "envelope")


def test_an_empty_detail_is_one() -> None:
    mail = b"To: bob+@example.net\r\n\r\n"
    assert holds('address :detail "to" ""', "subaddress", mail)
    assert not holds('address :detail "to" ""', "subaddress", b"To: bob@example.net\r\n\r\n")


def test_what_is_no_address_has_no_parts_but_is_what_it_is() -> None:
    mail = b"From: ann\r\nTo: @example.net, bob@example.net\r\nCc:\r\nBcc: undisclosed-recipients:;\r\n\r\n"
    assert holds('address "from" "ann"', mail=mail)
    assert holds('address "cc" ""', mail=mail)
    assert holds('address :domain :is "to" "example.net"', mail=mail)
    assert holds('address :count "eq" "to" "2"', "relational", mail=mail)
    for test in (':localpart "from" "ann"', ':localpart :is "to" ""', ':domain "from" ""', ':localpart "cc" ""'):
        assert not holds(f"address {test}", mail=mail), test
    assert not holds('address :contains "bcc" ""', mail=mail)
    assert not holds('address :detail :contains "from" ""', "subaddress", mail=mail)


def test_values_are_unfolded_and_stripped() -> None:
    mail = b"Subject:   one\r\n\t two  \r\n\r\n"
    assert holds('header :is "subject" "one\t two"', mail=mail)


def test_only_fields_of_addresses_are_asked_for_addresses() -> None:
    assert '"subject" holds no addresses' in refused('if address "subject" "x" {}')
    assert 'no "cc"' in refused('require "envelope"; if envelope "cc" "x" {}')


def test_places_are_counted_from_one_and_last_needs_index() -> None:
    assert ":index counts from 1" in refused('require "index"; if header :index 0 "a" "b" {}')
    assert ":last needs :index" in refused('require "index"; if header :last "a" "b" {}')


def test_comparators_say_what_they_cannot_do() -> None:
    script = 'require "comparator-i;ascii-numeric"; if header %s :comparator "i;ascii-numeric" "a" "b" {}'
    assert "cannot look for parts" in refused(script % ":contains")
    assert "cannot look for parts" in refused(script % ":matches")
    assert 'no relation "xx"' in refused('require "relational"; if header :count "xx" "a" "b" {}')
