"""`gk status`: is the server well?"""

from typing import Any

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
    show(found, json_, found["metrics"].rstrip() if metrics else _told(found))
    context.exit(1 if found["read_only"] else 0)


def _told(found: dict[str, Any]) -> str:
    """The server in a few lines; what there is none of has none."""
    lines = [f"gk {found['version']}, process {found['process']}: {found['read_only'] or 'well'}"]
    waiting = {"queue": found["queue"], **found["waiting"]}
    if any(waiting.values()):
        lines.append("waiting: " + ", ".join(f"{count} in {name}" for name, count in waiting.items() if count))
    lines += [
        f"model {m['model']}: {m['state']}" + (f" ({m['reason']})" if m["reason"] else "") for m in found["models"]
    ]
    if found["remotes"]:
        failing = found["remotes_failing"]
        lines.append(f"accounts elsewhere: {found['remotes']}, " + (f"{failing} failing" if failing else "in step"))
    if today := found["today"]:
        kinds = ("received", "refused", "junk", "sent", "deferred", "failed", "answers")
        lines.append("24 h: " + ", ".join(f"{today[kind]} {kind}" for kind in kinds if today[kind]))
    return "\n".join(lines)
