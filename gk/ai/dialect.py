"""How the servers that speak as OpenAI's differ, and what one of them was found to understand.

The form of an answer is told by json_schema (OpenAI, vLLM, Mistral, Ollama), by json_object with a schema
(llama-cpp-python), or in words. Some know max_completion_tokens in place of max_tokens, take no temperature, do not
count tokens of a stream, or have no tools. What a server refuses is not tried again.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gk.ai.model import ModelFailed, Prompt, Talk, Tool, Turn

TEMPERATURE = 0.3
REFUSES = (400, 404, 415, 422, 500, 501)  # what servers say to a parameter they do not know
FORM = ("format", "schema", "json", "grammar")  # a word of these is in their reasons, if it is the form
READ = 4096  # octets of a refusal in which its reason is looked for

Form = Callable[[Prompt], dict[str, Any]]


def _by_schema(prompt: Prompt) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": prompt.schema()}}


def _by_object(prompt: Prompt) -> dict[str, Any]:
    return {"type": "json_object", "schema": prompt.schema()}


FORMS: tuple[Form | None, ...] = (_by_schema, _by_object, None)


class Dialect:
    """What one server takes; `model` is the name it knows the model by."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._form = 0  # of FORMS, the first that was not refused
        self._bound = "max_tokens"
        self._temperature = True
        self._counting = True
        self.tools = True

    @contextmanager
    def kept_where_it_helps(self) -> Iterator[None]:
        """What is learnt inside is forgotten if no answer comes of it: the refusal was about the question itself.

        A mail too long for a model must not cost it its schemas and tools for good.
        """
        known = self._form, self._bound, self._temperature, self._counting, self.tools
        try:
            yield
        except ModelFailed:
            self._form, self._bound, self._temperature, self._counting, self.tools = known
            raise

    def asking(self, prompt: Prompt) -> dict[str, Any]:
        """The body of a call for typed fields."""
        form = FORMS[self._form]
        task = prompt.task
        if form is None:
            task += f"\nAnswer with one JSON object and nothing else. Its schema: {json.dumps(prompt.schema())}"
        messages = [{"role": "system", "content": task}, {"role": "user", "content": prompt.text}]
        more = {} if form is None else {"response_format": form(prompt)}
        return self._body(messages, prompt.most) | {"stream": False} | more

    def talking(self, talk: Talk) -> dict[str, Any]:
        """The body of a call for a turn of a conversation, as a stream."""
        messages = [{"role": "system", "content": talk.task}, *map(_message, talk.turns)]
        body = self._body(messages, talk.most) | {"stream": True}
        if self._counting:
            body["stream_options"] = {"include_usage": True}
        if talk.tools:
            body["tools"] = [_tool(tool) for tool in talk.tools]
        return body

    def _body(self, messages: list[dict[str, Any]], most: int) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self._model, "messages": messages, self._bound: most}
        if self._temperature:
            body["temperature"] = TEMPERATURE
        return body

    def learn(self, status: int, refusal: bytes, body: Mapping[str, Any]) -> bool:
        """Whether the refusal of `body` taught something, so that it can be asked in another way.

        A fault of the server (5xx) teaches only what it names: it may have nothing to do with the question. What
        `body` asked in another way than is asked by now, as another call learnt meanwhile, teaches nothing new.
        """
        if status not in REFUSES:
            return False
        words = refusal[:READ].decode("utf-8", "replace").lower()
        vague = status < 500
        if "max_tokens" in body and "max_completion_tokens" in words:
            self._bound = "max_completion_tokens"
        elif "temperature" in body and "temperature" in words:
            self._temperature = False
        elif "stream_options" in body and ("stream_options" in words or (vague and "tool" not in words)):
            self._counting = False
        elif "tools" in body and (vague or "tool" in words):
            self.tools = False
        elif "response_format" in body and (vague or any(word in words for word in FORM)):
            self._form = max(self._form, _form(body) + 1)
        else:
            return False
        return True


def _form(body: Mapping[str, Any]) -> int:
    """Which of FORMS it asked for."""
    return 0 if body["response_format"]["type"] == "json_schema" else 1


def _message(turn: Turn) -> dict[str, Any]:
    if turn.who == "user":
        return {"role": "user", "content": turn.text}
    if turn.who == "tool":
        return {"role": "tool", "tool_call_id": turn.id, "content": turn.text}
    said: dict[str, Any] = {"role": "assistant", "content": turn.text}
    if turn.calls:
        said["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for call in turn.calls
        ]
    return said


def _tool(tool: Tool) -> dict[str, Any]:
    return {"type": "function", "function": {"name": tool.name, "description": tool.doc, "parameters": tool.schema}}
