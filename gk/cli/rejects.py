"""`gk rejects`: messages that were not taken, and why."""

import time
from typing import Any

import click

from gk.cli.door import act, as_json, configuration, show, table


@click.group("rejects")
def command() -> None:
    """Messages that were refused or deferred."""


@command.command("list")
@click.option("--limit", default=50, show_default=True, help="How many of the last ones.")
@as_json
@click.pass_context
def list_(context: click.Context, limit: int, json_: bool) -> None:
    """List the last ones, newest first."""
    found = act(configuration(context), "rejects_list", {"limit": limit})["rejects"]
    rows = [
        {
            "id": one["id"],
            "at": _when(one["at"]),
            "action": one["action"],
            "client": one["client"],
            "from": one["sender"] or "<>",
            "to": one["recipients"][0] + (f" +{one['recipient_count'] - 1}" if one["recipient_count"] > 1 else ""),
            "reason": one["reason"],
        }
        for one in found
    ]
    show(found, json_, table(rows, list(rows[0])) if rows else "nothing was refused")


@command.command("show")
@click.argument("id", type=int)
@as_json
@click.pass_context
def show_(context: click.Context, id: int, json_: bool) -> None:
    """Show the envelope of one, what its client was answered, and each finding."""
    found = act(configuration(context), "rejects_show", {"id": id})
    show(found, json_, "\n".join(_lines(found)))


def _lines(found: dict[str, Any]) -> list[str]:
    told = found["told"]
    more = told["recipient_count"] - len(told["recipients"])
    results = ", ".join(f"{method}={'/'.join(words)}" for method, words in told["results"].items())
    return [
        f"{_when(found['at'])} {told['action']}, score {told['score']:g}: {told['reply']}",
        f"  from {told['sender'] or '<>'} by {told['client']} ({told['helo']}), {told['size']} bytes",
        f"  to {', '.join(told['recipients'])}{f' and {more} more' if more else ''}",
        *([f"  {results}"] if results else []),
        *(_finding(one) for one in told["findings"]),
    ]


def _finding(one: dict[str, Any]) -> str:
    score = f" {one['score']:+g}" if one["score"] else ""
    return f"{one['rule']}{score}: {one['text']}"


def _when(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
