"""Several models: who is asked, how often, for how much, and what is remembered."""

import asyncio
from dataclasses import replace

import pytest

from gk.ai.metering import Price, Use
from gk.ai.model import Answer, Call, Hear, ModelFailed, Prompt, Spoken, Talk, Tokens, Tool, Turn
from gk.ai.models import CLOSED, FAILURES, Models
from tests.ai.test_models import GOOD, PROMPT

TALK = Talk("Help.", [Turn("user", "card 4111 1111 1111 1111?")])


class Scripted:
    """A model in this process: what it says, one after the other; the last goes on."""

    def __init__(self, *script: Answer | ModelFailed, remote: bool = False) -> None:
        self.name, self.remote, self.script, self.asked = "scripted", remote, list(script), 0
        self.texts: list[str] = []

    async def probe(self) -> None:
        if isinstance(self.script[0], ModelFailed):
            raise self.script[0]

    async def answer(self, prompt: Prompt) -> Answer:
        self.texts.append(prompt.text)
        return self._next()

    async def turn(self, talk: Talk, hear: Hear) -> Spoken:
        self.texts.append(talk.turns[-1].text)
        hear("It ")
        found = self._next()
        hear("leaks.")
        return Spoken(Turn("model", "It leaks."), found.model, found.tokens)

    def _next(self) -> Answer:
        self.asked += 1
        found = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(found, ModelFailed):
            raise found
        return found


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


OK, BROKEN, PASSING = Answer(GOOD, "m", Tokens(3, 4)), ModelFailed("broken"), ModelFailed("busy", passing=True)


class Counted:
    """Counts calls and money, up to so much, and remembers answers."""

    def __init__(self, calls: int = 1000, money: int = 1 << 40) -> None:
        self.most, self.money = calls, money
        self.calls = self.price = self.failed = self.tokens = 0
        self.answers: dict[tuple[int, bytes], Answer] = {}

    async def reserve(self, account: int, model: str, price: int) -> bool:
        if self.calls >= self.most or self.price + price > self.money:
            return False
        self.calls += 1
        self.price += price
        return True

    async def settle(self, account: int, model: str, reserved: int, use: Use) -> None:
        self.price += use.price - reserved
        self.failed += use.failed
        self.tokens += use.tokens.all

    def kept(self, account: int, key: bytes) -> Answer | None:
        return self.answers.get((account, key))

    async def keep(self, account: int, key: bytes, answer: Answer) -> None:
        self.answers[account, key] = replace(answer, kept=True)


async def _at_once(seconds: float) -> None:
    """Nobody waits in these tests."""


def asked(*models: Scripted, count: Counted | None = None, clock: Clock | None = None, price: float = 0.0) -> Models:
    return Models([(model, Price(price, price)) for model in models], count or Counted(), clock or Clock(), _at_once)


def fresh(number: int) -> Prompt:
    return replace(PROMPT, text=f"The roof leaks, {number}.")


async def test_the_first_that_answers_is_believed() -> None:
    first, second, count = Scripted(BROKEN), Scripted(OK), Counted()
    assert await asked(first, second, count=count).answer(1, PROMPT) == OK
    assert (first.asked, second.asked, count.calls, count.tokens) == (1, 1, 2, 7)


async def test_what_fails_in_passing_is_tried_once_more_and_no_more() -> None:
    once, always = Scripted(PASSING, OK), Scripted(PASSING)
    assert await asked(once).answer(1, PROMPT) == OK and once.asked == 2
    with pytest.raises(ModelFailed, match="busy"):
        await asked(always).answer(1, PROMPT)
    assert always.asked == 2


async def test_a_model_that_fails_again_and_again_is_left_alone_for_a_while() -> None:
    bad, clock = Scripted(BROKEN), Clock()
    models = asked(bad, clock=clock)
    for _ in range(FAILURES + 3):
        with pytest.raises(ModelFailed):
            await models.answer(1, PROMPT)
    assert bad.asked == FAILURES
    clock.now += CLOSED + 1
    for _ in range(3):
        with pytest.raises(ModelFailed):
            await models.answer(1, PROMPT)
    assert bad.asked == FAILURES + 1, "one call tries it"
    bad.script = [OK]
    clock.now += CLOSED + 1
    assert await models.answer(1, PROMPT) == OK
    assert await models.answer(1, fresh(1)) == OK


async def test_a_user_makes_no_more_calls_than_a_day_allows() -> None:
    good = Scripted(OK)
    models = asked(good, count=Counted(2))
    await models.answer(1, fresh(1))
    await models.answer(1, fresh(2))
    with pytest.raises(ModelFailed, match="calls_per_day"):
        await models.answer(1, fresh(3))
    assert good.asked == 2


async def test_a_call_that_could_cost_more_than_the_day_allows_is_not_made() -> None:
    count, good = Counted(money=2000), Scripted(OK)
    models = asked(good, count=count, price=1.0)
    for number in range(3):
        await models.answer(1, fresh(number))
    assert count.price == 3 * 7, "what was used counts, not what was reserved"
    count.price = 1600  # an answer may have 500 tokens
    with pytest.raises(ModelFailed, match="spend_per_day"):
        await models.answer(1, fresh(9))
    assert good.asked == 3 and count.price == 1600


