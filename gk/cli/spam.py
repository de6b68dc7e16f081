"""`gk spam`: what was learnt about junk."""

from pathlib import Path

import click

from gk import discover
from gk.cli.door import act, as_json, configuration, show, table

LOT = 50  # messages of one call: some ten thousand signs


@click.group("spam")
def command() -> None:
    """What is junk: what all accounts have in common, and what users taught."""


@command.command("status")
@as_json
@click.pass_context
def status(context: click.Context, json_: bool) -> None:
    """Show how much was learnt."""
    found = act(configuration(context), "spam_status", {})
    rows = [{"address": "(all)", **found["base"], "speaks": ""}]
    rows += [dict(row, speaks="yes" if row["speaks"] else "not yet") for row in found["accounts"]]
    text = table(rows, ["address", "junk", "wanted", "speaks"])
    show(found, json_, text + (f"\n({found['open']} lessons are being learnt)" if found["open"] else ""))


_PATH = click.Path(exists=True, path_type=Path)


@command.command("train")
@click.option("--junk", multiple=True, type=_PATH, metavar="PATH", help="Junk: a file, directory, Maildir or mbox.")
@click.option("--wanted", multiple=True, type=_PATH, metavar="PATH", help="Mail that is wanted, the same.")
@as_json
@click.pass_context
def train(context: click.Context, junk: tuple[Path, ...], wanted: tuple[Path, ...], json_: bool) -> None:
    """Teach all accounts with mail somebody sorted before. Both options may be given several times.

    The mail itself stays where it is: what is kept of it are numbers that stand for its words. Mail given twice counts
    twice.
    """
    if not junk and not wanted:
        raise click.UsageError("name some mail with --junk PATH or --wanted PATH, better both")
    config = configuration(context)
    training = discover.module("gk.inbound.spam", "training")
    missed: list[str] = []
    totals = {"junk": 0, "wanted": 0}
    for kind, paths in (("junk", junk), ("wanted", wanted)):
        for lot in training.lots(paths, LOT, missed):
            signs = {str(sign): count for sign, count in lot.counts.items()}
            totals = act(config, "spam_train", {"kind": kind, "messages": lot.messages, "signs": signs})
    for line in missed:
        click.echo(f"left out {line}", err=True)
    show(totals, json_, f"known to all accounts: {totals['junk']} junk, {totals['wanted']} wanted")


@command.command("forget")
@click.argument("address", required=False, default="")
@click.option("--all", "base", is_flag=True, help="What all accounts have in common.")
@as_json
@click.pass_context
def forget(context: click.Context, address: str, base: bool, json_: bool) -> None:
    """Forget what the account ADDRESS taught, or with --all what all have in common."""
    if bool(address) == base:
        raise click.UsageError("name an address, or say --all")
    found = act(configuration(context), "spam_forget", {"address": address})
    show(found, json_, f"forgotten: {found['junk']} junk, {found['wanted']} wanted")
