"""What a language model is to GK: it answers one prompt with typed fields, or takes a turn of a conversation, or fails.

The two are never mixed: who reads strangers' text (`answer`) has no tools, and who has tools (`turn`) reads none of it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from gk.errors import Unavailable

Type = Literal["string", "boolean", "number"] | tuple[str, ...]
"""Of a field of an answer; a tuple: one of these words."""

LONGEST = 8000  # characters of one field
CALLS = 16  # tools called in one turn


class ModelFailed(Unavailable):
    """No model gave an answer that can be used; the message says why."""

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        """`passing`: the same call may succeed at once."""
        super().__init__(reason)
        self.passing = passing


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question: what the model is to do, the text it is about, and the fields its answer has, with their types.

    `keep`: the same may be asked again, and its answer is worth remembering.
    """

    task: str
    text: str
    fields: Mapping[str, Type]
    most: int = 500  # tokens of the answer
    keep: bool = True

    @property
    def length(self) -> int:
        """Characters of all that is asked."""
        return len(self.task) + len(self.text) + len(json.dumps(self.schema()))

    def schema(self) -> dict[str, Any]:
        """The fields as a JSON schema."""
        properties = {
            name: {"type": "string", "enum": list(kind)} if isinstance(kind, tuple) else {"type": kind}
            for name, kind in self.fields.items()
        }
        return {
            "type": "object", "properties": properties, "required": list(self.fields), "additionalProperties": False
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a call took, as the server counted it: of the question and of the answer; 0 where it does not say."""

    asked: int = 0
    said: int = 0

    @property
    def all(self) -> int:
        return self.asked + self.said


@dataclass(frozen=True, slots=True)
class Answer:
    """The fields, all of them and no others; and the model that gave them. `kept`: they were remembered."""

    fields: Mapping[str, str | bool | float]
    model: str
    tokens: Tokens = field(default_factory=Tokens)
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """Something a model may call: `schema` is the JSON schema of its arguments, an object."""

    name: str
    doc: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool a model called; `id` is the model's own name of the call."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of a conversation. Of the model: its text and the calls; of a tool: what came of the call `id`."""

    who: Literal["user", "model", "tool"]
    text: str
    calls: Sequence[Call] = ()
    id: str = ""


@dataclass(frozen=True, slots=True)
class Talk:
    """What a model takes its turn in: what it is to do, what was said so far, and the tools it may call."""

    task: str
    turns: Sequence[Turn]
    tools: Sequence[Tool] = ()
    most: int = 1500  # tokens of the turn

    @property
    def length(self) -> int:
        """Characters of all that is said to the model, tools and the arguments of calls among them."""
        said = sum(len(turn.text) + sum(len(str(call.arguments)) for call in turn.calls) for turn in self.turns)
        tools = sum(len(tool.doc) + len(json.dumps(tool.schema)) for tool in self.tools)
        return len(self.task) + said + tools


@dataclass(frozen=True, slots=True)
class Spoken:
    """The model's turn."""

    turn: Turn
    model: str
    tokens: Tokens = field(default_factory=Tokens)


Hear = Callable[[str], None]
"""Gets each piece of a text as it comes."""


class Model(Protocol):
    """An engine."""

    @property
    def name(self) -> str: ...

    @property
    def remote(self) -> bool:
        """Whether what it is given leaves this machine."""
        ...

    async def probe(self) -> None:
        """Whether it could answer, without asking it anything. Raises ModelFailed."""
        ...

    async def answer(self, prompt: Prompt) -> Answer:
        """Raises ModelFailed."""
        ...

    async def turn(self, talk: Talk, hear: Hear) -> Spoken:
        """The next turn; its text is also told piece by piece. Raises ModelFailed."""
        ...


def checked(found: Any, prompt: Prompt) -> Mapping[str, str | bool | float]:
    """The fields of an answer, if it is one to the prompt. Raises ModelFailed."""
    if not isinstance(found, dict) or set(found) != set(prompt.fields):
        raise ModelFailed("the answer has other fields than were asked for")
    for name, kind in prompt.fields.items():
        value = found[name]
        if isinstance(kind, tuple):
            if value not in kind:
                raise ModelFailed(f"«{name}» is none of the words to choose from")
        elif kind == "string":
            if not isinstance(value, str) or len(value) > LONGEST or not readable(value):
                raise ModelFailed(f"«{name}» is no readable text")
        elif kind == "boolean":
            if not isinstance(value, bool):
                raise ModelFailed(f"«{name}» is neither true nor false")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
            raise ModelFailed(f"«{name}» is no number")
    return found


def readable(text: str) -> bool:
    """Whether it is made of characters and line ends: nothing that ends a field elsewhere."""
    return all(c.isprintable() or c in "\n\t" for c in text)
