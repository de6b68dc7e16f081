"""A message as triage sees it: which text, which marks of the header, and a reason for what cannot be read."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from gk.ai import markup
from gk.ai.view import TEXT, view

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 200


def message(*lines: str) -> bytes:
    return "\r\n".join(lines).encode()


def test_plain_text_goes_before_html() -> None:
    seen = view(
        message(
            "From: Ann Lee <ann@a.test>", "Subject: =?utf-8?q?caf=C3=A9?=", "MIME-Version: 1.0",
            "Content-Type: multipart/alternative; boundary=x", "", "--x", "Content-Type: text/plain", "", "plain words",
            "--x", "Content-Type: text/html", "", "<p>other words</p>", "--x--",
        )
    )  # fmt: skip
    assert (seen.subject, seen.name, seen.local, seen.domain) == ("café", "Ann Lee", "ann", "a.test")
    assert seen.text.strip() == "plain words"
    assert "#html" in seen.marks
    assert "#only-html" not in seen.marks


def test_html_is_read_as_lines_without_what_is_hidden() -> None:
    html = (
        "<style>p {color: red}</style><div style='display:none'>pre<div>header</div></div><p>One&nbsp;word</p>"
        "<script>if (a < b) x()</script><blockquote>said<br>before</blockquote>after<!-- never > seen -->"
    )
    assert [line for line in markup.lines(html).split("\n") if line] == ["One word", "> said", "> before", "after"]


def test_headers_of_machines_leave_marks() -> None:
    seen = view(
        message(
            "From: noreply@shop.test", "Auto-Submitted: auto-generated", "List-Unsubscribe: <mailto:x@y.test>",
            "Precedence: bulk", "X-Priority: 1", "Subject: Fwd: sale", "", "text",
        )
    )  # fmt: skip
    assert {"#robot", "#automatic", "#unsubscribe", "#bulk", "#priority", "#forward"} <= seen.marks


def test_a_colleague_is_known_by_the_domain_of_whom_it_is_for() -> None:
    seen = view(message("From: ann@a.test", "To: Bob <bob@A.test>", "", "text"))
    assert "#colleague" in seen.marks
    assert "#colleague" not in view(message("From: ann@a.test", "To: bob@b.test", "", "text")).marks


def test_an_empty_body_is_a_reason() -> None:
    assert view(message("Subject: nothing", "", "")).reason == "no text"
    assert view(b"").reason == "no text"


def test_an_unknown_charset_is_a_reason_and_the_text_is_read_all_the_same() -> None:
    seen = view(message("Content-Type: text/plain; charset=martian", "", "hello"))
    assert (seen.reason, seen.text.strip()) == ("unknown charset", "hello")


def test_of_ten_megabytes_the_beginning_is_read() -> None:
    seen = view(message("Subject: big", "", "") + b"word after word " * (10 << 16))
    assert len(seen.text) == TEXT
    assert seen.reason == ""


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=2_000))
def test_any_octets_give_a_view(raw: bytes) -> None:
    seen = view(raw)
    assert len(seen.text) <= TEXT
    assert "\n" not in seen.subject


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(alphabet=st.sampled_from('<>/!-"= abdivspt&;\n'), max_size=500))
def test_any_markup_gives_lines(html: str) -> None:
    assert markup.lines(html) == markup.lines(html).strip()


def test_markup_that_never_closes_takes_no_longer_than_its_length() -> None:
    for hostile in ("<" * 60_000, "<!--" * 15_000, "<p " * 20_000, "<script>" * 8_000, "<div hidden>" * 5_000):
        markup.lines(hostile)
