"""IMAP ENVELOPE (RFC 3501 section 7.4.2)."""

from typing import Any

from gk.message.envelope import envelope
from gk.message.nstring import quote
from gk.message.scan import scan
from tests.message.messages import eml, mime, read_list, samples

FIELDS = ("date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id")


def of(raw: bytes) -> dict[str, Any]:
    value = read_list(envelope(raw, scan(raw)))
    assert len(value) == len(FIELDS)
    return dict(zip(FIELDS, value, strict=True))


def test_the_envelope_of_a_plain_message_reads_as_the_rfc_shows() -> None:
    raw = eml("single")
    assert envelope(raw, scan(raw)) == (
        b'("Fri, 20 Nov 2026 11:00:00 +0100" "Plain and folded"'
        b' (("Anna Example" NIL "anna" "example.org"))'
        b' (("Anna Example" NIL "anna" "example.org"))'
        b' (("Anna Example" NIL "anna" "example.org"))'
        b' ((NIL NIL "bob" "example.com")) NIL NIL "<parent@example.com>" "<single@example.org>")'
    )


def test_every_sample_has_an_envelope_within_the_grammar() -> None:
    for name in samples():
        assert of(eml(name))["subject"]


def test_encoded_words_stay_as_they_are() -> None:
    found = of(eml("alternative"))
    assert found["from"] == [[b"=?utf-8?q?Zo=C3=AB?=", None, b"zoe", b"example.org"]]
    assert found["subject"] == b"=?utf-8?q?R=C3=A9union?= =?utf-8?q?_de_mardi?="


def test_an_absent_field_is_nil_and_an_empty_one_is_empty() -> None:
    found = of(mime("Subject:", "From: a@b", ""))
    assert found["subject"] == b""
    assert found["date"] is None
    assert found["to"] is None
    assert of(b"") == dict.fromkeys(FIELDS)


def test_sender_and_reply_to_default_to_from_also_when_empty() -> None:
    found = of(mime("From: a@b", "Sender:", "Reply-To: c@d", ""))
    assert found["sender"] == found["from"]
    assert found["reply-to"] == [[None, None, b"c", b"d"]]


def test_a_group_has_a_beginning_and_an_end() -> None:
    found = of(mime("To: Friends: A <a@b>, c@d;, e@f", "Cc: undisclosed-recipients:;", ""))
    assert found["to"] == [
        [None, None, b"Friends", None],
        [b"A", None, b"a", b"b"],
        [None, None, b"c", b"d"],
        [None, None, None, None],
        [None, None, b"e", b"f"],
    ]
    assert found["cc"] == [[None, None, b"undisclosed-recipients", None], [None, None, None, None]]


def test_a_missing_host_never_looks_like_a_group() -> None:
    assert of(mime("To: root", ""))["to"] == [[None, None, b"root", b"MISSING_DOMAIN"]]
    assert of(mime("To: Bob <>", ""))["to"] == [[b"Bob", None, b"MISSING_MAILBOX", b"MISSING_DOMAIN"]]


def test_what_no_quoted_string_may_hold_is_a_literal() -> None:
    raw = mime('Subject: say "hé"', 'From: "a \\"b\\"" <c@d>', "")
    wire = envelope(raw, scan(raw))
    assert b'{9}\r\nsay "h\xc3\xa9"' in wire
    assert b'(({5}\r\na "b" NIL "c" "d"))' in wire
    assert of(raw)["subject"] == 'say "hé"'.encode()


def test_nul_never_appears() -> None:
    raw = b"Subject: a\0b\r\nFrom: x\0 <y\0@z>\r\n\r\n"
    assert b"\0" not in envelope(raw, scan(raw))
    assert of(raw)["subject"] == b"a\x80b"


def test_a_string_is_nil_quoted_or_literal() -> None:
    assert quote(None) == b"NIL"
    assert quote(b"") == b'""'
    assert quote(b"a b\t(c) %*") == b'"a b\t(c) %*"'
    for value in (b'"', b"\\", b"\r", b"\n", b"\xff", b"\xc3\xa9"):
        assert quote(value) == b"{%d}\r\n%b" % (len(value), value)
    assert quote(b"\0") == b"{1}\r\n\x80"


def test_an_envelope_can_be_had_from_a_part_without_remembered_fields() -> None:
    raw = eml("single")
    part = scan(raw)
    expected = envelope(raw, part)
    part.fields = None
    assert envelope(raw, part) == expected
