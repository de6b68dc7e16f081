"""Delivery status notifications (RFC 3461, RFC 3464, RFC 6522)."""

import email
from email.message import Message
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.message.compose import ComposeError
from gk.message.date import parse_date
from gk.message.dsn import Failure, report
from gk.message.dsn_words import ENGLISH, FRENCH
from gk.message.scan import scan
from gk.message.text import decode_words
from tests.message.fuzz import examples

HEADERS = b"From: anna@example.org\r\nTo: bob@example.com\r\nSubject: Hello\r\nMessage-ID: <1@example.org>\r\n\r\n"
FAILED = Failure(
    "bob@example.com", "rfc822;bobby@example.com", "failed", "5.1.1", "mx.example.com", "550 5.1.1 No such user"
)


def make(**changes: Any) -> bytes:
    values: dict[str, Any] = {
        "hostname": "mail.example.org",
        "to": "anna@example.org",
        "original_headers": HEADERS,
        "failures": [FAILED],
        "envid": "QQ314159",
        "arrived": 1_795_168_800,
        "now": 1_795_168_900,
        "ret_full": None,
    }
    return report(**(values | changes))


def read(raw: bytes) -> tuple[Message, list[Message]]:
    message = email.message_from_bytes(raw)
    payload = message.get_payload()
    assert isinstance(payload, list)
    return message, payload


def test_a_report_has_the_three_parts_of_rfc_6522() -> None:
    raw = make()
    message, (human, status, original) = read(raw)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert human.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    assert original.get_content_type() == "text/rfc822-headers"
    assert b"Subject: Hello" in raw
    assert raw.isascii()
    assert raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r")


def test_the_header_says_that_no_person_wrote_it() -> None:
    message, _ = read(make())
    assert message["From"] == "Mail Delivery System <mailer-daemon@mail.example.org>"
    assert message["To"] == "anna@example.org"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["In-Reply-To"] == message["References"] == "<1@example.org>"
    assert parse_date(message["Date"].encode()) == 1_795_168_900
    assert message["Message-ID"].endswith("@mail.example.org>")


def test_a_forged_id_is_not_repeated() -> None:
    for headers in (b"", b"Message-ID: <a\xff@b>\r\n\r\n", b"Message-ID: <" + b"x" * 900 + b">\r\n\r\n"):
        message, _ = read(make(original_headers=headers))
        assert message["In-Reply-To"] is None


def test_the_status_part_names_each_recipient() -> None:
    relayed = Failure("carol@example.net", None, "relayed", "2.0.0", None, "")
    _, (_, status, _) = read(make(failures=[FAILED, relayed]))
    blocks = status.get_payload()
    assert isinstance(blocks, list) and len(blocks) == 3
    assert blocks[0]["Original-Envelope-Id"] == "QQ314159"
    assert blocks[0]["Reporting-MTA"] == "dns; mail.example.org"
    assert parse_date(blocks[0]["Arrival-Date"].encode()) == 1_795_168_800
    assert blocks[1]["Original-Recipient"] == "rfc822; bobby@example.com"
    assert blocks[1]["Final-Recipient"] == "rfc822; bob@example.com"
    assert blocks[1]["Action"] == "failed"
    assert blocks[1]["Status"] == "5.1.1"
    assert blocks[1]["Remote-MTA"] == "dns; mx.example.com"
    assert blocks[1]["Diagnostic-Code"] == "smtp; 550 5.1.1 No such user"
    assert blocks[2]["Action"] == "relayed"
    assert blocks[2]["Original-Recipient"] is None


def test_the_words_are_english_and_then_french() -> None:
    _, (human, _, _) = read(make())
    payload = human.get_payload(decode=True)
    assert isinstance(payload, bytes)
    text = payload.decode()
    assert text.index("could not be delivered") < text.index("n'a pas pu être remis")
    assert text.count("bob@example.com") == 2
    assert "550 5.1.1 No such user" in text


def words(**changes: Any) -> str:
    _, (human, _, _) = read(make(**changes))
    payload = human.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


