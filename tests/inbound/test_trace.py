"""Trace fields, and what is removed at the border."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.inbound import trace
from gk.inbound.trace import Client
from gk.message.address import Address
from tests.accounts.fuzzing import examples

ANN = Address("ann", "example.org")
PLAIN = Client("client.example.org", "192.0.2.1", True, None, False)


def lines(field: bytes) -> str:
    assert field.endswith(b"\r\n")
    return field.replace(b"\r\n\t", b" ").decode().rstrip("\r\n")


def test_received_says_who_how_and_when() -> None:
    field = lines(trace.received(PLAIN, "mail.example.test", "abc", False, ANN))
    assert re.fullmatch(
        r"Received: from client\.example\.org \(\[192\.0\.2\.1\]\) by mail\.example\.test with ESMTP id abc"
        r" for <ann@example\.org>; \w{3}, \d+ \w{3} \d{4} \d\d:\d\d:\d\d \+0000",
        field,
    )


@pytest.mark.parametrize(
    ("extended", "tls", "authenticated", "utf8", "word"),
    [
        (False, None, False, False, "SMTP"),
        (False, "TLSv1.3", True, True, "SMTP"),
        (True, None, False, False, "ESMTP"),
        (True, "TLSv1.3", False, False, "ESMTPS"),
        (True, None, True, False, "ESMTPA"),
        (True, "TLSv1.3", True, False, "ESMTPSA"),
        (True, None, False, True, "UTF8SMTP"),
        (True, "TLSv1.2", True, True, "UTF8SMTPSA"),
    ],
)
def test_the_protocol_word_is_the_registered_one(
    extended: bool, tls: str | None, authenticated: bool, utf8: bool, word: str
) -> None:
    client = Client("c", "192.0.2.1", extended, tls, authenticated)
    assert client.protocol(utf8) == word
    assert f" with {word} " in lines(trace.received(client, "h", "i", utf8, None))


def test_a_hidden_client_leaves_no_name_and_no_address() -> None:
    client = Client("laptop.home", "203.0.113.9", True, "TLSv1.3", True, hidden=True)
    field = lines(trace.received(client, "h", "i", False, None))
    assert "laptop" not in field
    assert "203.0.113.9" not in field
    assert " for " not in field


def test_an_ipv6_client_is_an_address_literal() -> None:
    field = lines(trace.received(Client("c", "2001:db8::1", True, None, False), "h", "i", False, None))
    assert "([IPv6:2001:db8::1])" in field


@examples
@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=255))
def test_no_client_name_ends_its_clause_or_adds_a_field(helo: str) -> None:
    field = trace.received(Client(helo, "192.0.2.1", True, None, False), "h", "i", False, None)
    assert field.count(b"\n") == 3
    head = field.partition(b"\r\n")[0]
    assert re.fullmatch(rb"Received: from [A-Za-z0-9._:\[\]-]+ \(\[192\.0\.2\.1\]\)", head)


def test_return_path_of_the_null_sender_is_empty() -> None:
    assert trace.return_path(None) == b"Return-Path: <>\r\n"
    assert trace.return_path(ANN) == b"Return-Path: <ann@example.org>\r\n"


@pytest.mark.parametrize(
    ("content", "header", "rest"),
    [
        (b"A: 1\r\nB: 2\r\n\r\nbody\r\n", b"A: 1\r\nB: 2\r\n", b"\r\nbody\r\n"),
        (b"A: 1\r\n", b"A: 1\r\n", b""),
        (b"\r\nbody\r\n", b"", b"\r\nbody\r\n"),
        (b"", b"", b"\r\n"),
        (b"hello there\r\n", b"", b"\r\nhello there\r\n"),
        (b" folded: yes\r\nA: 1\r\n\r\n", b"", b"\r\n folded: yes\r\nA: 1\r\n\r\n"),
        (b"From ann Mon Jan 1 10:00:00\r\nA: 1\r\n\r\nb\r\n", b"From ann Mon Jan 1 10:00:00\r\nA: 1\r\n", b"\r\nb\r\n"),
        (b"A : 1\r\n\r\n", b"A : 1\r\n", b"\r\n"),
    ],
)
def test_a_message_is_split_before_its_empty_line(content: bytes, header: bytes, rest: bytes) -> None:
    assert trace.split(content) == (header, rest)


def test_received_fields_are_counted_in_any_spelling() -> None:
    header = b"Received: a\r\nSubject: Received: no\r\n\treceived: folded\r\nRECEIVED : b\r\nreceived:c\r\n"
    assert trace.hops(header) == 3


def test_what_only_we_may_write_is_removed() -> None:
    kept = b"Subject: x\r\nAuthentication-Results: other.example; spf=pass\r\nX-Return-Path: <a>\r\n"
    forged = [
        b"Return-Path: <x@example.org>\r\n",
        b"RETURN-PATH :\r\n <x@example.org>\r\n",
        b"Authentication-Results: mail.example.test; dmarc=pass\r\n",
        b"authentication-results:\r\n\t MAIL.Example.TEST 1;\r\n\tspf=pass\r\n",
        b'Authentication-Results: "mail.example.test"; spf=pass\r\n',
        b'Authentication-Results: "mail\\.example.test"; spf=pass\r\n',
        b"Authentication-Results: (hello (nested)) mail.example.test; spf=pass\r\n",
        b"Authentication-Results: mail.example.test(x); spf=pass\r\n",
        b"Authentication-Results: mail.example.test\r\n",
        b"Authentication-Results: (" + b"x" * 5000 + b") mail.example.test; spf=pass\r\n",
        b"Authentication-Results: (" + b"x" * 4080 + b") mail.example.test; spf=pass\r\n",
        b"Authentication-Results:\r\n",
    ]
    for field in forged:
        for header in (field + kept, kept + field):
            assert trace.without_alien(header, "mail.example.test") == kept, field


def test_the_last_field_may_lack_its_line_end() -> None:
    assert trace.without_alien(b"A: 1\r\nReturn-Path: <x>", "h") == b"A: 1\r\n"


def test_ten_thousand_forged_fields_take_no_time() -> None:
    header = b"Authentication-Results: mail.example.test; spf=pass\r\n" * 10_000 + b"A: 1\r\n"
    assert trace.without_alien(header, "mail.example.test") == b"A: 1\r\n"
    nested = b"Authentication-Results: " + b"(" * 50_000 + b"mail.example.test\r\nA: 1\r\n"
    assert trace.without_alien(nested, "mail.example.test").endswith(b"A: 1\r\n")


@examples
@given(
    st.lists(st.sampled_from([b"return-path", b"authentication-results", b"a", b":", b" ", b"\r\n", b"h", b";", b"("]))
)
def test_what_was_removed_once_leaves_nothing_to_remove(tokens: list[bytes]) -> None:
    left = trace.without_alien(b"".join(tokens), "h")
    assert trace.without_alien(left, "h") == left


@examples
@given(st.binary(max_size=300))
def test_any_bytes_can_be_looked_at(raw: bytes) -> None:
    header, rest = trace.split(raw)
    assert (header + rest).removeprefix(b"\r\n") == raw.removeprefix(b"\r\n")
    trace.hops(raw)
    trace.authserv_id(raw)
    trace.without_alien(raw, "h")


def test_our_name_before_a_slash_or_a_final_dot_is_still_ours() -> None:
    for name in (b"mail.example.test/1", b"mail.example.test.", b'"mail.example.test/2"'):
        assert trace.without_alien(b"Authentication-Results: " + name + b"; spf=pass\r\n", "mail.example.test") == b""


def test_of_ten_thousand_results_few_are_looked_at() -> None:
    field = b"Authentication-Results: (((x))(y)) other.test; dmarc=pass\r\n"
    left = trace.without_alien(field * 10_000 + b"Subject: x\r\n", "mail.example.test")
    assert left == field * trace.RESULTS + b"Subject: x\r\n"
