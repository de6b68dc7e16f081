"""How a verb reaches an action: through the running server, or on the store itself when none runs."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gk import discover
from gk.config import Config, load
from gk.control.client import NoDaemon, call
from gk.errors import ConfigError

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")
from_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


def configuration(context: click.Context) -> Config:
    """The configuration the command line names."""
    path: Path | None = context.find_root().obj
    return load(path)


def act(config: Config, action: str, arguments: Mapping[str, Any]) -> Any:
    """Do an action, with a progress bar where it reports progress to a person."""
    bar = _Bar(action)
    try:
        try:
            return call(config.data, action, arguments, bar.show)
        except NoDaemon as absent:
            try:
                return asyncio.run(_alone(config, action, arguments, bar))
            except ConfigError as error:
                if "in use" in str(error):  # a server is there, but does not answer
                    raise absent from None
                raise
    finally:
        bar.close()


async def _alone(config: Config, action: str, arguments: Mapping[str, Any], bar: "_Bar") -> Any:
    app, registry = discover.module("gk", "app"), discover.module("gk.actions", "registry")
    async with app.rooms(config) as rooms:
        return await registry.run(action, arguments, rooms.context(frozenset({"admin"}), bar.show))


class _Bar:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._bar: Any = None
        self._done = 0

    def show(self, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = click.progressbar(length=total, label=self._label, file=sys.stderr)
            self._bar.__enter__()
        self._bar.update(done - self._done)
        self._done = done

    def close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)


def show(value: Any, json_: bool, text: str) -> None:
    """Print for a program or for a person."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False) if json_ else text)


def table(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """Rows as aligned text with a heading."""
    cells = [columns, *([str(row[c]) if row[c] is not None else "" for c in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def ask_password(stdin: bool) -> str:
    """The password from standard input, or typed twice."""
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password
