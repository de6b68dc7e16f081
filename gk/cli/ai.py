"""`gk ai`: the assistant: its models, what they cost, and the answers it writes to mail."""

import re
import time
from typing import Any

import click

from gk.cli.door import act, as_json, configuration, show, table

_whose = click.option("--as", "address", default="", metavar="ADDRESS", help="One user; default: everybody.")
_SINCE = re.compile(r"([1-9][0-9]{0,3})([dw]?)")


@click.group("ai")
def command() -> None:
    """The assistant: its models, what they cost, and the answers it writes to mail."""


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


@command.command("status")
@as_json
@click.pass_context
def status(context: click.Context, json_: bool) -> None:
    """Tell whether answers are written, and how many there are."""
    found = act(configuration(context), "ai_status", {})
    show(found, json_, _status(found))


@command.command("stop")
@_whose
@as_json
@click.pass_context
def stop(context: click.Context, address: str, json_: bool) -> None:
    """Stop writing answers at once, and hold those in the queue; lasts until «gk ai resume»."""
    found = act(configuration(context), "ai_stop", {"address": address})
    held = f"{found['held']} messages of the queue are held" if found["held"] else "nothing waited in the queue"
    show(found, json_, f"no more answers {_for(found)}; {held}")


@command.command("resume")
@_whose
@as_json
@click.pass_context
def resume(context: click.Context, address: str, json_: bool) -> None:
    """Write answers again; what came meanwhile stays unanswered, and what is held in the queue stays held."""
    found = act(configuration(context), "ai_resume", {"address": address})
    text = f"answers again {_for(found)}; {found['unanswered']} messages that came meanwhile stay unanswered"
    show(
        found, json_, f"{text}\n«gk queue list --origin ai --status held» shows what waits, «gk queue release» sends it"
    )


@command.command("replies")
@_whose
@click.option("--state", default="", help="pending, processing, completed, failed or skipped.")
@click.option("--limit", default=50, show_default=True, help="How many at most.")
@as_json
@click.pass_context
def replies(context: click.Context, address: str, state: str, limit: int, json_: bool) -> None:
    """List the messages that were looked at, the newest first: rule, reason, attempts."""
    asked = {"address": address, "state": state, "limit": limit}
    found = act(configuration(context), "ai_replies", asked)["replies"]
    columns = ["message", "account", "state", "attempts", "last", "rule", "action", "made", "reason"]
    rows = [dict(row, last=_when(row["last_attempt"])) for row in found]
    show(found, json_, table(rows, columns) if rows else "nothing was looked at")


@command.command("replay")
@click.option("--since", default="30d", show_default=True, metavar="DAYS", help="How far back: 30d, 2w.")
@click.option("--all", "all_", is_flag=True, help="Show what would have been met with silence, too.")
@_whose
@as_json
@click.pass_context
def replay(context: click.Context, since: str, all_: bool, address: str, json_: bool) -> None:
    """Show what the rules would have done with past mail; nothing is written and no model asked."""
    found_ = _SINCE.fullmatch(since)
    if found_ is None:
        raise click.UsageError("--since is a number of days or weeks: 30d, 2w")
    days = int(found_[1]) * (7 if found_[2] == "w" else 1)
    found = act(configuration(context), "ai_replay", {"days": days, "address": address, "all": all_})
    columns = ["message", "account", "date", "correspondent", "would", "rule", "template", "reason"]
    rows = [dict(row, date=_when(row["date"])) for row in found["messages"]]
    counts = ", ".join(f"{count} {what}" for what, count in sorted(found["counts"].items())) or "nothing"
    text = f"{found['looked']} messages: {counts}"
    show(found, json_, f"{table(rows, columns)}\n{text}" if rows else text)


def _for(found: dict[str, Any]) -> str:
    return f"for {found['address']}" if found["address"] else "for anybody"


def _when(at: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at)) if at else ""


def _status(found: dict[str, Any]) -> str:
    if found["stopped"]:
        lines = [f"stopped for all since {_when(found['stopped'])}; «gk ai resume» ends that"]
    else:
        lines = ["answers are written" if found["writing"] else "no answers are written: there are no rules"]
    lines += [f"stopped for {one['address']} since {_when(one['since'])}" for one in found["stops"]]
    lines += [f"rule «{rule['name']}»: {rule['action']}, template {rule['template']}" for rule in found["rules"]]
    lines.append("models: " + ("configured" if found["models"] else "none; only templates that need none answer"))
    lines.append(", ".join(f"{count} {state}" for state, count in found["counts"].items()))
    if found["held"]:
        lines.append(f"{found['held']} answers are held in the queue")
    return "\n".join(lines)
