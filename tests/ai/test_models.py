"""Models that obey, refuse, lie, stall and never end: an answer is checked, or there is none."""

import asyncio
import json
from typing import Any

import pytest

from gk.ai.engine_http import HttpModel
from gk.ai.model import Answer, ModelFailed, Prompt
from gk.ai.models import CLOSED, FAILURES, Models
from gk.config import AiModel
from tests.ai.endpoint import Endpoint, Play, Write, answers, endpoint, http, said

PROMPT = Prompt("Summarise.", "The roof leaks.", {"summary": "string", "urgent": "boolean", "sure": "number"})
GOOD = {"summary": "It leaks.", "urgent": True, "sure": 0.5}


def model(opened: Endpoint, **more: Any) -> HttpModel:
    return HttpModel(AiModel(url=opened.url, model="small", **{"seconds": 20, **more}), key="k3y")


async def test_an_answer_is_typed_fields() -> None:
    async with endpoint(answers(200, said(GOOD))) as opened:
        assert await model(opened).answer(PROMPT) == Answer(GOOD, "small", 42)
        (asked,) = opened.asked
        assert asked["messages"] == [
            {"role": "system", "content": "Summarise."}, {"role": "user", "content": "The roof leaks."}
        ]  # fmt: skip
        assert asked["response_format"]["json_schema"]["schema"]["required"] == ["summary", "urgent", "sure"]
        assert "tools" not in asked and asked["temperature"] == 0.3
        assert "authorization: bearer k3y" in opened.headers[0].lower()


