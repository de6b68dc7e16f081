"""Programs beside the server: their time, what becomes of mail without an answer, and how they count."""

import asyncio
import dataclasses

import pytest

from gk.inbound.incoming import Incoming, Message
from gk.inbound.spam import outside as module
from gk.inbound.spam.outside import NoAnswer, Opinion, Outside
from gk.inbound.spam.rule import Hit
from tests.inbound.spam.beside import LETTER, incoming


@dataclasses.dataclass
class Scripted:
    """A program that does what a test says."""

    said: Opinion | Exception | None = None  # None: nothing, for ever
    name: str = "scripted"
    seconds: float = 30.0
    closed: bool = False
    largest: int = 1 << 20
    asked: int = 0

    async def ask(self, incoming: Incoming, message: Message) -> Opinion:
        self.asked += 1
        if isinstance(self.said, Exception):
            raise self.said
        if self.said is None:
            await asyncio.Event().wait()
        assert self.said is not None
        return self.said


REFUSE = Opinion((Hit("a", 1.0, "bad"),), "refuse", "550 5.7.1 no")


async def test_all_are_asked_and_a_refusal_counts_more_than_a_deferral() -> None:
    silent = Scripted(NoAnswer("broken"), closed=True)
    said = await Outside([silent, Scripted(REFUSE), Scripted(Opinion((Hit("b", 2.0, "odd"),)))]).ask(incoming(), LETTER)
    assert (said.action, said.reply) == ("refuse", "550 5.7.1 no")
    assert [(hit.rule, hit.text) for hit in said.hits] == [
        ("scripted", "no answer: broken"),
        ("a", "bad"),
        ("b", "odd"),
    ]


@pytest.mark.parametrize("error", [NoAnswer("x"), ConnectionRefusedError(), EOFError(), TimeoutError()])
async def test_without_an_answer_mail_is_taken_or_deferred_as_the_configuration_says(error: Exception) -> None:
    assert (await Outside([Scripted(error)]).ask(incoming(), LETTER)).action == ""
    closed = await Outside([Scripted(error, closed=True)]).ask(incoming(), LETTER)
    assert (closed.action, closed.reply[:9]) == ("defer", "451 4.7.1")


async def test_nobody_is_waited_for_longer_than_their_time() -> None:
    said = await Outside([Scripted(seconds=0.01), Scripted(Opinion())]).ask(incoming(), LETTER)
    assert said.hits[0].text == "no answer: no answer in 0.01 s"


async def test_who_failed_several_times_in_a_row_is_left_alone_for_a_while() -> None:
    now = 0.0
    program = Scripted(NoAnswer("broken"))
    programs = Outside([program], lambda: now)
    for _ in range(20):
        await programs.ask(incoming(), LETTER)
    assert program.asked == module.FAILURES
    now, program.said = module.REST + 1, Opinion()
    for _ in range(20):
        assert (await programs.ask(incoming(), LETTER)).hits == ()
    assert program.asked == module.FAILURES + 20


async def test_so_many_messages_are_looked_at_at_a_time_and_no_more() -> None:
    program = Scripted()
    programs = Outside([program])
    asking = [asyncio.create_task(programs.ask(incoming(), LETTER)) for _ in range(100)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert program.asked == module.AT_ONCE
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)


async def test_large_messages_are_not_shown_and_taken_even_where_no_answer_defers() -> None:
    program = Scripted(REFUSE, closed=True, largest=10)
    said = await Outside([program]).ask(incoming(), LETTER)
    assert (said.action, program.asked) == ("", 0) and "too large" in said.hits[0].text
