"""`gk ban`: addresses that are not served for a while."""

import time

import click

from gk.cli.door import act, as_json, configuration, show, table


@click.group("ban")
def command() -> None:
    """Addresses that are not served for a while."""


@command.command("list")
@as_json
@click.pass_context
def list_(context: click.Context, json_: bool) -> None:
    """List them, with what they did and until when."""
    bans = act(configuration(context), "ban_list", {})["bans"]
    rows = [dict(ban, until=_when(ban["until"])) for ban in bans]
    show(bans, json_, table(rows, ["network", "until", "times", "reason"]) if rows else "nobody is banned")


@command.command("add")
@click.argument("network")
@click.option("--minutes", default=1440, show_default=True, help="How long.")
@click.option("--reason", default="added by hand", help="Why, for whoever reads the list.")
@as_json
@click.pass_context
def add(context: click.Context, network: str, minutes: int, reason: str, json_: bool) -> None:
    """Serve an address or network no more; of a single IPv6 address, its /64."""
    asked = {"network": network, "minutes": minutes, "reason": reason}
    ban = act(configuration(context), "ban_add", asked)
    show(ban, json_, f"{ban['network']} is banned until {_when(ban['until'])}")


@command.command("remove")
@click.argument("network")
@as_json
@click.pass_context
def remove(context: click.Context, network: str, json_: bool) -> None:
    """Serve an address or network again, and forget what it did."""
    ban = act(configuration(context), "ban_remove", {"network": network})
    show(ban, json_, f"{ban['network']} is served again")


def _when(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
