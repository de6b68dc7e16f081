"""A mail as whoever answers it sees it: any bytes give a letter or a reason, and nobody is believed without proof."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.ai.replying.context import ALL, Before, conversation, said
from gk.ai.replying.letter import Letter, proven, read, short_name, target
from gk.ai.replying.prompts import marked, task
from gk.message.address import Address
from tests.test_config import FUZZ

PLAIN = {
    "Return-Path": "<zoe@far.test>", "From": "Zoe <zoe@far.test>", "To": "alice@example.test", "Message-ID": "<1@x>",
    "Subject": "Hello",
}  # fmt: skip


def made(body: str = "Can you come?\r\n", **fields: str) -> bytes:
    head = PLAIN | {name.replace("_", "-"): value for name, value in fields.items()}
    return ("".join(f"{name}: {value}\r\n" for name, value in head.items() if value) + "\r\n" + body).encode()


def letter(body: str = "Can you come?\r\n", **fields: str) -> Letter:
    found = read(made(body, **fields))
    assert isinstance(found, Letter), found
    return found


def test_a_letter_has_its_author_its_ids_and_whoever_saw_it() -> None:
    found = letter(Cc="Bob <BOB@example.test>, Carl <carl@x.test>", References="<0@x>")
    assert str(found.author) == str(found.sender) == "zoe@far.test" and found.came
    assert (found.in_reply_to, found.references) == ("<1@x>", "<0@x> <1@x>")
    assert found.named == {"zoe@far.test", "alice@example.test", "bob@example.test", "carl@x.test"}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"From": ""}, "no author"),
        ({"From": "a@x.test, b@x.test"}, "several"),
        ({"From": "undisclosed:;"}, "no author"),
        ({"Reply_To": "a@x.test, b@x.test"}, "several answers"),
        ({"Message_ID": ""}, "no Message-ID"),
        ({"X_Long": "x" * 70_000}, "longer than any person's"),
    ],
)
def test_what_cannot_be_answered_is_said_in_words(fields: dict[str, str], reason: str) -> None:
    found = read(made(**fields))
    assert isinstance(found, str) and reason in found


@settings(max_examples=FUZZ, deadline=None)
@given(st.binary(max_size=600) | st.text(max_size=400).map(lambda text: made(text)), st.binary(max_size=200))
def test_any_bytes_give_a_letter_or_a_reason(raw: bytes, more: bytes) -> None:
    assert isinstance(read(raw + more), Letter | str)


def verdict(dmarc: list[str], *findings: tuple[str, str]) -> dict[str, object]:
    return {"results": {"dmarc": dmarc}, "findings": [{"rule": rule, "text": text} for rule, text in findings]}


@pytest.mark.parametrize(
    ("kept", "proof"),
    [
        (None, ""),
        (verdict(["pass"]), "dmarc"),
        (verdict(["fail"]), ""),
        (verdict(["pass", "fail"]), ""),
        (verdict(["temperror"], ("spf", "pass for far.test")), ""),
        (verdict(["none"], ("spf", "pass for far.test")), "spf"),
        (verdict(["none"], ("dkim", "pass for far.test")), "dkim"),
        (verdict(["none"], ("spf", "pass for evil.test")), ""),
        (verdict(["none"], ("spf", "pass for far.test.evil.test")), ""),
        (verdict(["none"], ("spf", "fail for far.test")), ""),
        (verdict([]), ""),
    ],
)
def test_only_what_was_authenticated_is_proven(kept: dict[str, object] | None, proof: str) -> None:
    assert proven(letter(), kept, False) == proof
    assert proven(letter(), kept, True) == "auth"


@pytest.mark.parametrize(
    ("reply_to", "authentic", "knows", "expected"),
    [
        ("", True, "", ("zoe@far.test", False)),
        ("ZOE@FAR.test", False, "", ("zoe@far.test", False)),
        ("team@far.test", True, "", ("team@far.test", False)),
        ("team@far.test", False, "", ("zoe@far.test", True)),
        ("eve@evil.test", True, "", ("zoe@far.test", True)),
        ("ann@other.test", True, "ann@other.test", ("ann@other.test", False)),
    ],
)
def test_an_answer_goes_elsewhere_only_where_somebody_vouches_for_that(
    reply_to: str, authentic: bool, knows: str, expected: tuple[str, bool]
) -> None:
    def known(address: Address) -> bool:
        return str(address) == knows

    found, elsewhere = target(letter(Reply_To=reply_to), authentic, known)
    assert (str(found), elsewhere) == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Zoé  Lane", "Zoé Lane"), ("J.-P. O'Neill", "J.-P. O'Neill"), ("", ""), ("Visit evil.test", ""),
        ("x@evil.test", ""), ("Ann (CEO)", ""), ("1st National", ""), ("A" * 61, ""), ("https://evil", ""),
    ],
)  # fmt: skip
def test_a_name_in_a_greeting_is_a_name(text: str, name: str) -> None:
    assert short_name(text) == name


def test_a_conversation_has_at_most_32_kib_and_keeps_the_mail() -> None:
    found = letter("é" * 40_000, Subject="S" * 900)
    before = [Before(n % 2 == 0, "2026-01-01", "€" * 2_000) for n in range(8)]
    text = conversation(found, "€" * 20_000, before)
    assert len(text.encode()) <= ALL and text.count("é") > 3_000
    assert "The mail to answer" in conversation(letter(), "", before[:2])


def test_quoted_and_hidden_text_is_not_what_the_writer_says() -> None:
    page = (
        '<p>See you.</p><div style="display:none">hidden-canary</div><blockquote>quoted-canary</blockquote>'
        '<span style="font-size:0">tiny-canary</span><p style="color: #FFF; font-size:12px">white-canary</p>'
        '<font color="white">white-canary</font><div style="opacity:0">clear-canary</div>'
        '<div style="max-height:0;overflow:hidden">flat-canary</div><i style="left:-9999px">far-canary</i>'
        '<p style="font-size: 1px">tiny-canary</p><p style="color:rgb(255, 255, 255)">white-canary</p>'
    )
    assert said(letter(page, Content_Type="text/html")) == "See you."
    assert said(letter("Yes.\r\n\r\nOn Monday Ann wrote:\r\n> quoted-canary\r\n")) == "Yes."


def test_the_data_stands_between_marks_that_are_said_to_the_model() -> None:
    for language, word in (("fr", "Consignes de Alice : soyez bref"), ("en", "Instructions of Alice: soyez bref")):
        told = task(language, "Alice", "Example", "soyez bref", "0123abcd")
        assert "<<<0123abcd" in told and "0123abcd>>>" in told and word in told and "(Example)" in told
    assert marked("text", "0123abcd") == "<<<0123abcd\ntext\n0123abcd>>>"
