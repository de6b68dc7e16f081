"""Triage of whole messages: verdicts, reasons with their places, and no exception on anything."""

import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gk.ai.data
from gk.ai.signals.judging import BANT, CATEGORIES, OUTPUTS, SENTIMENTS, URGENCIES
from gk.ai.signals.linear import model
from gk.ai.triage import Triage, triage
from gk.ai.view import View, view
from tests.corpus import corpus_path

EXAMPLES = 10_000 if os.environ.get("GK_FUZZ") else 200

OUTAGE = """\
From: Ann Lee <ann.lee@clinic.test>
Subject: nobody can log in since 8 o'clock
Content-Type: text/plain; charset=utf-8

The whole clinic has been locked out since eight. The waiting room is full and nobody can open a file. Nothing works, \
please call me back immediately on 01632 960 123.

Ann Lee
"""
DEVIS = """\
From: =?utf-8?q?Zo=C3=A9?= Martin <zoe@atelier.test>
Subject: demande de devis
Content-Type: text/plain; charset=utf-8

Bonjour,
Notre école de musique réserve les salles deux fois par semaine et nous cherchons un logiciel pour cela. Nous avons un \
budget de 2 000 € et voudrions démarrer avant septembre. Pourriez-vous nous envoyer une proposition ?
Zoé Martin
"""


def judged(text: str) -> Triage:
    return triage(view(text.replace("\n", "\r\n").encode()))


def test_an_outage_is_support_critical_and_wants_an_answer() -> None:
    found = judged(OUTAGE)
    assert (found.language, found.category, found.urgency) == ("en", "support", "critical")
    assert found.urgency_value >= 0.8
    assert found.needs_response
    assert not found.notification


def test_a_french_enquiry_is_sales_with_a_need() -> None:
    found = judged(DEVIS)
    assert (found.language, found.category, found.needs_response) == ("fr", "sales", True)
    assert {"need"} <= set(found.bant)
    assert ("amount", "2 000 €") in [(item.type, item.text) for item in found.entities]


def test_each_reason_and_each_entity_stands_where_it_says_in_octets() -> None:
    for text in (OUTAGE, DEVIS):
        seen = view(text.encode())
        found = triage(seen)
        texts = {"subject": seen.subject.encode(), "text": seen.text.encode()}
        for item in found.entities:
            assert texts[item.where][item.start : item.end].decode() == item.text
        placed = [reason for reason in found.evidence if reason.where != "header"]
        assert placed
        for reason in placed:
            assert texts[reason.where][reason.start : reason.end].decode()[:1].isalnum()
        assert {reason.signal for reason in found.evidence} >= {"category", "urgency", "needs_response"}


def test_the_weights_that_ship_fit_the_program() -> None:
    held = json.loads(gzip.decompress((Path(gk.ai.data.__file__).parent / "triage.json.gz").read_bytes()))
    assert tuple(held["outputs"]) == OUTPUTS
    assert len(model().words) > 1_000


def test_what_cannot_be_read_has_a_reason() -> None:
    assert triage(view(b"")).reason == "no text"
    assert triage(view(b"Content-Type: text/plain; charset=martian\r\n\r\nhello\r\n")).reason == "unknown charset"


def sane(found: Triage) -> None:
    assert found.category in CATEGORIES
    assert found.urgency in URGENCIES
    assert found.sentiment in SENTIMENTS
    assert set(found.bant) <= set(BANT)
    assert 0 <= found.urgency_value <= 1
    assert -1 <= found.sentiment_value <= 1
    assert len(found.summary) <= 500


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=1_500))
def test_any_octets_give_a_result(raw: bytes) -> None:
    sane(triage(view(raw)))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(max_size=60), st.text(max_size=20), st.text(max_size=20), st.text(max_size=600))
def test_any_text_gives_a_result(subject: str, name: str, domain: str, text: str) -> None:
    sane(triage(View(subject, name, "x", domain, text)))


@pytest.mark.parametrize(
    "piece", ["Ab ", "0 ", "1.", "1/", "A-1", "a@", "http://", "€1 ", "> \n", "On x wrote\n", "é", "(0", "1 000 "]
)
def test_ten_megabytes_of_anything_give_a_result(piece: str) -> None:
    sane(triage(view(b"Subject: x\r\n\r\n" + piece.encode() * ((10 << 20) // len(piece.encode())))))


def test_the_labelled_corpus_is_judged_far_better_than_by_chance() -> None:
    """Floors, not the figures: those are measured by scripts/bench_triage.py and stand in docs/triage.md."""
    root = corpus_path("triage")
    labels = [json.loads(line) for line in (root / "labels.jsonl").read_text().splitlines()]
    hits = dict.fromkeys(("language", "category", "urgency", "sentiment", "needs_response", "notification"), 0)
    for label in labels:
        found = triage(view((root / label["file"]).read_bytes()))
        for name in hits:
            hits[name] += getattr(found, name) == label[name]
    shares = {name: count / len(labels) for name, count in hits.items()}
    assert shares["category"] > 0.6
    assert shares["urgency"] > 0.6
    assert min(shares["language"], shares["notification"], shares["needs_response"]) > 0.8


LOUD = {
    "Server down": "URGENT: the production server is down, all customers are affected, please call back immediately!",
    "Serveur en panne": "URGENT : la production est en panne, tous les clients sont bloqués, rappelez vite !",
}


@pytest.mark.parametrize("subject", LOUD)
def test_a_loud_mail_of_a_person_that_leads_nowhere_is_no_mass_mail(subject: str) -> None:
    raw = f"From: Zoe <zoe@far.test>\r\nTo: ann@here.test\r\nSubject: {subject}\r\n\r\n{LOUD[subject]}\r\n"
    found = triage(view(raw.encode()))
    assert found.category not in ("spam", "newsletter")
    assert found.urgency in ("high", "critical")


def test_what_stands_at_one_place_is_one_reason() -> None:
    raw = b"From: ann@far.test\r\nTo: bob@example.test\r\nSubject: Re: Thursday's meeting\r\n\r\nThursday is fine.\r\n"
    found = triage(view(raw)).evidence
    places = [(one.signal, one.feature, one.where, one.start) for one in found]
    assert len(places) == len(set(places)) and any("Thursday" in place[1] for place in places)
