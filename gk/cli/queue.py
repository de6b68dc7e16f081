"""`gk queue`: what waits to leave."""

import time
from collections.abc import Callable
from typing import Any

import click

from gk.cli.door import act, as_json, configuration, show, table
from gk.config import Config


@click.group("queue")
def command() -> None:
    """The outgoing queue."""


_OPTIONS = (
    click.option("--status", default="", help="pending, sending, sent, failed, bounced or held."),
    click.option("--from", "sender", default="", help="Sender; «<>» for reports."),
    click.option("--to", "recipient", default="", help="A recipient."),
    click.option("--domain", default="", help="Domain of a recipient."),
    click.option("--origin", default="", help="user, api, ai, forward or dsn."),
)


def _chosen(verb: Callable[..., None]) -> Callable[..., None]:
    """The options that choose messages."""
    for option in reversed(_OPTIONS):
        verb = option(verb)
    return verb


def _messages(config: Config, chosen: dict[str, str]) -> list[dict[str, Any]]:
    """All messages that are meant, page by page."""
    messages: list[dict[str, Any]] = []
    while page := act(config, "queue_list", {"after": messages[-1]["id"] if messages else 0, **chosen})["messages"]:
        messages += page
    return messages


@command.command("list")
@_chosen
@as_json
@click.pass_context
def list_(context: click.Context, /, json_: bool, **chosen: str) -> None:
    """List what waits to leave."""
    messages = _messages(configuration(context), chosen)
    rows = [_row(message, recipient) for message in messages for recipient in message["recipients"]]
    columns = ["id", "sender", "recipient", "status", "attempts", "next", "size", "reply"]
    empty = "no such message in the queue" if any(chosen.values()) else "the queue is empty"
    show(messages, json_, table(rows, columns) if rows else empty)


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


@command.command("trace")
@click.argument("number", type=int)
@as_json
@click.pass_context
def trace(context: click.Context, number: int, json_: bool) -> None:
    """Show every attempt for a message, also after it left the queue."""
    found = act(configuration(context), "queue_trace", {"id": number})
    rows = [dict(a, at=time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(a["at"]))) for a in found["attempts"]]
    show(found, json_, table(rows, ["at", "recipient", "domain", "status", "remote", "tls", "reply"]))


@command.command("tls")
@click.option("--domain", default="", help="Domain of recipients.")
@click.option("--days", default=7, show_default=True, help="How far back, 90 at most.")
@as_json
@click.pass_context
def tls(context: click.Context, domain: str, days: int, json_: bool) -> None:
    """Show how sessions with other servers were encrypted, failures first."""
    found = act(configuration(context), "queue_tls", {"domain": domain, "days": days})
    rows = table(found["results"], ["domain", "policy", "mx", "result", "sessions", "first", "last"])
    if found["more"]:
        rows += "\n(there are more: choose one with --domain)"
    show(found, json_, rows if found["results"] else "no sessions in that time")


def _on_some(name: str, help_: str, done: str) -> None:
    @command.command(name, help=f"{help_} By its number, or all that the options choose.")
    @click.argument("number", type=int, required=False)
    @_chosen
    @as_json
    @click.pass_context
    def verb(context: click.Context, /, number: int | None, json_: bool, **chosen: str) -> None:
        if (number is None) != any(chosen.values()):
            raise click.UsageError("a number, or options that choose messages")
        config = configuration(context)
        numbers = [number] if number is not None else [message["id"] for message in _messages(config, chosen)]
        for each in numbers:
            act(config, f"queue_{name}", {"id": each})
        text = f"{done} {', '.join(map(str, numbers)) or 'none'}"
        show({"id": number} if number is not None else numbers, json_, text)


_on_some("retry", "Try a message again now.", "due now:")
_on_some("hold", "Keep a message back until it is released.", "held")
_on_some("release", "Let a held message be sent.", "released")
_on_some("remove", "Take a message out of the queue; nobody is told.", "removed")
