"""`gk search`: messages of an account."""

from collections.abc import Sequence
from typing import Any

import click

from gk.cli.door import act, as_json, configuration, show, table


@click.command("search")
@click.argument("address")
@click.argument("words", nargs=-1)
@click.option("--from", "author", default="", help="A part of the author's name or address.")
@click.option("--since", default="", metavar="DAY", help="From this day on, such as 2026-11-20.")
@click.option("--before", default="", metavar="DAY", help="Before this day.")
@click.option("--unread", is_flag=True, help="Only what nobody has read.")
@click.option("--flagged", is_flag=True, help="Only what is flagged.")
@click.option("--in", "mailbox", default="", metavar="MAILBOX", help="One mailbox; else all but Junk, Trash, Drafts.")
@click.option("--limit", default=20, show_default=True, help="How many at most.")
@as_json
@click.pass_context
def command(
    context: click.Context,
    address: str,
    words: tuple[str, ...],
    author: str,
    since: str,
    before: str,
    unread: bool,
    flagged: bool,
    mailbox: str,
    limit: int,
    json_: bool,
) -> None:
    """Find messages of the account ADDRESS: with most of the WORDS first, without words the newest first."""
    asked = {
        "address": address, "text": " ".join(words), "author": author, "since": since, "before": before,
        "unread": unread, "flagged": flagged, "mailbox": mailbox, "limit": limit,
    }  # fmt: skip
    found = act(configuration(context), "mail_search", asked)
    show(found, json_, listed(found["messages"]) or "nothing was found")


def listed(messages: Sequence[dict[str, Any]]) -> str:
    """Messages as a table; "" for none."""
    rows = [dict(one, date=one["date"][:16].replace("T", " "), new="*" if one["unread"] else "") for one in messages]
    return table(rows, ["id", "date", "new", "from", "subject", "mailbox"]) if rows else ""
