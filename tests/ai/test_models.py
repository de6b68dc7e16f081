"""Models that obey, refuse, lie, stall and never end: an answer is checked, or there is none."""

import json
from typing import Any

import pytest

from gk.ai.engine_http import HttpModel
from gk.ai.model import Answer, ModelFailed, Prompt, Tokens
from gk.config import AiModel
from tests.ai.endpoint import Endpoint, Play, Write, answers, closes, dribbles, endless, endpoint, http, said, silent

PROMPT = Prompt("Summarise.", "The roof leaks.", {"summary": "string", "urgent": "boolean", "sure": "number"})
GOOD = {"summary": "It leaks.", "urgent": True, "sure": 0.5}


def model(opened: Endpoint, **more: Any) -> HttpModel:
    return HttpModel(AiModel(url=opened.url, model="small", **{"seconds": 20, **more}), key="k3y")


async def test_an_answer_is_typed_fields() -> None:
    async with endpoint(answers(200, said(GOOD))) as opened:
        assert await model(opened).answer(PROMPT) == Answer(GOOD, "small", Tokens(0, 42))
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


BAD: dict[str, tuple[Play, str]] = {
    "silence": (silent, "in time"),
    "a byte at a time": (dribbles, "in time"),
    "an endless stream": (endless, "longer than"),
    "ten megabytes": (answers(200, b" " * (10 << 20)), "longer than"),
    "the end in the middle": (closes, "cannot be reached"),
    "401": (answers(401, b"{}"), "it says 401"),
    "429": (answers(429, b"{}"), "it says 429"),
    "529": (answers(529, b"{}"), "it says 529"),
    "a redirection": (answers(302, b"", Location="http://127.0.0.1:1/"), "it says 302"),
    "no JSON": (answers(200, b"<html>"), "not in the form"),
    "another shape": (answers(200, b'{"choices": []}'), "not in the form"),
    "a list": (answers(200, b"[1]"), "not in the form"),
    "deep JSON": (answers(200, b"[" * 100_000), "not in the form"),
    "no text": (answers(200, b'{"choices": [{"message": {"content": null}}]}'), "no text"),
    "no text at all": (answers(200, b'{"choices": [{"message": {"content": 7}}]}'), "not in the form"),
    "words": (saying("I cannot do that."), "no JSON"),
    "empty": (saying(""), "no text"),
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


def test_a_model_on_this_machine_is_not_remote() -> None:
    for url, remote in (
        ("http://127.0.0.1:1/v1", False),
        ("http://[::1]:1/v1", False),
        ("https://api.x.test/v1", True),
    ):
        assert HttpModel(AiModel(url=url, model="x")).remote == remote
