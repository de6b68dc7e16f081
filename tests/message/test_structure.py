"""IMAP BODY and BODYSTRUCTURE (RFC 3501 section 7.4.2), and the stored part table."""

import pytest

from gk.message.part import Part
from gk.message.scan import scan
from gk.message.structure import body, bodystructure, dump, load
from tests.message.messages import eml, mime, read_list, samples


def full(raw: bytes) -> bytes:
    return bodystructure(raw, scan(raw))


def test_a_plain_message_is_one_text() -> None:
    raw = eml("single")
    assert full(raw) == b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 26 2 NIL NIL NIL NIL)'
    assert body(raw, scan(raw)) == b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 26 2)'


def test_a_multipart_lists_its_parts_and_then_itself() -> None:
    raw = eml("alternative")
    assert full(raw) == (
        b'(("text" "plain" ("charset" "iso-8859-1") NIL NIL "quoted-printable" 42 1 NIL NIL NIL NIL)'
        b'("text" "html" ("charset" "utf-8") NIL NIL "base64" 76 0 NIL NIL NIL NIL)'
        b' "alternative" ("boundary" "=_alt") NIL NIL NIL)'
    )
    assert body(raw, scan(raw)) == (
        b'(("text" "plain" ("charset" "iso-8859-1") NIL NIL "quoted-printable" 42 1)'
        b'("text" "html" ("charset" "utf-8") NIL NIL "base64" 76 0) "alternative")'
    )


def test_an_embedded_message_shows_envelope_structure_and_lines() -> None:
    value = read_list(full(eml("forwarded")))
    assert value[:2] == [b"message", b"rfc822"]
    assert value[7][1] == b"the mail inside"
    assert value[8][:2] == [b"text", b"plain"]
    assert value[9] == 7
    assert value[10:] == [None, None, None, None]
    assert len(read_list(body(eml("forwarded"), scan(eml("forwarded"))))) == 10


def test_extension_data_is_shown_as_sent() -> None:
    text, pdf, image, kind, params, disposition, language, location = read_list(full(eml("attachments")))
    assert text[8:] == [None, None, [b"fr", b"en"], b"https://example.org/text"]
    assert pdf[2] == [b"name*0*", b"utf-8''r%C3%A9sum%C3%A9%20", b"name*1", b"2026.pdf"]
    assert pdf[3:6] == [b"<pdf@example.org>", b"The year's numbers", b"base64"]
    assert pdf[7] == b"Q2hlY2sgSW50ZWdyaXR5IQ=="
    assert pdf[8][0] == b"attachment"
    assert pdf[8][1][-2:] == [b"size", b"8"]
    assert image[2] == [b"name", b"=?utf-8?q?=C3=A9t=C3=A9.png?="]
    assert (kind, params, disposition, language, location) == (b"mixed", [b"boundary", b"files"], None, None, None)


def test_a_multipart_never_shows_without_a_part() -> None:
    value = read_list(full(mime("Content-Type: multipart/mixed; boundary=b", "", "nothing")))
    assert value[0][:2] == [b"text", b"plain"]
    assert value[1] == b"mixed"


def test_every_sample_renders_within_the_grammar() -> None:
    for name in samples():
        raw = eml(name)
        part = scan(raw)
        todo = [(read_list(bodystructure(raw, part)), part)]
        while todo:
            value, item = todo.pop()
            if item.is_multipart:
                children = [entry for entry in value if isinstance(entry, list) and entry and entry[0] is not None]
                assert value[len(item.children)] == item.subtype
                todo.extend(zip(children, item.children, strict=False))
            else:
                assert value[:2] == [item.type, item.subtype]
                assert value[6] == item.end - item.body
                if item.is_message:
                    todo.append((value[8], item.children[0]))


def bare(part: Part) -> Part:
    """The part as the table keeps it."""
    part.fields = part.description = part.location = part.md5 = None
    part.language = ()
    for child in part.children:
        bare(child)
    return part


def test_the_part_table_gives_back_the_tree() -> None:
    for name in samples():
        part = scan(eml(name))
        blob = dump(part)
        assert load(blob) == bare(part)
        assert dump(load(blob)) == blob


def test_blanks_in_parameters_do_not_break_the_table() -> None:
    raw = b'Content-Type: text/plain; name="a\tb=c"; x=""\r\nContent-Disposition: inline; filename="\t"\r\n\r\n'
    part = load(dump(scan(raw)))
    assert part.params == ((b"name", b"a b=c"), (b"x", b""))
    assert part.disposition_params == ((b"filename", b" "),)


@pytest.mark.parametrize(
    "blob", [b"", b"x", b"1\t0\t0\t0\t0\ttext\tplain\t7bit\t\t", b"0\t0\t0\t0\t0\ta\tb\tc\t\t\n" * 2]
)
def test_a_broken_table_is_a_value_error(blob: bytes) -> None:
    with pytest.raises(ValueError):
        load(blob)
