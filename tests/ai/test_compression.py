"""Semantic compression: the sender's own words, and the sentences that say most."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from gk.ai.signals.compression import LIMIT, LONGEST, own, summary

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 200


def test_an_answer_is_kept_without_what_it_answers() -> None:
    text = "Fine with me.\n\nOn 3 May 2026 at 10:12, Ann Lee <ann@a.test> wrote:\n> Shall we?\n> Ann\n"
    assert own(text).text == "Fine with me."
    assert own(text).quoted == 3


def test_a_french_attribution_over_two_lines_is_left_out() -> None:
    text = "D'accord.\n\nLe lun. 3 mai 2026 à 10:12, Service des achats\n<achats@a.test> a écrit :\n> Alors ?\n"
    assert own(text).text == "D'accord."


def test_answers_between_quoted_lines_are_all_kept() -> None:
    text = "> Can you come?\nYes.\n> And Ann?\nNo, she is away.\n"
    assert own(text).text == "Yes.\nNo, she is away."


def test_what_outlook_appends_is_left_out() -> None:
    text = "Merci.\n\nDe : Ann Lee\nEnvoyé : lundi 3 mai\nÀ : Bob\nObjet : devis\n\nVoici le devis.\n"
    assert own(text).text == "Merci."
    assert own("Thanks.\n\n-----Original Message-----\nFrom: Ann\nHere it is.\n").text == "Thanks."


def test_forwarded_text_is_kept() -> None:
    text = "Look:\n---------- Forwarded message ---------\nFrom: Ann\nSubject: x\n\nThe boiler is broken.\n"
    assert "The boiler is broken." in own(text).text
    assert own(text).forwarded


def test_disclaimers_and_ways_out_are_left_out() -> None:
    text = (
        "The offer stands.\n\nThis message and its attachments are confidential and intended for the addressee only.\n"
        "If you are not, delete it.\n\nTo unsubscribe click here.\n"
    )
    assert own(text).text == "The offer stands."
    assert own(text).boilerplate == 2


def test_a_mail_of_nothing_but_quotes_is_kept_as_it_is() -> None:
    assert own("> only\n> quotes\n").text == "> only\n> quotes\n"


def test_each_character_of_the_own_text_is_found_again_in_the_whole() -> None:
    text = "> one\nTwo lines\n> three\nof mine\n\nSent from my phone\nand more\n"
    mine = own(text)
    assert mine.text == "Two lines\nof mine\n\nand more"
    for at, character in enumerate(mine.text):
        assert text[mine.origin(at)] == character


def test_a_summary_keeps_questions_and_figures_in_their_order() -> None:
    filler = "It was a long day and the weather was what it was. " * 12
    text = f"Hello,\nThe pump of building four fails since Monday. {filler}Can you send someone before 14 May? {filler}"
    short = summary(text)
    assert len(short) <= LIMIT
    assert short.index("pump") < short.index("14 May?")
    assert short.count("long day") == 1


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(alphabet=st.sampled_from("abé >-_\n:.?!0wrote"), max_size=1_500))
def test_any_text_has_own_words_and_a_summary(text: str) -> None:
    mine = own(text)
    assert len(mine.text) <= LONGEST
    assert all(text[mine.origin(at)] == character for at, character in enumerate(mine.text))
    assert len(summary(mine.text)) <= LIMIT
