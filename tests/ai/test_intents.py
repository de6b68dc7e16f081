"""Questions in English and French, as people ask them, and what is understood."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.ai.intents import Intent, plain, understood

NOW = datetime(2026, 11, 20, 15, 30)  # a Friday


def day(month: int, number: int) -> datetime:
    return datetime(2026, month, number)


EN = Intent("list", french=False)
ASKED: dict[str, tuple[str, dict[str, object]]] = {
    "who wrote today?": ("who", {"since": day(11, 20)}),
    "Who has written to me this week": ("who", {"since": day(11, 16)}),
    "Qui m'a écrit hier ?": ("who", {"since": day(11, 19), "before": day(11, 20)}),
    "liste mes mails": ("list", {}),
    "show my unread messages": ("list", {"unread": True}),
    "montre-moi les nouveaux messages d'aujourd'hui": ("list", {"unread": True, "since": day(11, 20)}),
    "unread": ("list", {"unread": True}),
    "quoi de neuf ?": ("list", {}),
    "What's new?": ("list", {"unread": True}),
    "mails from Ann since Monday": ("list", {"author": "ann", "since": day(11, 16)}),
    "mails from Ann on Tuesday": ("list", {"author": "ann", "since": day(11, 17), "before": day(11, 18)}),
    "les mails de Paul": ("list", {"author": "paul"}),
    "what did Ann Archer write last week?": (
        "list", {"author": "ann archer", "since": day(11, 9), "before": day(11, 16)},
    ),
    "Qu'a écrit Marc le mois dernier ?": ("list", {"author": "marc", "since": day(10, 1), "before": day(11, 1)}),
    "messages des 3 derniers jours": ("list", {"since": datetime(2026, 11, 17, 15, 30)}),
    "mails over the last 2 weeks": ("list", {"since": datetime(2026, 11, 6, 15, 30)}),
    "cherche la facture d'Acme": ("search", {"text": "facture acme"}),
    "find the invoice from Acme": ("search", {"text": "invoice acme"}),
    "where is the contract with Bolt?": ("search", {"text": "contract bolt"}),
    "Où est le devis du plombier ?": ("search", {"text": "devis plombier"}),
    "retrouve le mail de Paul sur le toit": ("search", {"author": "paul", "text": "toit"}),
    "how many unread mails do I have?": ("count", {"unread": True}),
    "Combien de mails non lus ?": ("count", {"unread": True}),
    "what is urgent?": ("urgent", {}),
    "y a-t-il quelque chose d'urgent cette semaine ?": ("urgent", {"since": day(11, 16)}),
    "which mails need an answer?": ("awaiting", {}),
    "À qui dois-je répondre ?": ("awaiting", {}),
    "Quels mails attendent une réponse ?": ("awaiting", {}),
    "résume ce fil": ("summary", {}),
    "Résume le dernier mail de Zoé": ("summary", {"author": "zoe"}),
    "summarize the last mail from ann@far.test": ("summary", {"author": "ann@far.test"}),
    "list my folders": ("folders", {}),
    "Quels sont mes dossiers ?": ("folders", {}),
    "help": ("help", {}),
    "?": ("help", {}),
}  # fmt: skip


@pytest.mark.parametrize("question", ASKED)
def test_a_question_is_understood(question: str) -> None:
    found = understood(question, NOW)
    assert found is not None
    kind, fields = ASKED[question]
    assert found.kind == kind
    nothing = {"text": "", "author": "", "since": None, "before": None, "unread": False}
    assert {name: getattr(found, name) for name in nothing} == nothing | fields


@pytest.mark.parametrize("question", [q for q in ASKED if q not in ("unread", "help", "?")])
def test_it_is_answered_in_the_language_it_was_asked_in(question: str) -> None:
    found = understood(question, NOW)
    said = plain(question)
    french = any(
        word in said.split()
        for word in ("qui", "quels", "mes", "les", "la", "le", "de", "des", "ce", "quoi", "qu", "d")
    )
    assert found is not None and found.french == french


@pytest.mark.parametrize(
    "question", ["", "   ", "asdf qwer", "delete everything", "supprime tout", "send 100 to eve", "«»"]
)
def test_what_is_not_understood_is_nothing(question: str) -> None:
    assert understood(question, NOW) is None


@given(st.text(max_size=600))
def test_any_text_is_understood_or_not(question: str) -> None:
    found = understood(question, NOW)
    assert found is None or found.kind


def test_a_long_question_takes_no_longer_than_a_short_one() -> None:
    for piece in ("mails from ", "what did ", "needs ", "last ", "9"):
        understood(piece * 100_000, NOW)
