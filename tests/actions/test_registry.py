"""The actions: what each one is to a program, and the checks that every call passes."""

import dataclasses
import typing
from pathlib import Path

import pytest

from gk import app
from gk.actions import registry
from gk.actions.context import Context
from gk.actions.registry import BadArguments, NotAllowed, bind, plain
from gk.config import Config, Limits

NAMES = [
    "app_password_add", "app_password_list", "app_password_remove", "queue_hold", "queue_list", "queue_release",
    "queue_remove", "queue_retry", "queue_show", "queue_trace", "status", "user_add", "user_exists", "user_hide",
    "user_list", "user_passwd", "user_quota", "user_remove", "verify",
]  # fmt: skip


def test_names_are_permanent() -> None:
    assert set(NAMES) <= set(registry.every())


@pytest.mark.parametrize("name", NAMES)
def test_every_action_describes_itself(name: str) -> None:
    found = registry.every()[name]
    assert found.doc[0].isupper() and found.doc.rstrip().endswith(".")
    assert found.scope == "admin"
    assert dataclasses.is_dataclass(found.input)
    hints = typing.get_type_hints(found.run)
    assert dataclasses.is_dataclass(hints["return"])


async def test_an_action_needs_its_scope(tmp_path: Path) -> None:
    config = Config(domains=("example.test",), data=tmp_path / "data", limits=Limits(free_space_bytes=0))
    async with app.rooms(config) as rooms:
        context: Context = rooms.context(frozenset({"read"}))
        for name in NAMES:
            with pytest.raises(NotAllowed):
                await registry.run(name, {}, context)
        assert await registry.run("user_list", {}, rooms.context(frozenset({"admin"}))) == {"users": []}


@dataclasses.dataclass(frozen=True)
class Input:
    name: str
    count: int = 1
    note: str | None = None


def test_arguments_become_the_input() -> None:
    assert bind(Input, {"name": "x"}) == Input("x")
    assert bind(Input, {"name": "x", "count": 2, "note": "y"}) == Input("x", 2, "y")
    assert bind(Input, {"name": "x", "note": None}) == Input("x")


@pytest.mark.parametrize(
    "arguments",
    [{}, {"name": 1}, {"name": None}, {"name": "x", "count": "1"}, {"name": "x", "count": 1.0}, {"name": "x", "z": 1}],
)
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(BadArguments):
        bind(Input, arguments)


def test_outputs_become_what_json_can_carry() -> None:
    assert plain([Input("x"), {"a": (1, Input("y"))}]) == [
        {"name": "x", "count": 1, "note": None},
        {"a": [1, {"name": "y", "count": 1, "note": None}]},
    ]
