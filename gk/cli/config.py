"""`gk config`: show, check and change the configuration."""

import click
import tomli_w

from gk import config as configuration
from gk import discover
from gk.cli.door import as_json, become_owner, show
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
    """Say whether the configuration and its certificates can be used; exit code 78 with the first error."""
    config = load(context)
    if config.tls.certificates:
        discover.module("gk.tls", "certs").Certificates(config)
    if config.replies.rules:
        forms = configuration.beside(config, config.replies.templates)
        discover.module("gk.ai.replying", "templates").checked(config.replies, forms)
    show({"path": str(config.path), "ok": True}, json_, f"{config.path} is well")


@command.command("set")
@click.argument("key")
@click.argument("value")
@as_json
@click.pass_context
def set_(context: click.Context, key: str, value: str, json_: bool) -> None:
    """Set KEY (as table.key) to VALUE in gk.local.toml, which overrides gk.toml."""
    config = load(context)
    become_owner(config.data)
    overlay = configuration.set_local(config, key, value)
    done = {"key": key, "overlay": str(overlay)}
    show(done, json_, f"{key} is set in {overlay}; «systemctl reload gk» or a restart applies it")
