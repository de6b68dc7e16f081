"""Address lists of header fields (RFC 5322 section 3.4 and 4.4)."""

import pytest

from gk.message.address import Group, Mailbox, parse_list


def one(value: bytes) -> Mailbox:
    (found,) = parse_list(value)
    assert isinstance(found, Mailbox)
    return found


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"bob@example.com", Mailbox(None, b"bob", b"example.com")),
        (b"<bob@example.com>", Mailbox(None, b"bob", b"example.com")),
        (b"Bob Smith <bob@example.com>", Mailbox(b"Bob Smith", b"bob", b"example.com")),
        (b'"Smith, Bob" <bob@example.com>', Mailbox(b"Smith, Bob", b"bob", b"example.com")),
        (b'"Bob \\"B\\" Smith" <bob@example.com>', Mailbox(b'Bob "B" Smith', b"bob", b"example.com")),
        (b"Bob Q. Public <bob@example.com>", Mailbox(b"Bob Q. Public", b"bob", b"example.com")),
        (b"=?utf-8?q?Zo=C3=AB?= <zoe@example.com>", Mailbox(b"=?utf-8?q?Zo=C3=AB?=", b"zoe", b"example.com")),
        (b"bob@example.com (Bob Smith)", Mailbox(b"Bob Smith", b"bob", b"example.com")),
        (b"Bob (a comment) <bob(his)@example.com>", Mailbox(b"Bob", b"bob", b"example.com")),
        (b"bob@example.com ((nested) comment)", Mailbox(b"(nested) comment", b"bob", b"example.com")),
        (b'"bob smith"@example.com', Mailbox(None, b"bob smith", b"example.com")),
        (
            b"Bob <@a.example, @b.example:bob@example.com>",
            Mailbox(b"Bob", b"bob", b"example.com", route=b"@a.example,@b.example"),
        ),
        (b"<@a.example:bob@example.com", Mailbox(None, b"bob", b"example.com", route=b"@a.example")),
        (b"bob @ example . com", Mailbox(None, b"bob", b"example.com")),
        (b"bob@[192.0.2.1]", Mailbox(None, b"bob", b"[192.0.2.1]")),
        (b"Bob bob@example.com", Mailbox(b"Bob", b"bob", b"example.com")),
        (b"bob@example.com <bob@example.com>", Mailbox(b"bob@example.com", b"bob", b"example.com")),
        (b"root", Mailbox(None, b"root", None)),
        (b"Bob <>", Mailbox(b"Bob", b"", None)),
        (b"Bob <bob@example.com", Mailbox(b"Bob", b"bob", b"example.com")),
        (b"a@b@example.com", Mailbox(None, b"a@b", b"example.com")),
        (b"Bob\r\n  Smith\r\n\t<bob@example.com>", Mailbox(b"Bob Smith", b"bob", b"example.com")),
        ("Zoë <zoé@exämple.com>".encode(), Mailbox("Zoë".encode(), "zoé".encode(), "exämple.com".encode())),
    ],
)
def test_one_mailbox_is_read_in_all_its_spellings(value: bytes, expected: Mailbox) -> None:
    assert one(value) == expected


def test_commas_part_the_addresses_except_inside_quotes_and_comments() -> None:
    found = parse_list(b'a@x, "b, c" <b@x>, d@x (one, two), , e@x,')
    assert found == [
        Mailbox(None, b"a", b"x"),
        Mailbox(b"b, c", b"b", b"x"),
        Mailbox(b"one, two", b"d", b"x"),
        Mailbox(None, b"e", b"x"),
    ]


def test_a_forgotten_comma_still_parts_two_bracketed_addresses() -> None:
    assert parse_list(b"A <a@x> B <b@x>") == [Mailbox(b"A", b"a", b"x"), Mailbox(b"B", b"b", b"x")]


def test_a_group_holds_its_members() -> None:
    assert parse_list(b"Friends: A <a@x>, b@x; c@x") == [
        Group(b"Friends", (Mailbox(b"A", b"a", b"x"), Mailbox(None, b"b", b"x"))),
        Mailbox(None, b"c", b"x"),
    ]
    assert parse_list(b"undisclosed-recipients:;") == [Group(b"undisclosed-recipients", ())]
    assert parse_list(b'"A, B":a@x') == [Group(b"A, B", (Mailbox(None, b"a", b"x"),))]


def test_nothing_gives_no_address() -> None:
    for value in (b"", b" ", b",,", b"()", b"(comment)", b"<>", b'""'):
        assert parse_list(value) == []


def test_at_most_a_thousand_addresses_are_read() -> None:
    assert len(parse_list(b"a@b, " * 100_000)) == 1_000
    assert len(parse_list(b"(c)a@b, " * 100_000)) == 1_000
    assert len(parse_list(b"g:;" * 100_000)) == 1_000
    (group,) = parse_list(b"g:" + b"a@b, " * 100_000 + b";")
    assert isinstance(group, Group) and len(group.members) == 1_000


def test_open_quotes_and_comments_end_with_the_field() -> None:
    assert parse_list(b'"' * 50_001) == []
    assert parse_list(b"(" * 50_000) == []
    assert parse_list(b"(" * 50_000 + b")" * 50_000 + b"a@b") == [Mailbox(b"(" * 49_999 + b")" * 49_999, b"a", b"b")]
    assert one(b'"open <a@b>').local == b"open <a@b>"