@pytest.mark.parametrize(
    ("said", "french"),
    [
        (b"Content-Language: fr\r\n", True), (b"content-language: FR-ca, en\r\n", True),
        (b"Content-Language:\r\n fr\r\n", True), (b"Content-Language: en, fr\r\n", False),
        (b"Content-Language: fry\r\n", False), (b"Content-Language: \r\n", False), (b"", False),
        (b"Content-Language: " + b"," * 100_000 + b"fr\r\n", False), (b"Subject: fr\r\n", False),
    ],
)  # fmt: skip
def test_a_message_in_french_is_reported_on_in_french_first(said: bytes, french: bool) -> None:
    message, _ = read(make(original_headers=said + HEADERS))
    text = words(original_headers=said + HEADERS)
    assert (text.index("n'a pas pu") < text.index("could not")) is french
    assert ("remis" in decode_words(message["Subject"].encode())) is french


@pytest.mark.parametrize(
    ("status", "english", "french"),
    [
        ("5.1.1", "There is no such address", "Cette adresse n'existe pas"),
        ("5.2.2", "is full", "est pleine"),
        ("5.1.10", "takes no mail at all", "ne reçoit aucun courrier"),
        ("5.7.999", "against its rules", "contraire à ses règles"),
        ("5.4.7", "in all the time", "Pendant tout le temps"),
        ("5.1.99", "wrong with this address", "pose problème"),
    ],
)
def test_the_reason_is_in_plain_words_above_what_the_server_said(status: str, english: str, french: str) -> None:
    text = words(failures=[Failure("bob@example.com", None, "failed", status, "mx.example.com", "550 go away")])
    assert text.index(english) < text.index("The other server said: 550 go away (mx.example.com)")
    assert text.index(french) < text.index("L'autre serveur a dit : 550 go away (mx.example.com)")


@pytest.mark.parametrize("status", ["5.0.0", "", "x", "5", "5.9.9", "5..1", "5.1.1.1"])
def test_without_a_known_code_there_is_no_reason_but_what_was_said(status: str) -> None:
    text = words(failures=[Failure("bob@example.com", None, "failed", status, "mx.example.com", "550 go away")])
    assert "550 go away" in text


def test_what_no_server_said_is_not_put_into_its_mouth() -> None:
    text = words(failures=[Failure("bob@example.com", None, "delayed", "4.4.1", "mx.example.com", "no connection")])
    assert "said" not in text and "could not be reached.\r\n    no connection (mx.example.com)" in text


def test_both_languages_have_a_reason_for_the_same_codes() -> None:
    assert ENGLISH.reasons.keys() == FRENCH.reasons.keys()
    assert ENGLISH.subjects.keys() == ENGLISH.headings.keys() == FRENCH.subjects.keys() == FRENCH.headings.keys()


@pytest.mark.parametrize(
    ("action", "subject"),
    [("failed", "could not"), ("delayed", "is delayed"), ("delivered", "was delivered"), ("relayed", "passed on")],
)
def test_the_subject_says_the_worst_that_happened(action: Any, subject: str) -> None:
    item = Failure("bob@example.com", None, action, "x", None, "")
    message, (_, status, _) = read(make(failures=[item]))
    assert subject in message["Subject"]
    block = status.get_payload(1)
    assert isinstance(block, Message)
    assert block["Status"] in ("5.0.0", "4.0.0", "2.0.0")


def test_text_of_a_remote_server_stays_in_its_line() -> None:
    evil = "550 no\r\nFinal-Recipient: rfc822; eve@evil.example\r\n\r\n--x\0\u2028\udc80é" + "x" * 100_000
    item = Failure("bob@example.com\r\nBcc: eve@evil.example", f"rfc822;{evil}", "failed", "5.1.1\r\nX: y", evil, evil)
    raw = make(failures=[item], envid=evil)
    message, (_, status, _) = read(raw)
    assert message["Bcc"] is None
    blocks = status.get_payload()
    assert isinstance(blocks, list) and len(blocks) == 2
    assert blocks[1].get_all("Final-Recipient") == ["rfc822; bob@example.com Bcc: eve@evil.example"]
    assert blocks[1]["X"] is None
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_an_international_recipient_is_typed_utf_8() -> None:
    item = Failure("zoë@example.com", None, "failed", "5.1.1", None, "")
    _, (_, status, _) = read(make(failures=[item]))
    block = status.get_payload(1)
    assert isinstance(block, Message)
    assert block["Final-Recipient"] == "utf-8; zo\\x{EB}@example.com"


