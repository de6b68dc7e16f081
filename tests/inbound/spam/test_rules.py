"""Each rule finds what it is for, and nothing in an honest message."""

import pytest

from gk.inbound.spam.rule import RULES, Around
from gk.inbound.spam.rules import look
from gk.inbound.spam.scan import scan
from gk.inbound.spam.seen import see

AROUND = Around(frozenset({"example.test", "mairie-lille.test"}), frozenset({"ann archer"}), frozenset({"zip"}))
HONEST = (
    b"From: Bob Baker <bob@example.org>\r\nTo: Ann <ann@example.test>\r\nSubject: Minutes of Tuesday\r\n"
    b"Date: Tue, 3 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n"
    b"<p>Dear Ann,</p><p>the minutes are at <a href='https://example.org/m'>example.org</a>; please tell me what is"
    b" missing before the next meeting on Thursday, when we talk about the roof again.</p><img src='logo.png'>\r\n"
)


def message(body: str = "Hello, this is a text of some words.", kind: str = "text/plain", **fields: str) -> bytes:
    """An honest message but for what is given; an empty field is left out."""
    usual = {
        "From": "Bob <bob@example.org>", "To": "ann@example.test", "Subject": "Hello",
        "Date": "Tue, 3 Nov 2026 10:00:00 +0000", "Message-ID": "<1@example.org>", "MIME-Version": "1.0",
        "Content-Type": f"{kind}; charset=utf-8",
    }  # fmt: skip
    given = usual | {name.replace("_", "-"): value for name, value in fields.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
    return f"{head}\r\n{body}\r\n".encode()


def attached(name: str) -> bytes:
    part = (
        f'--x\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\nx'
    )
    kind = "multipart/mixed; boundary=x"
    return message(f"--x\r\n\r\nThe file.\r\n{part}\r\n--x--", Content_Type=kind)


def html(text: str) -> bytes:
    return message(text, "text/html")


FOUND = {
    "program_attached": attached("invoice.exe"),
    "two_endings": attached("invoice.pdf.html"),
    "macros_attached": attached("order.docm"),
    "page_attached": attached("login.html"),
    "unseen_text": html("<p>Buy</p>" + '<span style="display: none">nice weather today</span>' * 3),
    "zero_width": message("P\u200ba\u200by\u200bp\u200ba\u200bl wants you"),
    "picture_only": html('<a href="https://example.org/x"><img src="https://example.org/a.png"></a>'),
    "html_form": html('<form action="https://example.org/x"><input type=password></form> words' + " and more" * 30),
    "no_date": message(Date=""),
    "no_message_id": message(Message_ID=""),
    "no_author": message(From=""),
    "doubled_field": message(Subject="One\r\nSubject: Two"),
    "impossible_date": message(Date="Tue, 3 Nov 2099 10:00:00 +0000"),
    "shouting": message(Subject="READ THIS NOW, FRIEND"),
    "no_subject_no_text": message("https://example.org/x", Subject=""),
    "random_local_part": message(From="Bob <xkqwzrtp@example.org>"),
    "false_reply": message(Subject="Re: our talk"),
    "another_address_in_name": message(From='"service@bank.test" <x@evil.test>'),
    "pretends_a_user": message(From="Ann Archer <ann.archer@free.test>"),
    "pretends_a_brand": message(From="P\u0430yPal Service <service@evil.test>".replace("\u0430", "a")),
    "look_alike_domain": message(From="Ann <ann@mairie-lile.test>"),
    "mixed_scripts": message(Subject="Your p\u0430ssword"),
    "answers_go_elsewhere": message(Reply_To="bob123@gmail.com"),
    "link_shows_another_host": html('<a href="https://evil.test/login">www.bank.test</a> and some words more'),
    "link_to_an_address": message("Look at http://192.0.2.7/x now"),
    "speaks_for_a_brand": message("See http://evil.test/x for what happened", Subject="Your PayPal account"),
    "short_link": message("Look here: https://bit.ly/3abc"),
    "hosted_anywhere": message("Sign in at https://bank-login.web.app/ please"),
    "advance_fee": message("The sum of ten million dollars of my late client waits for a foreign partner."),
    "account_threat": message("Your account has been suspended. Click here within 24 hours."),
    "parcel": message("Votre colis est en attente de paiement : frais de douane 1,99 EUR."),
    "extortion": message("I have infected you and recorded a video by your webcam; send 500 in bitcoin."),
    "prize": message("Félicitations, vous avez gagné une carte cadeau !"),
    "easy_money": message("Work from home with no risk, extra income guaranteed, act now!"),
    "pills": message("Cheap viagra without a doctor."),
    "adult": message("Hot girls live sex, you must be 18."),
    "unasked_list": message("This is not spam. If you wish to be removed, write to us."),
}


def names(raw: bytes) -> set[str]:
    return {hit.rule for hit in look(see(raw), AROUND, {})}


def test_every_rule_has_its_example() -> None:
    assert set(RULES) == set(FOUND)


@pytest.mark.parametrize("rule", FOUND)
def test_a_rule_finds_what_it_is_for(rule: str) -> None:
    assert rule in names(FOUND[rule])


def test_an_honest_message_has_none_of_it() -> None:
    assert names(HONEST) == set()
    assert names(message()) == set()


def test_a_brand_that_writes_itself_is_none() -> None:
    assert "pretends_a_brand" not in names(message(From="PayPal <service@mail.paypal.com>"))


def test_those_who_are_where_they_link_to_are_not_suspected() -> None:
    news = message("See https://www.paypal.com/news for more", Subject="PayPal has news")
    assert "speaks_for_a_brand" not in names(news)
    assert "hosted_anywhere" not in names(message("https://ann.github.io/ is new", From="Ann <ann@ann.github.io>"))
    assert "short_link" not in names(message("We like https://bit.ly for short links"))


def test_letters_that_pass_for_others_are_seen_through() -> None:
    assert "pretends_a_brand" in names(message(From="P\u0430yP\u0430l <x@evil.test>"))
    assert "look_alike_domain" in names(message("See https://paypa1.com/x"))
    assert "look_alike_domain" in names(message(From="x <x@xn--pypal-4ve.com>"))


def test_points_can_be_given_and_a_rule_turned_off() -> None:
    (hit,) = look(see(FOUND["pills"]), AROUND, {"pills": 7.0})
    assert (hit.rule, hit.points) == ("pills", 7.0) and "viagra" in hit.text
    assert not look(see(FOUND["pills"]), AROUND, {"pills": 0.0})


def test_a_hit_says_where_in_the_message_it_is() -> None:
    raw = FOUND["shouting"]
    (hit,) = [hit for hit in scan(raw, AROUND, {}).hits if hit.rule == "shouting"]
    assert hit.where is not None
    at, length = hit.where
    assert raw[at : at + length].strip() == b"READ THIS NOW, FRIEND"


def test_further_endings_can_be_called_dangerous() -> None:
    assert "program_attached" in names(attached("photos.ZIP"))
