"""What a language model is to GK: given a text of its own and a text of strangers, it returns typed fields, or fails.

It has no tools, and what it says goes nowhere but where it was asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gk.errors import Unavailable

Type = Literal["string", "boolean", "number"]

LONGEST = 8000  # characters of one field


class ModelFailed(Unavailable):
    """No model gave an answer that can be used; the message says why."""

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        """`passing`: the same call may succeed at once."""
        super().__init__(reason)
        self.passing = passing


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question: what the model is to do, the text it is about, and the fields its answer has, with their types."""

    task: str
    text: str
    fields: Mapping[str, Type]
    most: int = 500  # tokens of the answer

    def schema(self) -> dict[str, Any]:
        """The fields as a JSON schema."""
        properties = {name: {"type": kind} for name, kind in self.fields.items()}
        return {
            "type": "object", "properties": properties, "required": list(self.fields), "additionalProperties": False
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """The fields, all of them and no others; the model that gave them, and the tokens it counted (0: unknown)."""

    fields: Mapping[str, str | bool | float]
    model: str
    tokens: int = 0


class Model(Protocol):
    """An engine."""

    @property
    def name(self) -> str: ...

    @property
    def remote(self) -> bool:
        """Whether what it is given leaves this machine."""
        ...

    async def answer(self, prompt: Prompt) -> Answer:
        """Raises ModelFailed."""
        ...


def checked(found: Any, prompt: Prompt) -> Mapping[str, str | bool | float]:
    """The fields of an answer, if it is one to the prompt. Raises ModelFailed."""
    if not isinstance(found, dict) or set(found) != set(prompt.fields):
        raise ModelFailed("the answer has other fields than were asked for")
    for name, kind in prompt.fields.items():
        value = found[name]
        if kind == "string":
            if not isinstance(value, str) or len(value) > LONGEST or not _readable(value):
                raise ModelFailed(f"«{name}» is no readable text")
        elif kind == "boolean":
            if not isinstance(value, bool):
                raise ModelFailed(f"«{name}» is neither true nor false")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
            raise ModelFailed(f"«{name}» is no number")
    return found


def _readable(text: str) -> bool:
    """Whether it is made of characters and line ends: nothing that ends a field elsewhere."""
    return all(c.isprintable() or c in "\n\t" for c in text)
