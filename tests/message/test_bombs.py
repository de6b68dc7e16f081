"""Messages made to be expensive: each gives a bounded tree, and what is past a limit is one opaque leaf."""

from collections.abc import Callable
from functools import partial

import pytest

from gk.message.parsed import parse
from gk.message.part import Part
from gk.message.scan import scan
from gk.message.searched import searchable
from gk.message.structure import load
from gk.message.text import file_names, walk
from tests.message.messages import read_list

FROM = b"From: a@b\r\nSubject: x\r\n"


def depth(part: Part) -> int:
    levels = 0
    row = [part]
    while row:
        levels += 1
        row = [child for item in row for child in item.children]
    return levels


def nested(levels: int, boundary: Callable[[int], bytes]) -> bytes:
    return FROM + b"".join(
        b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n--%b\r\n" % (boundary(level), boundary(level))
        for level in range(levels)
    )


def parts(count: int, header: bytes = b"", kind: bytes = b"mixed", end: bytes = b"\r\n") -> bytes:
    raw = FROM + b"Content-Type: multipart/%b; boundary=b\r\n\r\n" % kind
    return (raw + b"--b\r\n%b\r\n\r\n" % header * count).replace(b"\r\n", end)


def parameters(count: int, pattern: bytes, field: bytes = b"Content-Type: text/plain") -> bytes:
    return FROM + field + b"".join(b";\r\n " + pattern % number for number in range(count)) + b"\r\n\r\nbody"


def field(name: bytes, value: bytes) -> bytes:
    return name + b": " + value + b"\r\nSubject: x\r\n\r\nbody"


