"""`gk vacation`: answers while users are away."""

import sys
from typing import Any

import click

from gk.cli.door import act, as_json, configuration, show


@click.group("vacation")
def command() -> None:
    """Answers to senders while a user is away: one each in a period."""


@command.command("show")
@click.argument("address")
@as_json
@click.pass_context
def show_(context: click.Context, address: str, json_: bool) -> None:
    """Show what senders are answered, and when."""
    found = act(configuration(context), "vacation_show", {"address": address})
    show(found, json_, _told(found))


@command.command("set")
@click.argument("address")
@click.argument("text")
@click.option("--subject", default="", help="Of the answer; default: Auto: and that of the message.")
@click.option("--first", default="", metavar="DAY", help="The first day, like 2026-12-24; default: today.")
@click.option("--last", default="", metavar="DAY", help="The last day; default: until it is taken back.")
@click.option("--days", default=7, show_default=True, help="In which a sender is answered once.")
@click.option("--also", multiple=True, metavar="ADDRESS", help="Another address of the user's, at another server.")
@as_json
@click.pass_context
def set_(
    context: click.Context,
    address: str,
    text: str,
    subject: str,
    first: str,
    last: str,
    days: int,
    also: tuple[str, ...],
    json_: bool,
) -> None:
    """Answer senders with TEXT, or with what stands on standard input where it is -."""
    arguments = {
        "address": address, "text": sys.stdin.read() if text == "-" else text, "subject": subject, "first": first,
        "last": last, "days": days, "addresses": list(also),
    }  # fmt: skip
    found = act(configuration(context), "vacation_set", arguments)
    show(found, json_, _told(found))


@command.command("off")
@click.argument("address")
@as_json
@click.pass_context
def off(context: click.Context, address: str, json_: bool) -> None:
    """Answer nobody any more."""
    found = act(configuration(context), "vacation_off", {"address": address})
    show(found, json_, _told(found))


def _told(found: dict[str, Any]) -> str:
    if not found["set"]:
        return f"{found['address']} answers nobody"
    period = f"from {found['first'] or 'now'} to {found['last'] or 'further notice'}"
    state = "" if found["active"] else " (not today)"
    head = f"{found['address']} answers each sender once in {found['days']} days, {period}{state}"
    subject = [f"Subject: {found['subject']}"] if found["subject"] else []
    return "\n".join([head, *subject, found["text"]])
