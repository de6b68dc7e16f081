"""`gk config`: show, check and change the configuration."""

import click
import tomli_w

from gk import config as configuration
from gk.cli.door import as_json, show
from gk.cli.door import configuration as load


@click.group("config")
def command() -> None:
    """Show, check or change the configuration."""


@command.command("show")
@as_json
@click.pass_context
def show_(context: click.Context, json_: bool) -> None:
    """Print every key with its value, the overlay and the environment applied."""
    tree = configuration.as_tree(load(context))
    show(tree, json_, tomli_w.dumps(tree).rstrip())


@command.command("check")
@as_json
@click.pass_context
def check(context: click.Context, json_: bool) -> None:
    """Say whether the configuration stands; exit code 78 with the first error."""
    path = load(context).path
    show({"path": str(path), "ok": True}, json_, f"{path} is well")


@command.command("set")
@click.argument("key")
@click.argument("value")
@click.pass_context
def set_(context: click.Context, key: str, value: str) -> None:
    """Set KEY (as table.key) to VALUE in gk.local.toml, which overrides gk.toml."""
    overlay = configuration.set_local(load(context), key, value)
    click.echo(f"{key} is set in {overlay}; «systemctl reload gk» or a restart applies it")
