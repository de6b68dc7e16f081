"""What SEARCH FROM, TO, CC and BCC see of an address field beside its text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.message.addressed import addressed
from gk.message.mailboxes import Mailbox, parse_list
from gk.message.searched import header_text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b" <ann (home)@ (work) example.org>", "ann@example.org"),
        (b" ann @ example . org", "ann@example.org"),
        (b' "ann lee"@example.org', "ann lee@example.org"),
        (b' "Lee, \\"Ann\\"" <ann@example.org>', 'Lee, "Ann"'),
        (b" Crew: ann (a)@example.org, bob @example.org;", "ann@example.org\nbob@example.org"),
    ],
)
def test_comments_blanks_and_quotes_inside_an_address_are_not_part_of_it(value: bytes, expected: str) -> None:
    assert addressed(value) == expected


@pytest.mark.parametrize(
    "value", [b" ann@example.org", b" Ann <ann@example.org>, bob@example.org (Bob)", b' "Z (a)" <z@a>', b"", b" Crew:;"]
)
def test_what_the_text_holds_as_it_stands_is_not_said_again(value: bytes) -> None:
    assert addressed(value) == ""


@given(st.lists(st.sampled_from([b"a", b"b.c", b"@", b"<", b">", b" ", b",", b".", b"x"]), max_size=20).map(b"".join))
def test_every_plain_address_is_in_one_or_the_other(value: bytes) -> None:
    more, text = addressed(value), header_text(value)
    for entry in parse_list(value):
        if isinstance(entry, Mailbox) and entry.domain is not None:
            address = (entry.local + b"@" + entry.domain).decode()
            assert address in more or address in text


@given(st.binary(max_size=300))
def test_any_bytes_have_addresses_or_none(value: bytes) -> None:
    addressed(value)