def test_the_whole_message_comes_back_where_it_was_asked_for_and_fits() -> None:
    whole = HEADERS + b"body line\r\nbare\nfeed\0\r\n"
    raw = make(ret_full=whole)
    _, (_, _, original) = read(raw)
    assert original.get_content_type() == "message/rfc822"
    assert b"body line\r\nbare\r\nfeed" in raw and b"\0" not in raw
    _, (_, _, original) = read(make(ret_full=HEADERS + b"x" * (1 << 20)))
    assert original.get_content_type() == "text/rfc822-headers"


def test_eight_bit_headers_are_encoded() -> None:
    raw = make(original_headers="Subject: é\r\nX: ".encode() + b"\xff" * 2_000)
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    _, (_, _, original) = read(raw)
    assert original["Content-Transfer-Encoding"] == "quoted-printable"


def test_no_report_is_larger_than_256_kib() -> None:
    many = [
        Failure(f"{'é' * 300}{number}@example.com", "rfc822;" + "y" * 500, action, "5.0.0", "m" * 300, "é" * 10_000)
        for number in range(1_000)
        for action in ("failed", "delayed", "delivered", "relayed")
    ]
    for headers in (b"X: " + b"h" * (1 << 20), b"\xff" * (1 << 20), b"\n" * (1 << 20), b"=" * (1 << 20)):
        raw = make(failures=many, original_headers=headers, ret_full=headers)
        assert len(raw) <= 256 << 10
        part = scan(raw)
        assert [child.type for child in part.children] == [b"text", b"message", b"text"]


def test_a_sender_outside_ascii_still_gets_a_report() -> None:
    message = scan(make(to="zoë@bücher.example"))
    assert message.fields is not None
    assert decode_words(message.fields[b"to"]) == "zoë@bücher.example"


def test_a_report_refuses_what_cannot_be_sent() -> None:
    for changes in (
        {"to": "nobody"},
        {"to": "a@b\r\nBcc: c@d"},
        {"hostname": "bad host\r\n"},
        {"failures": []},
        {"sender_envelope": "anna@example.org"},
    ):
        with pytest.raises(ComposeError):
            make(**changes)


_ODD = [
    "\r\n",
    "\n",
    "\r",
    "\0",
    "\r\nBcc: eve@x.test",
    "\r\n\r\n",
    "--=_",
    "\x85",
    "\u2028",
    "é",
    "rfc822;",
    "x" * 90,
    "5.1.1",
]
_TEXT = st.lists(st.sampled_from(_ODD) | st.text(max_size=4), max_size=6).map("".join)
_FAILURES = st.builds(
    Failure, recipient=_TEXT, original=st.none() | _TEXT, action=st.sampled_from(("failed", "delayed", "relayed")),
    status=_TEXT, remote=st.none() | _TEXT, diagnostic=_TEXT,
)  # fmt: skip
_STATUS_FIELDS = {"original-recipient", "final-recipient", "action", "status", "remote-mta", "diagnostic-code"}


@examples
@given(st.lists(_FAILURES, min_size=1, max_size=3), _TEXT, _TEXT, st.booleans())
def test_nothing_in_a_failure_adds_a_field_a_recipient_or_a_part(
    failures: list[Failure], envid: str, header: str, whole: bool
) -> None:
    original = b"Message-ID: " + header.encode("utf-8", "replace") + b"\r\n" + HEADERS
    raw = make(failures=failures, envid=envid, original_headers=original, ret_full=original + b"x" if whole else None)
    assert b"\r" not in raw.replace(b"\r\n", b"") and b"\n" not in raw.replace(b"\r\n", b"") and b"\0" not in raw
    message, parts = read(raw)
    names = [name.lower() for name in message]
    assert set(names) - {"in-reply-to", "references", "content-transfer-encoding"} == {
        "date", "from", "to", "subject", "message-id", "auto-submitted", "mime-version", "content-type",
    } and len(set(names)) == len(names)  # fmt: skip
    assert len(parts) == 3
    blocks = parts[1].get_payload()
    assert isinstance(blocks, list) and len(blocks) == 1 + len(failures)
    for block in blocks[1:]:
        fields = [name.lower() for name in block]
        assert set(fields) <= _STATUS_FIELDS and len(set(fields)) == len(fields)
