"""`gk queue`: what waits to leave."""

import time
from typing import Any

import click

from gk.cli.door import act, as_json, configuration, show, table


@click.group("queue")
def command() -> None:
    """The outgoing queue."""


@command.command("list")
@as_json
@click.pass_context
def list_(context: click.Context, json_: bool) -> None:
    """List what waits to leave."""
    config = configuration(context)
    messages: list[dict[str, Any]] = []
    while page := act(config, "queue_list", {"after": messages[-1]["id"] if messages else 0})["messages"]:
        messages += page
    rows = [_row(message, recipient) for message in messages for recipient in message["recipients"]]
    columns = ["id", "sender", "recipient", "status", "attempts", "next", "size", "reply"]
    show(messages, json_, table(rows, columns) if rows else "the queue is empty")


def _row(message: dict[str, Any], recipient: dict[str, Any]) -> dict[str, Any]:
    status = "held" if message["held"] and recipient["status"] == "pending" else recipient["status"]
    due = time.strftime("%Y-%m-%d %H:%M", time.localtime(recipient["due"])) if status == "pending" else ""
    return {
        "id": message["id"],
        "sender": message["sender"] or "<>",
        "recipient": recipient["address"],
        "status": status,
        "attempts": recipient["attempts"],
        "next": due,
        "size": message["size"],
        "reply": (recipient["reply"] or "")[:60],
    }


@command.command("show")
@click.argument("number", type=int)
@as_json
@click.pass_context
def show_(context: click.Context, number: int, json_: bool) -> None:
    """Show one message of the queue with its header."""
    found = act(configuration(context), "queue_show", {"id": number})
    message = found["message"]
    rows = [_row(message, recipient) for recipient in message["recipients"]]
    text = table(rows, ["recipient", "status", "attempts", "next", "reply"])
    show(
        found,
        json_,
        f"message {number} from {message['sender'] or '<>'}\n{text}\n\n{found['header'].replace(chr(13), '')}",
    )


def _on_one(name: str, help_: str, done: str) -> None:
    @command.command(name, help=help_)
    @click.argument("number", type=int)
    @as_json
    @click.pass_context
    def verb(context: click.Context, number: int, json_: bool) -> None:
        show(act(configuration(context), f"queue_{name}", {"id": number}), json_, f"{done} {number}")


_on_one("retry", "Try a message again now.", "due now:")
_on_one("hold", "Keep a message back until it is released.", "held")
_on_one("release", "Let a held message be sent.", "released")
_on_one("remove", "Take a message out of the queue; nobody is told.", "removed")
