"""The small pure pieces: line ends, BODY from BODYSTRUCTURE, replies."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from gk.imap import fetched, header_fields, reply
from gk.imap.crlf import Normal
from gk.imap.plain_body import plain_body
from gk.message import header, structure
from gk.message.date import format_internal
from gk.message.scan import scan
from gk.store.chosen import uid_set
from tests.corpus import corpus_path

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 300


@settings(max_examples=EXAMPLES)
@given(st.lists(st.text("a\r\n\0", max_size=5).map(str.encode), max_size=8))
def test_line_ends_are_the_same_whatever_the_pieces(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    normal = Normal()
    made = b"".join(map(normal, pieces))
    assert made == Normal()(whole)
    assert made.replace(b"\r\n", b"").count(b"\n") == 0
    assert made.replace(b"\r\n", b"\n") == whole.replace(b"\r\n", b"\n")


def messages() -> list[bytes]:
    paths = [p for p in sorted(corpus_path("mime").rglob("*")) if p.is_file() and p.stat().st_size < 1 << 20]
    return [path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for path in paths]


def test_body_is_bodystructure_without_its_extensions() -> None:
    count = 0
    for raw in messages():
        part = scan(raw)
        assert plain_body(structure.bodystructure(raw, part)) == structure.body(raw, part)
        count += 1
    assert count


lines = st.sampled_from(
    [
        b"To: a",
        b"to : b",
        b"Subject:c",
        b" folded",
        b"\tfolded",
        b"X-To: d",
        b"Top: e",
        b"TO:",
        b"From: \xff",
        b"subject : ",
    ]
)


@settings(max_examples=EXAMPLES)
@given(st.lists(lines, max_size=10), st.sets(st.sampled_from([b"to", b"subject", b"from", b"x.to"]), min_size=1))
def test_fields_are_those_the_message_room_finds(parts: list[bytes], names: set[bytes]) -> None:
    if parts and parts[0].startswith((b" ", b"\t")):
        parts = parts[1:]
    head = b"".join(part + b"\r\n" for part in parts) + b"\r\n"
    assert header_fields.fields(head, frozenset(names)) == header.filter_fields(head, names, False)


text = st.sampled_from([
    b"Content-Type: ", b"multipart/mixed; boundary=b", b"message/rfc822", b"text/html", b"image/png", b"\r\n", b"--b",
    b"--b--", b"From: a@b", b'Subject: "x\\ (y)', b'Content-Disposition: attachment; filename="("', b"x", b": ",
])  # fmt: skip


@settings(max_examples=EXAMPLES)
@given(st.lists(text, max_size=40).map(b"".join))
def test_body_is_bodystructure_without_its_extensions_for_any_message(raw: bytes) -> None:
    part = scan(raw)
    assert plain_body(structure.bodystructure(raw, part)) == structure.body(raw, part)


@settings(max_examples=EXAMPLES)
@given(st.integers(0, 253402300799))
def test_internal_dates_are_as_the_message_room_writes_them(epoch: int) -> None:
    assert fetched.internal_date(epoch) == format_internal(epoch)


def test_uids_are_written_as_ranges() -> None:
    assert uid_set([1, 2, 3, 5, 7, 8]) == "1:3,5,7:8"
    assert uid_set([]) == ""


def test_names_are_atoms_where_they_can_be() -> None:
    assert reply.mailbox("INBOX") == b"INBOX"
    assert reply.mailbox("nil") == b'"nil"'
    assert reply.mailbox('a "b" \\') == b'"a \\"b\\" \\\\"'
    assert reply.mailbox("été") == b"&AOk-t&AOk-"
    assert reply.mailbox("") == b'""'
