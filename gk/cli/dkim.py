"""`gk dkim`: the keys that sign outgoing mail."""

import time
from typing import Any

import click

from gk.cli.door import act, as_json, configuration, show, table


@click.group("dkim")
def command() -> None:
    """The keys that sign outgoing mail."""


@command.command("list")
@click.argument("domain", default="")
@as_json
@click.pass_context
def list_(context: click.Context, domain: str, json_: bool) -> None:
    """List the pairs of keys: next (published ahead), active (signs) or retired (for mail still on its way)."""
    pairs = act(configuration(context), "dkim_list", {"domain": domain})["pairs"]
    rows = [_row(pair) for pair in pairs]
    columns = ["domain", "pair", "state", "since", "selectors"]
    show(pairs, json_, table(rows, columns) if rows else "no keys yet; «gk dns» makes them")


def _row(pair: dict[str, Any]) -> dict[str, Any]:
    damaged = [f"{selector} (damaged)" for selector in pair["damaged"]]
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(pair["since"])) if pair["since"] else "?"
    return {**pair, "since": since, "selectors": " ".join([*pair["selectors"], *damaged])}


@command.command("rotate")
@click.argument("domain")
@click.option("--activate", is_flag=True, help="Sign with the next pair, provided the DNS publishes it.")
@as_json
@click.pass_context
def rotate(context: click.Context, domain: str, activate: bool, json_: bool) -> None:
    """Make the next pair of keys and print its records; later, with --activate, sign with it."""
    done = act(configuration(context), "dkim_rotate", {"domain": domain, "activate": activate})
    records = "\n".join(f"{r['name']}. {r['type']} {r['rdata']}" for r in done["records"])
    if done["state"] == "active":
        text = f"mail of {done['domain']} is signed with {done['pair']}; its records stay published:\n\n{records}"
    else:
        text = f"publish the keys of {done['pair']}, then «gk dkim rotate {done['domain']} --activate»:\n\n{records}"
    show(done, json_, text)


@command.command("remove")
@click.argument("domain")
@click.argument("pair")
@as_json
@click.pass_context
def remove(context: click.Context, domain: str, pair: str, json_: bool) -> None:
    """Delete a pair of keys; its records may go then."""
    done = act(configuration(context), "dkim_remove", {"domain": domain, "pair": pair})
    show(done, json_, f"removed {done['removed']} of {done['domain']}")
