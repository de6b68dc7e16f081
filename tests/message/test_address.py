"""SMTP paths (RFC 5321 section 4.1.2, RFC 6531)."""

import pytest

from gk.message.address import Address, AddressError, ascii_domain, parse_address, parse_path, split_path


@pytest.mark.parametrize(
    ("raw", "local", "domain"),
    [
        (b"<bob@example.com>", "bob", "example.com"),
        (b"<Bob.Smith+tag@Example.COM>", "Bob.Smith+tag", "example.com"),
        (b"<b@localhost>", "b", "localhost"),
        (b'<"bob smith"@example.com>', "bob smith", "example.com"),
        (b'<"a\\"b\\\\c"@example.com>', 'a"b\\c', "example.com"),
        (b'<"bob@home"@example.com>', "bob@home", "example.com"),
        (b'<""@example.com>', "", "example.com"),
        (b"<user%other.org@example.com>", "user%other.org", "example.com"),
        (b"<other.org!user@example.com>", "other.org!user", "example.com"),
        (b"<x@[192.0.2.1]>", "x", "[192.0.2.1]"),
        (b"<x@[IPv6:2001:DB8:0:0::1]>", "x", "[IPv6:2001:db8::1]"),
        (b"<Postmaster>", "Postmaster", ""),
        (b"<!#$%&'*+/=?^_`{|}~-@example.com>", "!#$%&'*+/=?^_`{|}~-", "example.com"),
        (b"<a@1.2.3.example>", "a", "1.2.3.example"),
    ],
)
def test_a_path_within_the_grammar_is_read(raw: bytes, local: str, domain: str) -> None:
    assert parse_path(raw) == Address(local, domain)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<>",
        b"bob@example.com",
        b"<bob@example.com",
        b"bob@example.com>",
        b"<bob>",
        b"<@example.com>",
        b"<bob@>",
        b"<bob@@example.com>",
        b"<bob@example..com>",
        b"<bob@.example.com>",
        b"<bob@example.com.>",
        b"<bob@-example.com>",
        b"<bob@example-.com>",
        b"<bob@exa_mple.com>",
        b"<.bob@example.com>",
        b"<bob.@example.com>",
        b"<bo..b@example.com>",
        b"<bob smith@example.com>",
        b"<bob@exam ple.com>",
        b"< bob@example.com>",
        b"<bob@example.com> <eve@example.com>",
        b'<"bob@example.com>',
        b'<bob"@example.com>',
        b'<"bob"smith@example.com>',
        b"<bob\0@example.com>",
        b"<bob\r\n@example.com>",
        b'<"bob\n"@example.com>',
        b'<"bob\x7f"@example.com>',
        b"<@a.example,@b.example:u@d.example>",
        b"<@a.example:u@d.example>",
        b"<b\xc3\xa9@example.com>",
        b"<x@[192.0.2.256]>",
        b"<x@[192.0.2]>",
        b"<x@[IPv6:::::]>",
        b"<x@[IPv6:fe80::1%eth0]>",
        b"<x@[tag:content]>",
        b"<x@[192.0.2.1>",
        "<x@[\u0661.2.3.4]>".encode(),
    ],
)
def test_a_path_against_the_grammar_is_refused(raw: bytes) -> None:
    with pytest.raises(AddressError):
        parse_path(raw)


def test_the_null_path_is_none_only_where_it_is_allowed() -> None:
    assert parse_path(b"<>", null=True) is None
    with pytest.raises(AddressError, match="empty"):
        parse_path(b"<>")


def test_lengths_are_counted_in_octets() -> None:
    # RFC 5321 section 4.5.3.1: local part 64, domain 255, path 256 with its brackets
    assert parse_path(b"<" + b"a" * 64 + b"@example.com>") is not None
    domain = b".".join([b"d" * 61] * 3)
    longest = b"<" + b"a" * (256 - 3 - len(domain) - 2 - 60) + b"@" + domain + b"." + b"e" * 60 + b">"
    assert len(longest) <= 256 and parse_path(longest) is not None
    for raw in (
        b"<" + b"a" * 65 + b"@example.com>",
        b"<a@" + b".".join([b"d" * 61] * 5) + b">",
        b"<a@" + b"d" * 64 + b".com>",
        b"<" + "é".encode() * 33 + b"@example.com>",
    ):
        with pytest.raises(AddressError):
            parse_path(raw, utf8=True)


def test_an_international_address_needs_smtputf8() -> None:
    raw = "<zoë@exämple.com>".encode()
    with pytest.raises(AddressError):
        parse_path(raw)
    address = parse_path(raw, utf8=True)
    assert address == Address("zoë", "exämple.com")
    assert not address.is_ascii


@pytest.mark.parametrize(
    "raw",
    [
        b"<zo\xeb@example.com>",  # Latin-1, not UTF-8
        b"<zo\xed\xa0\x80@example.com>",  # a lone surrogate
        b"<zo\xc0\xab@example.com>",  # an overlong form
        "<a\u2028b@example.com>".encode(),
        "<a\u0085b@example.com>".encode(),
        "<a\u202eb@example.com>".encode(),
        "<a\u00a0b@example.com>".encode(),
        "<a@exam\u2100ple.com>".encode(),  # a compatibility form that maps to a/c
        "<a@ex\uff0eample.com>".encode(),  # a full stop that is none
    ],
)
def test_invalid_or_invisible_characters_are_refused(raw: bytes) -> None:
    with pytest.raises(AddressError):
        parse_path(raw, utf8=True)


@pytest.mark.parametrize(
    "raw", [b"<bob@example.com>", b'<"bob smith"@example.com>', b'<"a\\"b"@x.org>', b"<x@[IPv6:2001:db8::1]>"]
)
def test_the_text_of_an_address_reads_back_as_itself(raw: bytes) -> None:
    address = parse_path(raw)
    assert parse_path(f"<{address}>".encode()) == address
    assert parse_address(str(address)) == address


def test_the_key_folds_case_and_the_two_spellings_of_a_domain() -> None:
    assert parse_address("Bob@Example.COM").key == "bob@example.com"
    u_label = parse_address("Zoë@BÜCHER.example")
    a_label = parse_address("zoë@xn--bcher-kva.example")
    assert u_label.key == a_label.key == "zoë@xn--bcher-kva.example"
    assert parse_address("zoe\u0308@example.com").key == parse_address("zoë@example.com").key
    assert Address("a@b", "c").key != parse_address("a@b").key
    assert ascii_domain("BÜCHER.example") == "xn--bcher-kva.example"


def test_a_written_address_may_have_blanks_around_it_and_nothing_else() -> None:
    assert parse_address(" bob@example.com \n") == Address("bob", "example.com")
    for text in ("", "bob", "<bob@example.com>", "Bob <bob@example.com>", "a@b@c", "a b@c", "x\udc80@example.com"):
        with pytest.raises(AddressError):
            parse_address(text)


def test_the_argument_of_mail_from_splits_into_path_and_parameters() -> None:
    assert split_path(b"<a@b> SIZE=100 BODY=8BITMIME") == (b"<a@b>", b"SIZE=100 BODY=8BITMIME")
    assert split_path(b' <"a> b"@c>') == (b'<"a> b"@c>', b"")
    for argument in (b"", b"a@b", b"<a@b>SIZE=1", b'<"a@b> SIZE=1'):
        with pytest.raises(AddressError):
            split_path(argument)
