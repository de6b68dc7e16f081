"""`gk suppression`: addresses nothing is sent to."""

import time
from typing import Any

import click

from gk.cli.door import act, as_json, configuration, show, table

for_account = click.option(
    "--account", default="", help="The list of an account's bulk mail; default: the one for all."
)


@click.group("suppression")
def command() -> None:
    """Addresses nothing is sent to: by an account in bulk, or by anybody at all."""


@command.command("list")
@for_account
@as_json
@click.pass_context
def list_(context: click.Context, account: str, json_: bool) -> None:
    """List them, with the reason and the day."""
    config = configuration(context)
    entries: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        page = act(config, "suppression_list", {"account": account, "after": after})
        entries += page["entries"]
        after = page["after"]
    entries.sort(key=lambda entry: (entry["added"], entry["address"]))
    rows = [
        dict(e, added=time.strftime("%Y-%m-%d", time.localtime(e["added"])), address=e["address"] or "(not known)")
        for e in entries
    ]
    show(entries, json_, table(rows, ["added", "address", "reason"]) if rows else "the list is empty")


@command.command("add")
@click.argument("address")
@for_account
@click.option("--reason", default="added by hand", help="Why, for whoever reads the list.")
@as_json
@click.pass_context
def add(context: click.Context, address: str, account: str, reason: str, json_: bool) -> None:
    """Send nothing to an address any more."""
    done = act(configuration(context), "suppression_add", {"address": address, "account": account, "reason": reason})
    show(done, json_, f"added {done['address']}" if done["added"] else f"{done['address']} is there already")


@command.command("remove")
@click.argument("address")
@for_account
@as_json
@click.pass_context
def remove(context: click.Context, address: str, account: str, json_: bool) -> None:
    """Let an address be written to again."""
    done = act(configuration(context), "suppression_remove", {"address": address, "account": account})
    show(done, json_, f"removed {done['removed']}")