async def test_each_server_is_told_the_form_as_it_understands_it() -> None:
    async def by_object(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
        form = asked.get("response_format", {}).get("type")
        await write(http(200, said(GOOD)) if form == "json_object" else http(500, b"json_schema is unknown"))

    async def in_words(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
        wanted = "response_format" not in asked and "JSON object" in asked["messages"][0]["content"]
        await write(http(200, said(f"```json\n{json.dumps(GOOD)}\n```")) if wanted else http(400, b"no such parameter"))

    for play, tries in ((by_object, 2), (in_words, 3)):
        async with endpoint(play) as opened:
            asked = model(opened)
            assert (await asked.answer(PROMPT)).fields == GOOD
            assert (await asked.answer(PROMPT)).fields == GOOD
            assert len(opened.asked) == tries + 1, "what was refused once is not tried again"


def saying(content: Any, **more: Any) -> Play:
    return answers(200, said(content, **more))


async def _endless(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
    await write(b"HTTP/1.1 200 x\r\nContent-Type: text/event-stream\r\n\r\n")
    while True:
        await write(b"data: " + b"x" * 65536 + b"\n\n")


async def _silent(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
    await opened.over.wait()


async def _dribbles(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
    await write(b"HTTP/1.1 200 x\r\nContent-Length: 100000\r\n\r\n")
    while not opened.over.is_set():
        await write(b" ")
        await asyncio.sleep(0.05)


async def _closes(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
    await write(b"HTTP/1.1 200 x\r\nContent-Length: 100\r\n\r\n{")


BAD: dict[str, tuple[Play, str]] = {
    "silence": (_silent, "in time"),
    "a byte at a time": (_dribbles, "in time"),
    "an endless stream": (_endless, "longer than"),
    "ten megabytes": (answers(200, b" " * (10 << 20)), "longer than"),
    "the end in the middle": (_closes, "cannot be reached"),
    "401": (answers(401, b"{}"), "it says 401"),
    "429": (answers(429, b"{}"), "it says 429"),
    "529": (answers(529, b"{}"), "it says 529"),
    "a redirection": (answers(302, b"", Location="http://127.0.0.1:1/"), "it says 302"),
    "no JSON": (answers(200, b"<html>"), "not in the form"),
    "another shape": (answers(200, b'{"choices": []}'), "not in the form"),
    "a list": (answers(200, b"[1]"), "not in the form"),
    "deep JSON": (answers(200, b"[" * 100_000), "not in the form"),
    "no text": (answers(200, b'{"choices": [{"message": {"content": null}}]}'), "no text"),
    "words": (saying("I cannot do that."), "no JSON"),
    "empty": (saying(""), "no JSON"),
    "a field less": (saying({"summary": "x"}), "other fields"),
    "a field more": (saying(GOOD | {"to": "eve@evil.test"}), "other fields"),
    "a wrong type": (saying(GOOD | {"urgent": "yes"}), "neither true nor false"),
    "a number that is none": (saying(GOOD | {"sure": True}), "no number"),
    "an endless number": (saying('{"summary": "x", "urgent": true, "sure": Infinity}'), "no number"),
    "NUL": (saying(GOOD | {"summary": "a\0b"}), "no readable text"),
    "header fields": (saying(GOOD | {"summary": "ok\r\nBcc: x@evil.test"}), "no readable text"),
    "a very long text": (saying(GOOD | {"summary": "x" * 10_000}), "no readable text"),
    "tools": (saying(GOOD, tool_calls=[{"function": {"name": "send", "arguments": "{}"}}]), "tools"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_answer_is_none(name: str) -> None:
    play, why = BAD[name]
    async with endpoint(play) as opened:
        with pytest.raises(ModelFailed, match=why):
            await model(opened, seconds=1).answer(PROMPT)


async def test_nobody_there_is_a_failure() -> None:
    with pytest.raises(ModelFailed, match="cannot be reached") as failed:
        await HttpModel(AiModel(url="http://127.0.0.1:1/v1", model="x")).answer(PROMPT)
    assert failed.value.passing


# --- several of them --------------------------------------------------------------------------------------------------


class Scripted:
    """A model in this process: what it says, one after the other; the last goes on."""

    def __init__(self, *script: Answer | ModelFailed, remote: bool = False) -> None:
        self.name, self.remote, self.script, self.asked = "scripted", remote, list(script), 0
        self.texts: list[str] = []

    async def answer(self, prompt: Prompt) -> Answer:
        self.asked += 1
        self.texts.append(prompt.text)
        found = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(found, ModelFailed):
            raise found
        return found


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


OK, BROKEN, PASSING = Answer(GOOD, "m", 7), ModelFailed("broken"), ModelFailed("busy", passing=True)


class Counted:
    """Counts calls and tokens, up to so many."""

    def __init__(self, most: int = 1000) -> None:
        self.most, self.calls, self.tokens = most, 0, 0

    async def __call__(self, account: int, calls: int, tokens: int) -> bool:
        if calls and self.calls + calls > self.most:
            return False
        self.calls += calls
        self.tokens += tokens
        return True


async def _at_once(seconds: float) -> None:
    """Nobody waits in these tests."""


def asked(*models: Scripted, count: Counted | None = None, clock: Clock | None = None) -> Models:
    return Models(models, count or Counted(), clock or Clock(), _at_once)


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
    assert await models.answer(1, PROMPT) == OK


async def test_a_user_makes_no_more_calls_than_a_day_allows() -> None:
    good = Scripted(OK)
    models = asked(good, count=Counted(2))
    await models.answer(1, PROMPT)
    await models.answer(1, PROMPT)
    with pytest.raises(ModelFailed, match="calls_per_day"):
        await models.answer(1, PROMPT)
    assert good.asked == 2


async def test_secrets_stay_here_when_the_model_is_elsewhere() -> None:
    text = Prompt("x", "card 4111 1111 1111 1111, password: hunter2", {"a": "string"})
    near, far = Scripted(OK), Scripted(OK, remote=True)
    await asked(near).answer(1, text)
    await asked(far).answer(1, text)
    assert "4111" in near.texts[0]
    assert far.texts == ["card [card], password: [secret]"]


async def test_without_a_model_there_is_no_answer() -> None:
    models = asked()
    assert not models
    with pytest.raises(ModelFailed, match="no model"):
        await models.answer(1, PROMPT)


def test_a_model_on_this_machine_is_not_remote() -> None:
    for url, remote in (
        ("http://127.0.0.1:1/v1", False),
        ("http://[::1]:1/v1", False),
        ("https://api.x.test/v1", True),
    ):
        assert HttpModel(AiModel(url=url, model="x")).remote == remote