BOMBS: dict[str, Callable[[], bytes]] = {
    "10,000 multiparts in each other": partial(nested, 10_000, lambda level: b"b%d." % level),
    "10,000 multiparts of one boundary": partial(nested, 10_000, lambda level: b"b"),
    "900 boundaries each beginning with the last": partial(nested, 900, lambda level: b"b" * (level + 1)),
    "10,000 messages in each other": lambda: FROM + b"Content-Type: message/rfc822\r\n\r\n" * 10_000,
    "messages and multiparts in turn": lambda: (
        FROM
        + b"".join(
            b"Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=%d.\r\n\r\n--%d.\r\n" % (n, n)
            for n in range(5_000)
        )
    ),
    "100,000 parts": partial(parts, 100_000),
    "100,000 parts with bare LF": partial(parts, 100_000, end=b"\n"),
    "100,000 parts of a digest": partial(parts, 100_000, kind=b"digest"),
    "100,000 multiparts without boundary": partial(parts, 100_000, header=b"Content-Type: multipart/mixed"),
    "1,000,000 header lines": lambda: FROM + b"X: y\r\n" * 1_000_000 + b"\r\nbody",
    "1,000,000 lines without colon": lambda: FROM + b"x\r\n" * 1_000_000 + b"\r\nbody",
    "one field of 1,000,000 folds": lambda: FROM + b"X: y" + b"\r\n y" * 1_000_000 + b"\r\n\r\nbody",
    "one field of 10 MB": lambda: FROM + b"X: " + b"y" * 10_000_000 + b"\r\n\r\nbody",
    "200,000 parameters": partial(parameters, 200_000, b"p%d=x"),
    "60,000 parameter pieces": partial(parameters, 60_000, b"name*%d*=x"),
    "20,000 disposition parameters": partial(parameters, 20_000, b"p%d=x", b"Content-Disposition: inline"),
    "100,000 addresses": lambda: field(b"To", b"a@b, " * 50_000),
    "80,000 groups": lambda: field(b"To", b"g:;" * 80_000),
    "50,000 open comments": lambda: field(b"From", b"(" * 50_000),
    "50,000 open quotes": lambda: field(b"From", b'"' * 50_001),
    "50,000 nested comments": lambda: field(b"From", b"(" * 50_000 + b")" * 50_000),
    "120,000 at signs": lambda: field(b"From", b"a@" * 120_000),
    "250,000 opening brackets": lambda: field(b"From", b"<" * 250_000),
    "20,000 encoded words": lambda: field(b"Subject", b"=?utf-8?q?a?= " * 20_000),
    "100,000 references": lambda: field(b"References", b"".join(b"<%d@x>" % n for n in range(100_000))),
    "250,000 semicolons": lambda: field(b"Content-Type", b"text/plain" + b";" * 250_000),
    "250,000 open comments in a type": lambda: field(b"Content-Type", b"(" * 250_000),
    "a type of 250,000 octets": lambda: field(b"Content-Type", b"x" * 250_000 + b"/y"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_every_bomb_gives_a_bounded_tree_that_can_be_stored_and_shown(name: str) -> None:
    raw = BOMBS[name]()
    found = parse(raw)
    items = walk(found.tree)
    assert len(items) <= 20_001  # 10,000 parts, each at most with the one that stands for an empty multipart
    assert depth(found.tree) <= 102
    assert all(item.start <= item.body <= item.end <= len(raw) for item in items)
    assert all(len(item.params) <= 128 for item in items)
    assert len(found.header) <= 1 << 20
    assert len(found.envelope) + len(found.bodystructure) + len(found.parts) < 4 << 20
    assert len(found.references) <= 20 and len(found.subject) <= 2_000
    if depth(found.tree) < 50:
        assert read_list(found.bodystructure) and read_list(found.envelope)
    assert len(walk(load(found.parts))) == len(items)
    assert len(searchable(raw, found.tree, body=True, header=True, limit=10_000)) <= 10_000
    assert len(file_names(found.tree)) <= len(items)


def test_past_the_depth_the_rest_is_one_opaque_leaf() -> None:
    raw = nested(110, lambda level: b"b%d." % level) + b"\r\nat the bottom"
    items = walk(scan(raw))
    assert [item.type for item in items[:100]] == [b"multipart"] * 100
    (leaf,) = items[100:]
    assert (leaf.type, leaf.subtype) == (b"application", b"octet-stream")
    assert raw[leaf.body : leaf.end].endswith(b"at the bottom")


def test_a_hundred_levels_are_followed() -> None:
    raw = nested(100, lambda level: b"b%d." % level) + b"\r\nat the bottom"
    leaf = walk(scan(raw))[-1]
    assert (leaf.type, raw[leaf.body : leaf.end]) == (b"text", b"at the bottom")


def test_past_the_number_of_parts_the_last_one_holds_the_rest() -> None:
    raw = parts(20_000)
    part = scan(raw)
    assert len(part.children) == 9_999
    assert part.children[-1].end == part.end == len(raw)


def test_past_the_header_limit_the_message_is_opaque() -> None:
    raw = b"Content-Type: text/html\r\n" + b"X: y\r\n" * 1_000_000 + b"\r\nbody"
    part = scan(raw)
    assert (part.type, part.subtype) == (b"application", b"octet-stream")
    assert part.body <= 1 << 20
    assert raw[part.body - 1 : part.body] == b"\n"
    assert part.end == len(raw)


def test_past_two_thousand_fields_no_field_is_read() -> None:
    part = scan(b"X: y\r\n" * 1_999 + b"Subject: in\r\nTo: out@x\r\n\r\n")
    assert part.fields is not None
    assert part.fields.get(b"subject") == b"in"
    assert b"to" not in part.fields


def test_a_field_is_read_to_256_kib() -> None:
    part = scan(b"Subject: " + b"x" * (300 << 10) + b"\r\n\r\n")
    assert part.fields is not None
    assert len(part.fields[b"subject"]) <= 256 << 10


def test_a_large_message_nested_deep_is_searched_a_bounded_number_of_times() -> None:
    raw = nested(90, lambda level: b"b%d." % level) + b"\r\n" + b"x" * (8 << 20)
    levels = depth(scan(raw))
    # 16 MiB and four times the size, in levels of the size
    assert 5 <= levels <= 9
