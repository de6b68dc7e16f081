"""How a verb reaches an action: through the running server, or on the store itself when none runs."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click

from gk import discover
from gk.config import Config, load
from gk.control.client import NoDaemon, call
from gk.errors import InUse
from gk.log import escape

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")
PACE = 0.1  # seconds between two drawings of a bar
from_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


def configuration(context: click.Context) -> Config:
    """The configuration the command line names."""
    path: Path | None = context.find_root().obj
    return load(path)


def _nobody(content: bytes) -> None:
    """Nobody takes what comes beside an answer."""


def act(config: Config, action: str, arguments: Mapping[str, Any], take: Callable[[bytes], None] = _nobody) -> Any:
    """Do an action, with a progress bar where it reports progress to a person; `take` gets what comes beside."""
    with Bar(action) as bar:
        try:
            return call(config.data, action, arguments, bar.show, take=take)
        except NoDaemon:
            pass
        app, registry = discover.module("gk", "app"), discover.module("gk.actions", "registry")
        registry.every()  # what is loaded now need not be readable to the owner
        become_owner(config.data)

        async def alone() -> Any:
            async with app.rooms(config) as rooms:
                door = discover.module("gk.actions", "context").Attached(give=give)
                return await registry.run(action, arguments, rooms.context(frozenset({"admin"}), bar.show, door))

        async def give(content: bytes) -> None:
            take(content)

        try:
            return asyncio.run(alone())
        except InUse as error:
            raise NoDaemon(f"{error}; it does not answer on gk.sock: starting, stopping or stuck") from None


def become_owner(data: Path) -> None:
    """Root works as the owner of the data directory: a file of root's in it would stop the service."""
    if os.geteuid() == 0 and data.exists() and (owner := data.stat()).st_uid:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


class Bar:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._bar: Any = None
        self._done = 0
        self._drawn = 0.0

    def __enter__(self) -> Self:
        return self

    def show(self, done: int, total: int, label: str = "") -> None:
        """So much of so much; `label` says it in other words."""
        now = time.monotonic()
        if not sys.stderr.isatty() or (done < total and now - self._drawn < PACE):
            return
        self._drawn = now
        if self._bar is None:
            self._bar = click.progressbar(length=total, label=self._label, file=sys.stderr)
            self._bar.__enter__()
        if label:
            self._bar.label = f"{self._label}: {label}"
        self._bar.update(done - self._done)
        self._done = done

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, error, trace)


def show(value: Any, json_: bool, text: str) -> None:
    """Print for a program or for a person, whose terminal obeys no text of strangers."""
    click.echo(json.dumps(value, indent=2) if json_ else "\n".join(escape(line) for line in text.split("\n")))


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
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
