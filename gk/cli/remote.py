"""`gk remote`: mailboxes users have elsewhere."""

import time
from typing import Any

import click

from gk.cli.door import act, as_json, configuration, show, table


@click.group("remote")
def command() -> None:
    """Mailboxes users have elsewhere, kept in step."""


@command.command("list")
@as_json
@click.pass_context
def list_(context: click.Context, json_: bool) -> None:
    """List them: how they are, when last all was in step, and why not."""
    accounts = act(configuration(context), "remote_list", {})["accounts"]
    rows = [dict(one, synced=_when(one["synced"]), again=_when(one["again"])) for one in accounts]
    columns = ["name", "address", "owner", "state", "messages", "synced", "again", "error"]
    show(accounts, json_, table(rows, columns) if rows else "there are no accounts elsewhere; docs/remote.md says how")


@command.command("sync")
@click.argument("name")
@as_json
@click.pass_context
def sync(context: click.Context, name: str, json_: bool) -> None:
    """Bring one of them in step now."""
    done: dict[str, Any] = act(configuration(context), "remote_sync", {"name": name})
    told = ", ".join(f"{count} {what}" for what, count in done.items() if count)
    show(done, json_, told or "all was in step")


def _when(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else ""
