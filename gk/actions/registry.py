"""The actions by name: typed input, typed output, scope, and a docstring that describes the tool.

`run` is where every door comes in, so scopes and the checks of arguments exist once.
"""

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gk import discover
from gk.actions.context import Context
from gk.errors import Refused

Run = Callable[[Context, Any], Awaitable[Any]]


class BadArguments(Refused):
    """Arguments that do not fit the action's input."""


class NotAllowed(Refused):
    """The caller's scopes do not hold the action's."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can be done; `input` is a dataclass."""

    name: str
    scope: str
    input: type
    run: Run
    doc: str


_ACTIONS: dict[str, Action] = {}


def action(name: str, *, scope: str) -> Callable[[Run], Run]:
    """Register `async def f(context, input: Input) -> Output` under a permanent name."""

    def register(run: Run) -> Run:
        kind = list(typing.get_type_hints(run).values())[1]
        _ACTIONS[name] = Action(name, scope, kind, run, inspect.getdoc(run) or "")
        return run

    return register


@functools.cache
def every() -> dict[str, Action]:
    """All actions by name."""
    for module in discover.names("gk.actions"):
        discover.module("gk.actions", module)
    return dict(sorted(_ACTIONS.items()))


async def run(name: str, arguments: Mapping[str, Any], context: Context) -> Any:
    """Do it, and return the output as plain values. Raises BadArguments, NotAllowed, and what the action raises."""
    found = every().get(name)
    if found is None:
        raise BadArguments(f"there is no action {name}")
    if not {found.scope, "admin"} & context.scopes:  # who administers may do what users may
        raise NotAllowed(f"the action {name} needs the scope {found.scope}")
    return plain(await found.run(context, bind(found.input, arguments)))


def bind(kind: type, arguments: Mapping[str, Any]) -> Any:
    """Make the input from named values, each of its field's type."""
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for name, value in arguments.items():
        if name not in fields:
            raise BadArguments(f"unknown argument {name}")
        if not _fits(hints[name], value):
            raise BadArguments(f"the argument {name} must be {getattr(hints[name], '__name__', hints[name])}")
    missing = [
        n for n, f in fields.items() if n not in arguments and f.default is f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise BadArguments(f"missing argument {', '.join(missing)}")
    return kind(**arguments)


def _fits(hint: Any, value: Any) -> bool:
    if isinstance(value, int) and abs(value) >> 63:
        return False  # more than the database counts to
    if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        return False  # no Unicode text, RFC 8259 §8.2
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return any(type(value) is (typing.get_origin(kind) or kind) for kind in kinds)  # what lists hold the action checks


def plain(value: Any) -> Any:
    """Dataclasses as dictionaries, tuples as lists: what JSON can carry."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value
