"""Readers take any bytes; writers give back what they were given or refuse it."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gk.message.address import Address, AddressError, parse_address, parse_list, parse_path, split_path
from gk.message.compose import ComposeError, addresses, clean, field
from gk.message.date import format_date, format_internal, parse_date, parse_internal
from gk.message.dsn import Failure, report
from gk.message.envelope import envelope
from gk.message.header import disposition, fields, filter_fields, joined, media, uncomment, unfold
from gk.message.nstring import quote
from gk.message.parsed import parse
from gk.message.scan import scan
from gk.message.searched import searchable
from gk.message.section import resolve
from gk.message.structure import body, bodystructure, dump, load
from gk.message.text import decode_words, file_names, fold, to_text, transfer_decode
from gk.message.thread import base_subject, message_ids
from tests.message.fuzz import examples, mail
from tests.message.messages import read_list


@examples
@given(mail)
def test_any_bytes_scan_into_a_tree_whose_parts_lie_in_order(raw: bytes) -> None:
    top = scan(raw)
    assert (top.start, top.end) == (0, len(raw))
    todo = [top]
    while todo:
        part = todo.pop()
        assert 0 <= part.start <= part.body <= part.end <= len(raw)
        assert bool(part.children) == (part.is_multipart or part.is_message)
        at = part.body
        for child in part.children:
            assert at <= child.start and child.end <= part.end
            at = child.end
        todo.extend(part.children)


@examples
@given(mail)
def test_any_bytes_render_within_the_grammar_of_imap(raw: bytes) -> None:
    found = parse(raw)
    assert len(read_list(found.envelope)) == 10
    assert read_list(found.bodystructure)
    assert read_list(body(raw, found.tree))
    assert b"\0" not in found.envelope + found.bodystructure
    assert (found.envelope, found.bodystructure) == (envelope(raw, found.tree), bodystructure(raw, found.tree))


@examples
@given(mail)
def test_any_tree_survives_its_table(raw: bytes) -> None:
    part = scan(raw)
    blob = dump(part)
    again = load(blob)
    assert dump(again) == blob
    for path in ((), (1,), (2,), (1, 1), (1, 2), (1, 1, 1)):
        for text in ("", "HEADER", "TEXT", "MIME"):
            assert resolve(again, path, text) == resolve(part, path, text)


@examples
@given(mail, st.integers(0, 200))
def test_any_bytes_can_be_searched(raw: bytes, limit: int) -> None:
    part = scan(raw)
    assert len(searchable(raw, part, body=True, header=True, limit=limit)) <= limit
    assert all(isinstance(name, str) for name in file_names(part))


@examples
@given(mail)
def test_any_bytes_can_be_read_as_each_field(raw: bytes) -> None:
    parse_list(raw)
    message_ids(raw)
    parse_date(raw)
    parse_internal(raw)
    uncomment(raw)
    unfold(raw)
    decode_words(raw)
    disposition(raw)
    named = media(raw)
    if named is not None:
        assert named[0] and named[1]
        for name, _ in named[2]:
            joined(named[2], name.partition(b"*")[0])
    for encoding in (b"base64", b"quoted-printable", b"7bit"):
        to_text(transfer_decode(raw, encoding), b"utf-8")


@examples
@given(mail)
def test_chosen_and_other_fields_together_are_the_header(raw: bytes) -> None:
    part = scan(raw)
    header = raw[: part.body]
    names = {name for name, _, _ in fields(raw, 0, part.body)}
    assert filter_fields(header, names, False).endswith(b"\r\n")
    kept = filter_fields(header, {b"subject"}, False) + filter_fields(header, {b"subject"}, True)
    assert all(line in kept for line in header.split(b"\n") if line.strip())


@examples
@given(mail)
def test_a_path_is_read_or_refused_and_reads_back(raw: bytes) -> None:
    for candidate in (raw, b"<" + raw + b">", b"<" + raw + b"@b.example>"):
        for utf8 in (False, True):
            try:
                address = parse_path(candidate, null=True, utf8=utf8)
            except AddressError:
                continue
            if address is None:
                continue
            assert len(str(address)) <= 330
            assert not re.search("[\x00-\x1f\x7f]", str(address))
            assert parse_path(f"<{address}>".encode(), utf8=True) == address
            assert parse_path(f"<{address.key}>".encode(), utf8=True).key == address.key  # type: ignore[union-attr]
    try:
        path, _ = split_path(raw)
    except AddressError:
        return
    assert path[:1] == b"<" and path[-1:] == b">"


@examples
@given(st.text())
def test_an_address_is_written_as_it_is_read(text: str) -> None:
    try:
        address = parse_address(text)
    except AddressError:
        return
    assert parse_address(str(address)) == address


@examples
@given(st.text(), st.booleans())
def test_a_field_is_one_line_that_says_the_same_or_is_refused(text: str, utf8: bool) -> None:
    try:
        line = field("Subject", text, utf8=utf8)
    except ComposeError:
        assert re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", text)
        return
    assert re.fullmatch(rb"Subject:(?:[^\r\n]|\r\n [^\r\n ])*\r\n", line)
    assert line.endswith(b"\r\n") and (utf8 or line.isascii())
    assert max(map(len, line.split(b"\r\n"))) <= 998
    assert decode_words(unfold(line[8:])) == text.strip(" ")


@examples
@given(st.text(st.characters(), max_size=200), st.booleans())
def test_a_display_name_never_changes_the_address(name: str, utf8: bool) -> None:
    try:
        line = addresses("To", [(name, Address("a", "b.example")), (None, Address("c", "d.example"))], utf8=utf8)
    except ComposeError:
        return
    found = parse_list(line.partition(b":")[2])
    assert [(item.local, item.domain) for item in found] == [(b"a", b"b.example"), (b"c", b"d.example")]  # type: ignore[union-attr]


@examples
@given(st.text())
def test_cleaned_text_is_always_accepted(text: str) -> None:
    assert field("Subject", clean(text)).count(b"\r\n") >= 1


@examples
@given(st.text(max_size=300), st.text(max_size=300), st.binary(max_size=300))
def test_a_report_is_whole_whatever_the_other_server_said(said: str, envid: str, headers: bytes) -> None:
    item = Failure(said, said, "failed", said, said, said)
    raw = report(
        hostname="mx.example.org",
        to="a@b.example",
        original_headers=headers,
        failures=[item],
        envid=envid,
        arrived=0,
        now=0,
        ret_full=None,
    )
    assert raw.isascii() and raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r")
    part = scan(raw)
    assert [child.type for child in part.children] == [b"text", b"message", b"text"]


@examples
@given(st.binary(max_size=200))
def test_a_string_on_the_wire_reads_back(value: bytes) -> None:
    assert read_list(b"(" + quote(value) + b")") == [value.replace(b"\0", b"\x80")]


@examples
@given(st.text())
def test_subjects_have_one_base_and_folding_is_done_once(text: str) -> None:
    base = base_subject(text)
    assert base_subject(base) == base
    assert fold(fold(text)) == fold(text)


@examples
@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_any_moment_is_written_and_read(epoch: int) -> None:
    assert parse_date(format_date(epoch)) == epoch
    assert parse_internal(format_internal(epoch)) == epoch


@examples
@given(st.binary(max_size=200))
def test_a_foreign_table_is_a_value_error_or_a_tree(blob: bytes) -> None:
    try:
        load(blob)
    except ValueError:
        return
    assert blob.count(b"\t") >= 9
