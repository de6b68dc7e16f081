"""Turns of a conversation over HTTP: text in pieces, calls of tools, and the dialects of servers."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gk.ai.engine_http import HttpModel
from gk.ai.model import Call, ModelFailed, Prompt, Talk, Tokens, Tool, Turn
from gk.ai.streamed import Streamed
from gk.config import AiModel
from tests.ai.endpoint import Endpoint, Play, Write, answers, endpoint, http, said, streamed

FIND = Tool("find", "Find mail.", {"type": "object", "properties": {"words": {"type": "string"}}})
TALK = Talk("Help with mail.", [Turn("user", "Where is the invoice?")], [FIND])


def model(opened: Endpoint, **more: Any) -> HttpModel:
    return HttpModel(AiModel(url=opened.url, model="small", **{"seconds": 20, **more}))


def calling(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"tool_calls": list(calls)}


def call(arguments: Any = '{"words": "invoice"}', **more: Any) -> dict[str, Any]:
    return {"id": "c1", "type": "function", "function": {"name": "find", "arguments": arguments}} | more


async def test_a_turn_is_heard_as_it_comes() -> None:
    heard: list[str] = []
    async with endpoint(
        streamed({"role": "assistant", "content": ""}, {"content": "It "}, {"content": "is là."})
    ) as opened:
        spoken = await model(opened).turn(TALK, heard.append)
    assert heard == ["It ", "is là."]
    assert spoken.turn == Turn("model", "It is là.", []) and spoken.tokens == Tokens(30, 12)
    (asked,) = opened.asked
    assert asked["stream"] and asked["stream_options"] == {"include_usage": True}
    assert asked["tools"][0]["function"]["name"] == "find"


CALLS: dict[str, tuple[Any, ...]] = {
    "in parts": (
        calling(call("", index=0)), calling({"index": 0, "function": {"arguments": '{"words": '}}),
        calling({"index": 0, "function": {"arguments": '"invoice"}'}}),
    ),
    "whole, without an index": (calling(call()),),
    "as an object": (calling(call({"words": "invoice"}, index=0)),),
    "beside text in parts": ({"content": [{"type": "text", "text": "I look."}]}, calling(call(index=0))),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_of_a_tool_is_read_however_it_comes(name: str) -> None:
    async with endpoint(streamed(*CALLS[name])) as opened:
        spoken = await model(opened).turn(TALK, lambda text: None)
    assert spoken.turn.calls == [Call("c1", "find", {"words": "invoice"})]


async def test_what_a_tool_said_goes_back_under_the_calls_name() -> None:
    turns = [*TALK.turns, Turn("model", "", [Call("c1", "find", {"words": "x"})]), Turn("tool", "G12", id="c1")]
    async with endpoint(streamed({"content": "Found."})) as opened:
        await model(opened).turn(Talk("Help.", turns, [FIND]), lambda text: None)
    _, _, calls, result = opened.asked[0]["messages"]
    assert calls["tool_calls"][0]["function"] == {"name": "find", "arguments": '{"words": "x"}'}
    assert result == {"role": "tool", "tool_call_id": "c1", "content": "G12"}


def refusing(reason: bytes, status: int, *names: str) -> Play:
    """A server that knows none of these parameters."""

    async def play(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
        if any(name in asked for name in names):
            await write(http(status, reason))
        elif asked["stream"]:
            await streamed({"content": "Good."})(opened, asked, write)
        else:
            await write(http(200, said({"tool": "find", "arguments": '{"words": "invoice"}', "text": ""})))

    return play


DIALECTS = {
    "newer OpenAI": (refusing(b"use 'max_completion_tokens' instead", 400, "max_tokens"), "Good."),
    "a reasoning model": (refusing(b"temperature is not supported", 400, "temperature"), "Good."),
    "no count of tokens": (refusing(b"extra fields not permitted", 422, "stream_options"), "Good."),
    "llama.cpp without templates": (refusing(b"tools param requires --jinja flag", 500, "tools"), ""),
    "vLLM without tools": (refusing(b'"auto" tool choice requires --enable-auto-tool-choice', 400, "tools"), ""),
    "a very old server": (refusing(b"what?", 400, "tools", "stream_options", "response_format"), ""),
}


@pytest.mark.parametrize("name", DIALECTS)
async def test_what_a_server_does_not_know_is_said_otherwise_and_remembered(name: str) -> None:
    play, text = DIALECTS[name]
    async with endpoint(play) as opened:
        asked = model(opened)
        first = await asked.turn(TALK, lambda text: None)
        before = len(opened.asked)
        again = await asked.turn(TALK, lambda text: None)
    assert first.turn.text == again.turn.text == text
    assert len(opened.asked) == before + 1, "what was refused once is not tried again"
    if not text:
        assert [(one.name, one.arguments) for one in again.turn.calls] == [("find", {"words": "invoice"})]


async def test_calls_refused_at_the_same_time_teach_it_once() -> None:
    """Both were asked before either was refused; the server has no schemas, and takes plain objects."""
    waiting = asyncio.Event()

    async def play(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
        form = asked.get("response_format", {}).get("type")
        if form == "json_schema":
            if len(opened.asked) == 3:
                waiting.set()
            await waiting.wait()
            await write(http(400, b"what?"))
        else:
            await write(http(200, said({"summary": form})))

    prompt = Prompt("Summarise.", "x", {"summary": "string"})
    async with endpoint(play) as opened:
        asked = model(opened)
        found = await asyncio.gather(*(asked.answer(prompt) for _ in range(3)))
        found.append(await asked.answer(prompt))
    assert [one.fields["summary"] for one in found] == ["json_object"] * 4


async def test_a_question_that_is_refused_however_it_is_asked_teaches_nothing() -> None:
    prompt = Prompt("Summarise.", "x" * 1000, {"summary": "string"})
    async with endpoint(answers(400, b"this model's maximum context length is 100 tokens")) as opened:
        asked = model(opened)
        with pytest.raises(ModelFailed, match="400"):
            await asked.turn(TALK, lambda text: None)
        with pytest.raises(ModelFailed, match="400"):
            await asked.answer(prompt)
        opened.play = answers(200, said({"summary": "short"}))
        await asked.answer(prompt)
        assert opened.asked[-1]["response_format"]["type"] == "json_schema"
        opened.play = streamed({"content": "Good."})
        await asked.turn(TALK, lambda text: None)
        assert "tools" in opened.asked[-1] and "stream_options" in opened.asked[-1]


async def test_a_connection_left_open_behind_the_end_holds_nobody_up() -> None:
    async def stays(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
        await streamed({"content": "Good."})(opened, asked, write)
        await opened.over.wait()

    async with endpoint(stays) as opened:
        spoken = await model(opened).turn(TALK, lambda text: None)
    assert spoken.turn.text == "Good." and spoken.tokens == Tokens(30, 12)


async def test_a_fault_of_the_server_teaches_nothing() -> None:
    async with endpoint(answers(500, b"out of memory")) as opened:
        asked = model(opened)
        for _ in range(2):
            with pytest.raises(ModelFailed, match="it says 500") as failed:
                await asked.turn(TALK, lambda text: None)
            assert failed.value.passing
        opened.play = streamed({"content": "Good."})
        await asked.turn(TALK, lambda text: None)
        assert "tools" in opened.asked[-1] and "stream_options" in opened.asked[-1]


LONG = b"data: " + b"x" * (80 << 10) + b"\n\n"
BAD: dict[str, tuple[Play, str]] = {
    "it breaks off": (streamed({"content": "It is"}, over=False), "broke off"),
    "nothing": (streamed(), "no text"),
    "no JSON": (streamed(b"data: {{\n\n"), "not in the form"),
    "a list": (streamed(b"data: [1]\n\n"), "not in the form"),
    "an error in the middle": (streamed({"content": "It"}, b'data: {"error": {"code": 1}}\n\n'), "failed in the"),
    "a long event": (streamed(LONG), "longer than"),
    "a line without end": (streamed(b"data: " + b"x" * (80 << 10)), "longer than"),
    "an endless text": (streamed(*[{"content": "x" * 4000}] * 20), "longer than"),
    "control characters": (streamed({"content": "ok\x1b[2J"}), "no readable text"),
    "a tool nobody gave": (streamed(calling(call(function={"name": "send", "arguments": "{}"}))), "was not given"),
    "arguments that are none": (streamed(calling(call('["x"]'))), "no object"),
    "arguments in words": (streamed(calling(call("the invoice"))), "no JSON"),
    "endless arguments": (streamed(*[calling(call("x" * 4000, index=0))] * 20), "longer than"),
    "many calls": (streamed(*[calling(call())] * 20), "more than 16"),
    "401": (answers(401, b"{}"), "it says 401"),
    "a redirection": (answers(307, b"", Location="http://127.0.0.1:1/"), "it says 307"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_turn_is_none(name: str) -> None:
    play, why = BAD[name]
    async with endpoint(play) as opened:
        with pytest.raises(ModelFailed, match=why):
            await model(opened, seconds=5).turn(TALK, lambda text: None)


async def test_a_stream_that_stalls_ends_in_time() -> None:
    async def stalls(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
        await write(b"HTTP/1.1 200 x\r\n\r\ndata: ")
        await opened.over.wait()

    async with endpoint(stalls) as opened:
        with pytest.raises(ModelFailed, match="in time"):
            await model(opened, seconds=1).turn(TALK, lambda text: None)


async def test_who_gives_up_closes_the_stream() -> None:
    said, left = asyncio.Event(), asyncio.Event()

    async def goes_on(opened: Endpoint, asked: dict[str, Any], write: Write) -> None:
        await write(b"HTTP/1.1 200 x\r\n\r\n")
        try:
            while True:
                await write(b'data: {"choices": [{"delta": {"content": "and "}}]}\n\n')
                await asyncio.sleep(0)
        except OSError:
            left.set()
            raise

    async with endpoint(goes_on) as opened:
        turn = asyncio.create_task(model(opened).turn(TALK, lambda text: said.set()))
        await said.wait()
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        async with asyncio.timeout(30):
            await left.wait()


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_stream_raises_anything_else(pieces: list[bytes]) -> None:
    heard = Streamed(lambda text: None)
    try:
        for piece in pieces:
            heard.feed(b"data: " + piece + b"\n")
        heard.turn([FIND])
    except ModelFailed:
        pass


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "content", "tool_calls", "function", "name", "arguments", "usage", "index"]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(st.lists(values, max_size=4))
def test_no_chunk_raises_anything_else(chunks: list[Any]) -> None:
    heard = Streamed(lambda text: None)
    try:
        for chunk in chunks:
            heard.feed(b"data: " + json.dumps(chunk).encode() + b"\n")
    except ModelFailed:
        pass


async def test_a_probe_asks_for_the_models_and_nothing_else() -> None:
    for body, fine in (
        (b'{"data": [{"id": "small:latest"}, {"id": "other"}]}', True),
        (b"not a list", True),
        (b'{"data": [{"id": "other"}]}', False),
    ):
        async with endpoint(answers(200, body)) as opened:
            try:
                await model(opened).probe()
            except ModelFailed as error:
                assert not fine and "does not know the model small" in str(error)
            else:
                assert fine
            assert opened.headers[0].startswith("GET /v1/models ")
    async with endpoint(answers(401, b"{}")) as opened:
        with pytest.raises(ModelFailed, match="the key is not believed"):
            await model(opened).probe()
    with pytest.raises(ModelFailed, match="cannot be reached"):
        await HttpModel(AiModel(url="http://127.0.0.1:1/v1", model="x")).probe()
