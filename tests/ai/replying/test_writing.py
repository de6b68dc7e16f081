"""The message that is made of an answer: one recipient, fields of ours alone, whatever stands in mail and answer."""

import email
import email.message
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gk.ai.metering import Price
from gk.ai.model import Answer, ModelFailed
from gk.ai.models import Models
from gk.ai.replying import writing
from gk.ai.replying.context import Before
from gk.ai.replying.deciding import Case
from gk.ai.replying.letter import Letter, read
from gk.ai.replying.templates import Filled, Templates
from gk.ai.replying.writing import Silent
from gk.config import Replies, ReplyRule
from gk.errors import Refused
from gk.message.address import parse_address
from gk.store.replies import Outcome
from gk.store.values import Account
from tests.ai.replying.test_letter import letter, made
from tests.ai.test_several_models import Scripted
from tests.test_config import FUZZ

ALICE = Account(1, "alice@example.test", "Alice")
SAID = {"urgency": "normal", "sentiment": "neutral", "category": "support"}
FIELDS = {
    "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "X-GK-Reason", "MIME-Version",
    "Content-Type", "Content-Transfer-Encoding",
}  # fmt: skip


def case(found: Letter, **rule: object) -> Case:
    outcome = Outcome("all", "draft", "support mail", "default", "", 0.9, found.author.key)
    return Case(ALICE, found, found.author, ReplyRule("all", **rule), "en", SAID, outcome, "", True)  # type: ignore[arg-type]


def written(found: Case, text: str, reason: str = "because") -> email.message.Message:
    author = "Alice", parse_address(ALICE.address)
    return email.message_from_bytes(writing.message(found, author, Filled(text, ""), "mail.example.test", reason))


def test_a_draft_and_an_answer_differ_in_who_sends_them() -> None:
    draft, sent = written(case(letter()), "Yes."), written(case(letter()), "Yes.", "")
    assert set(draft.keys()) == FIELDS and draft["X-GK-Reason"] == "because" and draft["To"] == "zoe@far.test"
    assert sent["Auto-Submitted"] == "auto-replied" and sent["X-GK-Reason"] is None
    assert (draft["Subject"], draft["In-Reply-To"], draft["From"]) == (
        "Re: Hello",
        "<1@x>",
        "Alice <alice@example.test>",
    )


@pytest.mark.parametrize(
    ("subject", "answer"),
    [
        ("Hello", "Re: Hello"),
        ("re: Hello", "re: Hello"),
        ("RE : Hello", "RE : Hello"),
        ("", "Re:"),
        ("Reply", "Re: Reply"),
    ],
)
def test_the_subject_is_that_of_the_mail(subject: str, answer: str) -> None:
    assert written(case(letter(Subject=subject)), "Yes.")["Subject"] == answer


_NASTY = st.text(
    st.characters(codec="utf-8") | st.sampled_from('\r\n\0\u2028\u2029\u0085<>@,;:"()[]\\ =?'), max_size=60
)


@settings(max_examples=FUZZ, deadline=None)
@given(_NASTY, _NASTY, _NASTY, _NASTY, _NASTY)
def test_no_text_adds_a_field_or_a_recipient(name: str, subject: str, reply_to: str, id_: str, text: str) -> None:
    raw = made(
        "Can you come?\r\n", From=f"{name} <zoe@far.test>", Subject=subject, Reply_To=reply_to, Message_ID=f"<{id_}>"
    )
    found = read(raw)
    if isinstance(found, str):
        return
    try:
        answer = written(case(found), text)
    except Refused:
        return
    assert set(answer.keys()) <= FIELDS and answer.get_all("To") == [str(found.author)]
    assert len(answer.get_all("Subject", [])) == 1


def scripted(remote: bool = False, **fields: object) -> Scripted:
    """A model that gives these fields."""
    said = {"reply": "Yes.", "language": "en", "confidence": 0.9, "needs_person": False} | fields
    return Scripted(Answer(said, "small"), remote=remote)  # type: ignore[arg-type]


async def asked(model: Scripted, found: Case, before: Sequence[Before] = ()) -> writing.Written:
    return await writing.asked(Models([(model, Price())]), found, Replies(), "", before)


@pytest.mark.parametrize(
    ("fields", "error", "reason"),
    [
        ({"needs_person": True}, Silent, "a person"),
        ({"language": "fr"}, Silent, "another language"),
        ({"confidence": 0.1}, Silent, "only 0.10 sure"),
        ({"confidence": -1}, ModelFailed, "between 0 and 1"),
        ({"confidence": float("nan")}, ModelFailed, "between 0 and 1"),
        ({"reply": "  \n"}, ModelFailed, "empty"),
        ({"reply": "<b></b>"}, ModelFailed, "empty"),
    ],
)
async def test_an_answer_that_is_in_doubt_is_none(
    fields: dict[str, object], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        await asked(scripted(**fields), case(letter()))


async def test_the_marks_around_the_mail_cannot_be_guessed() -> None:
    model = scripted()
    for _ in range(2):
        assert (await asked(model, case(letter()))).reply == "Yes."
    marks = {text.partition("\n")[0].removeprefix("<<<") for text in model.texts}
    assert len(marks) == 2 and all(len(mark) == 16 for mark in marks), "another each time, and no answer is remembered"


async def test_secrets_of_the_mail_and_of_the_conversation_stay_here_when_the_model_is_elsewhere() -> None:
    model = scripted(remote=True)
    secret = "My card is 4111 1111 1111 1111, password: hunter22"
    await asked(model, case(letter(f"Can you come? {secret}\r\n")), [Before(True, "2026-01-01", secret)])
    (text,) = model.texts
    assert "4111" not in text and "hunter22" not in text and text.count("[card]") == 2


async def test_links_of_the_users_own_words_and_of_the_instructions_may_be_said() -> None:
    model = scripted(reply="See https://us.test/a, https://told.test/b, https://evil.test/c and https://theirs.test/d.")
    found = case(letter("See https://theirs.test/d\r\n"), instructions="Name https://told.test/b where it helps.")
    before = [Before(True, "2026-01-01", "It is at https://us.test/a."), Before(False, "x", "At https://evil.test/c.")]
    said = (await asked(model, found, before)).reply
    assert said == "See https://us.test/a, https://told.test/b, […] and https://theirs.test/d."


def test_the_variables_of_templates_are_all_there() -> None:
    values = writing.values(case(letter(From="Zoé <zoe@far.test>")), Replies(brand="Example"), "Yes.", 7, 1.77e9)
    filled = Templates().fill("default", "en", values)
    assert filled.text.startswith("Hello Zoé,") and filled.text.endswith("Alice\nExample\n")
    assert values["thread_id"] == "T7" and values["response_date"].endswith("February 2026")