async def test_what_a_server_does_not_count_costs_what_it_might() -> None:
    count = Counted()
    await asked(Scripted(Answer(GOOD, "m")), count=count, price=1.0).answer(1, PROMPT)
    assert count.price >= PROMPT.most
    count = Counted()
    with pytest.raises(ModelFailed):
        await asked(Scripted(BROKEN), count=count, price=1.0).answer(1, PROMPT)
    assert count.price >= PROMPT.most and count.failed == 1
    count = Counted()
    with pytest.raises(ModelFailed):
        await asked(Scripted(PASSING), count=count, price=1.0).answer(1, PROMPT)
    assert count.price == 0 and (count.calls, count.failed) == (2, 2), "nobody was reached"


async def test_the_same_question_of_the_same_user_is_answered_once() -> None:
    good, count = Scripted(OK), Counted()
    models = asked(good, count=count)
    assert not (await models.answer(1, PROMPT)).kept
    again = await models.answer(1, PROMPT)
    assert again.kept and again.fields == GOOD and good.asked == count.calls == 1
    await models.answer(2, PROMPT)
    assert good.asked == 2, "another user's is asked again"
    await models.answer(1, replace(PROMPT, task="Judge."))
    once = replace(PROMPT, keep=False)
    await models.answer(1, once)
    await models.answer(1, once)
    assert good.asked == 5


async def test_a_turn_is_told_piece_by_piece_and_nobody_else_goes_on_with_it() -> None:
    heard: list[str] = []
    far = Scripted(OK, remote=True)
    spoken = await asked(far).turn(1, TALK, heard.append)
    assert spoken.turn.text == "".join(heard) == "It leaks."
    assert far.texts == ["card [card]?"]
    broken, other = Scripted(BROKEN), Scripted(OK)
    with pytest.raises(ModelFailed, match="broken"):
        await asked(broken, other).turn(1, TALK, heard.append)
    assert other.asked == 0


async def test_how_each_model_does_can_be_seen() -> None:
    bad, good, clock = Scripted(BROKEN), Scripted(OK), Clock()
    models = asked(bad, good, clock=clock)
    assert [one.state for one in models.health()] == ["unasked", "unasked"]
    await models.probe()
    assert [(one.state, one.reason) for one in models.health()] == [("fails", "broken"), ("unasked", "")]
    for number in range(FAILURES):
        await models.answer(1, fresh(number))
    assert [one.state for one in models.health()] == ["left alone", "answers"]


async def test_who_gives_up_waiting_has_the_call_counted_all_the_same() -> None:
    started, count = asyncio.Event(), Counted()

    class Slow(Scripted):
        async def answer(self, prompt: Prompt) -> Answer:
            started.set()
            await asyncio.Event().wait()
            raise AssertionError

    task = asyncio.create_task(asked(Slow(OK), count=count, price=1.0).answer(1, PROMPT))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert count.price >= PROMPT.most and count.failed == 1


async def test_secrets_stay_here_when_the_model_is_elsewhere() -> None:
    text = Prompt("x", "card 4111 1111 1111 1111, password: hunter2", {"a": "string"})
    near, far = Scripted(OK), Scripted(OK, remote=True)
    await asked(near).answer(1, text)
    await asked(far).answer(1, text)
    assert "4111" in near.texts[0]
    assert far.texts == ["card [card], password: [secret]"]


async def test_secrets_in_questions_and_calls_of_tools_stay_here_too() -> None:
    secret, given = "4111 1111 1111 1111", []

    class Far(Scripted):
        async def answer(self, prompt: Prompt) -> Answer:
            given.append(str(prompt))
            return await super().answer(prompt)

        async def turn(self, talk: Talk, hear: Hear) -> Spoken:
            given.append(str(talk))
            return await super().turn(talk, hear)

    models = asked(Far(OK, remote=True))
    await models.answer(1, replace(PROMPT, task=f"Is {secret} in it?"))
    arguments = {"text": secret, "to": [secret], "more": {"x": secret}, "limit": 3}
    await models.turn(1, Talk("Help.", [Turn("model", "", [Call("c1", "write_draft", arguments)])]))
    assert len(given) == 2 and not any(secret in one for one in given) and "'limit': 3" in given[1]


async def test_without_a_model_there_is_no_answer() -> None:
    models = asked()
    assert not models
    with pytest.raises(ModelFailed, match="no model"):
        await models.answer(1, PROMPT)


async def test_tools_and_calls_are_a_part_of_what_a_turn_may_cost() -> None:
    count, good = Counted(money=2000), Scripted(OK)
    tools = [Tool("find", "x" * 4000, {"type": "object"})]
    with pytest.raises(ModelFailed, match="spend_per_day"):
        await asked(good, count=count, price=1.0).turn(1, replace(TALK, tools=tools, most=100))
    called = Turn("model", "", [Call("c1", "find", {"words": "x" * 4000})])
    with pytest.raises(ModelFailed, match="spend_per_day"):
        await asked(good, count=count, price=1.0).turn(1, replace(TALK, turns=[*TALK.turns, called], most=100))
    with pytest.raises(ModelFailed, match="spend_per_day"):
        await asked(good, count=count, price=1.0).answer(1, replace(PROMPT, fields={"a": ("x" * 4000,)}))
    assert good.asked == 0
