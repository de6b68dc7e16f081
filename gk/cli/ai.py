"""`gk ai`: the assistant's models and what they cost."""

import click

from gk.cli.door import act, as_json, configuration, show, table


@click.group("ai")
def command() -> None:
    """The assistant: its models and what they cost."""


@command.command("models")
@click.option("--probe", is_flag=True, help="Look first whether each is there.")
@as_json
@click.pass_context
def models(context: click.Context, probe: bool, json_: bool) -> None:
    """List the language models in the order they are asked, with how each does."""
    found = act(configuration(context), "ai_models", {"probe": probe})["models"]
    rows = [dict(one, where="elsewhere" if one["remote"] else "here") for one in found]
    show(found, json_, table(rows, ["model", "where", "state", "reason"]) if rows else "no model is configured")


@command.command("ledger")
@click.argument("address", default="")
@click.option("--days", default=30, show_default=True, help="How many days, today among them.")
@as_json
@click.pass_context
def ledger(context: click.Context, address: str, days: int, json_: bool) -> None:
    """Show calls, tokens, time and money by day, account and model; of one ADDRESS or all."""
    found = act(configuration(context), "ai_ledger", {"address": address, "days": days})["spending"]
    columns = ["day", "address", "model", "calls", "failed", "tokens_asked", "tokens_said", "seconds", "price"]
    show(found, json_, table(found, columns) if found else "no model was asked")
