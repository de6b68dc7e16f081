"""`gk status`: is the server well?"""

import click

from gk.cli.door import as_json, configuration, show
from gk.control.client import call


@click.command("status")
@click.option("--metrics", is_flag=True, help="Print the metrics in Prometheus' text format.")
@as_json
@click.pass_context
def command(context: click.Context, metrics: bool, json_: bool) -> None:
    """Ask the running server; exit code 69 when none answers, 1 when it is read-only."""
    found = call(configuration(context).data, "status", {"metrics": metrics})
    text = f"gk {found['version']}, process {found['process']}: {found['read_only'] or 'well'}"
    show(found, json_, found["metrics"].rstrip() if metrics else text)
    context.exit(1 if found["read_only"] else 0)
