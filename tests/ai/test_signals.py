"""Each signal by itself."""

import pytest

from gk.ai.signals import entities, names
from gk.ai.signals.bant import bant
from gk.ai.signals.judging import OUTPUTS
from gk.ai.signals.keywords import keywords
from gk.ai.signals.linear import Model, pack
from gk.ai.signals.notification import notification
from gk.ai.signals.routing import Known, fitting
from gk.ai.signals.urgency import urgency
from gk.ai.signals.words import fold, pairs, stems
from gk.config import TriageRoute

QUIET = dict.fromkeys(OUTPUTS, 0.0)


def test_a_fold_is_as_long_as_its_text() -> None:
    text = "L'Œuvre coûte 12 €, voilà… 😀"
    assert fold(text).split() == ["l", "ouvre", "coute", "00", "voila"]
    assert len(fold(text)) == len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on 3 May 2026 or 14/06/2026", [("date", "3 May 2026"), ("date", "14/06/2026")]),
        ("le 1er janvier 2027", [("date", "1er janvier 2027")]),
        ("may 5 people come", []),
        ("1 284,60 € TTC and £420", [("amount", "1 284,60 € TTC"), ("amount", "£420")]),
        ("EUR 61,400", [("amount", "EUR 61,400")]),
        ("call 06 39 98 11 52 or +44 1632 960 123", [("phone", "06 39 98 11 52"), ("phone", "+44 1632 960 123")]),
        ("see https://a.test/x?y=1.", [("link", "https://a.test/x?y=1")]),
        ("write to ann.lee@a.test", [("email", "ann.lee@a.test")]),
        ("ticket #48213 and [HH-558870]", [("order", "#48213"), ("order", "HH-558870")]),
        ("la facture n° 4 998 172", [("order", "4 998 172")]),
        ("version 3.2 of 2026, 98.2 %", []),
    ],
)  # fmt: skip
def test_entities_that_follow_a_pattern(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(item.type, item.text) for item in entities.found(text)[0]] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Please ask Mrs Abigail Fontaine about it.", ("person", "Mrs Abigail Fontaine")),
        ("Bonjour Zorbec, voici le plan.", ("person", "Zorbec")),
        ("Le dossier est chez Transgivre SAS depuis hier.", ("organisation", "Transgivre SAS")),
        ("Elle dirige la Pharmacie Duvernay depuis un an.", ("organisation", "Pharmacie Duvernay")),
        ("Nos chauffeurs sont à Valombre ce matin.", ("place", "Valombre")),
        ("We met in Edinburgh last year.", ("place", "Edinburgh")),
        ("Passez au 4 quai des Tanneurs ce soir.", ("place", "4 quai des Tanneurs")),
        ("See you soon.\n\nRegards,\nQuorra Vex\nHollow Tree\n", ("person", "Quorra Vex")),
    ],
)
def test_people_organisations_and_places(text: str, expected: tuple[str, str]) -> None:
    assert expected in [(item.type, item.text) for item in names.named(text, "", "", [])]


def test_a_name_of_the_house_is_known_by_the_senders_domain() -> None:
    found = names.named("The rota of Oxlea is wrong.", "Gareth Pemberly", "oxlea-vets.test", [])
    assert [(item.type, item.text) for item in found] == [("organisation", "Oxlea")]


def test_loud_words_are_found_in_both_languages() -> None:
    def said(text: str) -> tuple[str, ...]:
        found = stems(fold(text))
        return keywords(frozenset([*found, *pairs(found)]))

    assert said("URGENT, as soon as you can") == ("as soon", "urgent")
    assert said("Dernier rappel avant la mise en demeure") == ("dernie rappel", "mise en")
    assert said("a quiet letter") == ()


def test_lanes_add_up_as_plain_numbers_do() -> None:
    rows = {"a": (1, -2, 1500), "b": (-1500, 7, 0), "c": (3, 3, 3)}
    model = Model(1, ("x", "y", "z"), 0.5, (0.0, 1.0, 0.0), {name: pack(row) for name, row in rows.items()}, {}, {})
    assert model.scores(["a", "b", "unknown"], [], 2.0) == {"x": -1499.0, "y": 6.0, "z": 1500.0}
    assert model.scores([], ["c"], 1.0) == {"x": 0.0, "y": 1.0, "z": 0.0}


def test_the_letters_of_bant_are_asked_of_sales_alone() -> None:
    scores = QUIET | {"budget": 3.0, "need": 1.0, "timing": -2.0, "authority": -1.0}
    assert list(bant(scores, "sales", False)) == ["budget", "need"]
    assert bant(scores, "support", False) == {}


def test_mass_mail_is_never_urgent_however_loud() -> None:
    loud = QUIET | {"critical": 9.0}
    assert urgency(loud, "newsletter").label == "low"
    assert urgency(loud, "support").label == "critical"
    assert urgency(loud, "support").value >= 0.8


def test_a_header_that_admits_a_machine_is_believed() -> None:
    assert notification(QUIET | {"automatic": -9.0}, frozenset(["#automatic"])).label == "notification"
    assert notification(QUIET | {"automatic": -9.0}, frozenset(["#list"])).label == "person"


def test_routes_fit_whose_conditions_all_hold() -> None:
    known = Known("support", "high", "negative", "fr", False, True)
    routes = (
        TriageRoute("now", urgency="critical"),
        TriageRoute("robots", categories=("support",), notification="yes"),
        TriageRoute("help", categories=("billing", "support"), urgency="normal", language="fr", needs_response="yes"),
        TriageRoute("cheers", sentiment="positive"),
        TriageRoute("rest"),
    )
    assert [route.name for route in fitting(known, routes)] == ["help", "rest"]
    assert not fitting(known, routes[:2])
