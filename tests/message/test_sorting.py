"""What SORT and THREAD compare (RFC 5256, RFC 5957)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.message.sorting import SortKeys, base_subject, casemap, sort_keys
from tests.message.fuzz import examples, mail


@pytest.mark.parametrize(
    ("subject", "base", "reply"),
    [
        ("plain", "plain", False),
        ("  two   blanks\there ", "two blanks here", False),
        ("Re: one", "one", True),
        ("RE[2]: fwd : FW: one", "one", True),
        ("re [list] : one", "one", True),
        ("[list] Re: [other] one", "one", True),
        ("[list] one", "one", False),
        ("[list] [last]", "[last]", False),
        ("[only]", "[only]", False),
        ("Re: [only]", "[only]", True),
        ("[blob] Re:", "", True),
        ("one (fwd)", "one", True),
        ("one (fwd) (FWD) ", "one", True),
        ("[Fwd: Re: one (fwd)]", "one", True),
        ("[fwd: [fwd: one]]", "one", True),
        ("[fwd: one", "[fwd: one", False),
        ("Re one", "Re one", False),
        ("Reply: one", "Reply: one", False),
        ("AW: one", "AW: one", False),  # the grammar knows re, fw and fwd alone
        ("", "", False),
        ("Re:", "", True),
        ("a [b] c", "a [b] c", False),
    ],
)
def test_a_base_subject_is_without_marks_of_replies(subject: str, base: str, reply: bool) -> None:
    assert base_subject(subject) == (base, reply)


def test_the_keys_of_a_message() -> None:
    header = (
        b"Date: Fri, 20 Nov 2026 10:00:00 +0100\r\nSubject: =?utf-8?q?Re:_caf=C3=A9?=\r\n"
        b'From: "Zo=?x?=" <Zoe.B@example.org>, other@example.org\r\nTo: =?utf-8?q?Zo=C3=AB?= <zoe@example.org>\r\n'
        b"Cc: Group: a@b.example;\r\nMessage-ID: <1@x>\r\nReferences: <a@x> <b@x>\r\nIn-Reply-To: <c@x>\r\n\r\n"
    )
    assert sort_keys(header) == SortKeys(
        sent=1_795_165_200, subject="CAFE\u0301", reply=1, sender="ZOE.B", to="ZOE", cc="GROUP",
        display_from="ZO=?X?=", display_to="ZOE\u0308", message_id=b"<1@x>", references=(b"<a@x>", b"<b@x>"),
    )  # fmt: skip


def test_what_is_missing_has_empty_keys() -> None:
    assert sort_keys(b"") == SortKeys(None, "", 0, "", "", "", "", "", None, ())
    assert sort_keys(b"Date: never\r\nFrom:\r\nReferences: none\r\n\r\n").sent is None


@pytest.mark.parametrize(
    ("fields", "references"),
    [
        (b"In-Reply-To: <a@x> <b@x>", (b"<a@x>",)),
        (b"References: words only here\r\nIn-Reply-To: <a@x>", (b"<a@x>",)),
        (b"References: <a@x>\r\n <b@x> <a@x>\r\nIn-Reply-To: <c@x>", (b"<a@x>", b"<b@x>")),
        (b"In-Reply-To: your message of yesterday", ()),
    ],
)
def test_a_message_refers_to_its_references_else_to_what_it_replies_to(
    fields: bytes, references: tuple[bytes, ...]
) -> None:
    assert sort_keys(fields + b"\r\n\r\n").references == references


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"Name <a@b.example>", "NAME"),
        (b"<a@b.example>", "A@B.EXAMPLE"),
        (b"=?utf-8?q?_?= <a@b.example>", "A@B.EXAMPLE"),
        (b"a", "A"),
        (b"Team: x@b.example, y@b.example;", "TEAM"),
    ],
)
def test_a_display_name_is_the_name_else_the_address(value: bytes, shown: str) -> None:
    assert sort_keys(b"From: " + value + b"\r\n\r\n").display_from == shown


def test_texts_differing_in_case_and_composition_alone_are_equal() -> None:
    assert casemap("É") == casemap("e\u0301") == "E\u0301"
    assert casemap("ǆ") == casemap("Ǆ") == casemap("ǅ")
    assert casemap("straße") != casemap("strasse")  # simple mappings only (RFC 5051 §2)
    assert casemap("\ud800") == "?"


@examples
@given(mail)
def test_any_header_has_keys_that_can_be_stored(header: bytes) -> None:
    keys = sort_keys(header)
    for text in (keys.subject, keys.sender, keys.to, keys.cc, keys.display_from, keys.display_to):
        assert text.encode().decode() == text
    assert b"\n" not in b"".join(keys.references)


@examples
@given(st.text(alphabet="[]re: fwd()FWx", max_size=60))
def test_a_base_subject_is_its_own_base(subject: str) -> None:
    base, _ = base_subject(subject)
    again, reply = base_subject(base)
    assert again == base and not reply
