"""A turn of a model as it comes in pieces: server-sent events (WHATWG HTML §9.2), each a part of OpenAI's chunks.

Pieces of text go on at once, calls of tools are gathered. Servers send a call whole or in parts, with an index or
without, name its end by finish_reason or by `[DONE]` alone, and count tokens in a chunk that has no choices.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from gk.ai.model import CALLS, LONGEST, Call, Hear, ModelFailed, Tokens, Tool, Turn, readable

LINE = 64 << 10  # octets of one event
TEXT = 4 * LONGEST  # characters of a turn
ARGUMENTS = 32 << 10  # characters of one call's arguments


class Streamed:
    """What has come so far of a turn."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._rest = b""
        self._text: list[str] = []
        self._length = 0
        self._calls: dict[int, _Part] = {}
        self._tokens = Tokens()
        self.over = self.ended = False
        """It is known how the turn ends; and nothing comes any more, whenever the connection is closed."""

    def feed(self, data: bytes) -> None:
        """The next octets of the body. Raises ModelFailed."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE or any(len(line) > LINE for line in lines):
            raise ModelFailed(f"a piece of its answer is longer than {LINE} bytes")
        for line in lines:
            if line.startswith(b"data:"):
                self._event(line[5:].strip())

    def _event(self, data: bytes) -> None:
        if data == b"[DONE]":
            self.over = self.ended = True
            return
        try:
            found = json.loads(data)
            used = tokens(found.get("usage"))
            choice = (found.get("choices") or [{}])[0]
            delta = choice.get("delta") or {}
            text, calls = delta.get("content"), delta.get("tool_calls") or []
            if "error" in found:
                raise ModelFailed("it failed in the middle of its answer")
            if used.all:
                self._tokens = used
            self._say(pieces(text))
            for call in calls:
                self._call(call)
            self.over = self.over or bool(choice.get("finish_reason"))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            raise ModelFailed("a piece of its answer is not in the form of one") from None

    def _say(self, text: str) -> None:
        if not text:
            return
        self._length += len(text)
        if self._length > TEXT:
            raise ModelFailed(f"the answer is longer than {TEXT} characters")
        if not readable(text):
            raise ModelFailed("the answer is no readable text")
        self._text.append(text)
        self._hear(text)

    def _call(self, given: Mapping[str, Any]) -> None:
        function = given.get("function") or {}
        index = given.get("index")
        if type(index) is not int:  # whole calls, one after the other
            index = len(self._calls)
        part = self._calls.setdefault(index, _Part())
        if len(self._calls) > CALLS:
            raise ModelFailed(f"it calls more than {CALLS} tools at once")
        part.id = part.id or str(given.get("id") or "")[:64]
        part.name = part.name or str(function.get("name") or "")[:64]
        arguments = function.get("arguments")
        part.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""
        if len(part.arguments) > ARGUMENTS:
            raise ModelFailed(f"the arguments of a tool are longer than {ARGUMENTS} characters")

    def turn(self, tools: Sequence[Tool]) -> tuple[Turn, Tokens]:
        """The turn, once all has come. Raises ModelFailed where it broke off or calls what it was not given."""
        if not self.over:
            raise ModelFailed("its answer broke off", passing=True)
        text = "".join(self._text)
        calls = [called(part.id, part.name, part.arguments, tools) for _, part in sorted(self._calls.items())]
        if not text and not calls:
            raise ModelFailed("the answer has no text")
        return Turn("model", text, calls), self._tokens


class _Part:
    """A call as far as it has come."""

    def __init__(self) -> None:
        self.id = self.name = self.arguments = ""


def called(id: str, name: str, arguments: str, tools: Sequence[Tool]) -> Call:
    """A call of one of the tools, its arguments read. Raises ModelFailed."""
    if name not in {tool.name for tool in tools}:
        raise ModelFailed("it calls a tool that it was not given")
    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        raise ModelFailed("the arguments of a tool are no JSON") from None
    if not isinstance(given, dict):
        raise ModelFailed("the arguments of a tool are no object")
    return Call(id or secrets.token_hex(4) + "x", name, given)  # Mistral: nine letters and digits


def pieces(content: Any) -> str:
    """The text of a message's content: a string, or a list of parts (Mistral). Raises TypeError."""
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(str(part["text"]) for part in content if part.get("type") == "text")
    if not isinstance(content, str):
        raise TypeError("no text")
    return content


def tokens(used: Any) -> Tokens:
    """The count of a server: of question and answer, or of both in one."""
    if not isinstance(used, dict):
        return Tokens()
    asked, said, both = (_count(used.get(name)) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    return Tokens(asked, said or max(0, both - asked))


def _count(value: Any) -> int:
    return min(value, 1 << 31) if type(value) is int and value > 0 else 0
