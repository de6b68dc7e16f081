"""`gk activity`: what the server did."""

import click

from gk.cli.door import act, as_json, configuration, show, table

COLUMNS = ["period", "received", "refused", "junk", "sent", "deferred", "failed", "success", "answers", "model_calls",
           "model_time"]  # fmt: skip


@click.command("activity")
@click.option("--hours", default=24, show_default=True, help="How many, this one among them.")
@click.option("--days", default=0, metavar="N", help="By day, so many.")
@as_json
@click.pass_context
def command(context: click.Context, hours: int, days: int, json_: bool) -> None:
    """Show what was received, refused, sent and answered, by hour or day (UTC)."""
    asked = {"hours": days * 24, "by": "day"} if days else {"hours": hours, "by": "hour"}
    found = act(configuration(context), "activity", asked)["periods"]
    show(found, json_, table(found, COLUMNS) if found else "nothing was done")
