"""`gk reports`: what others report of mail in our name."""

from typing import Any

import click

from gk.cli.door import act, as_json, configuration, show, table


@click.group("reports")
def command() -> None:
    """DMARC and TLS reports others sent to reports.address."""


@command.command("list")
@click.option("--domain", default="", help="Reports about one domain.")
@as_json
@click.pass_context
def list_(context: click.Context, domain: str, json_: bool) -> None:
    """List them, newest first."""
    found = act(configuration(context), "reports_list", {"domain": domain})
    rows = [dict(row, domains=" ".join(row["domains"]), day=row["begin"][:10]) for row in found["reports"]]
    text = table(rows, ["id", "day", "kind", "from", "domains", "passed", "failed"]) if rows else "there are no reports"
    if found["damaged"]:
        text += f"\n({found['damaged']} cannot be read)"
    show(found, json_, text)


@command.command("show")
@click.argument("id", type=int)
@as_json
@click.pass_context
def show_(context: click.Context, id: int, json_: bool) -> None:
    """Show one report by the id of the list."""
    found = act(configuration(context), "reports_show", {"id": id})
    one = found["summary"]
    head = f"{one['kind']} report {one['id']} from {one['from']} about {' '.join(one['domains'])}, {one['begin']} to"
    lines = _dmarc(found["report"]) if one["kind"] == "dmarc" else _tls(found["report"])
    show(found, json_, "\n".join([f"{head} {one['end']}", *lines]))


def _dmarc(report: dict[str, Any]) -> list[str]:
    published = ", ".join(f"{name}={value}" for name, value in report["published"].items() if value)
    rows = [
        {
            "source": row["source"],
            "messages": row["messages"],
            "done": row["disposition"],
            "author": row["author"],
            "aligned": " ".join(name for name in ("dkim", "spf") if row[name] == "pass") or "nothing",
            "dkim": " ".join(f"{s['domain']}={s['result']}" for s in row["signatures"]),
            "spf": f"{row['spf_domain']}={row['spf_result']}" if row["spf_domain"] else "",
            "why": " ".join(row["reasons"]),
        }
        for row in report["rows"]
    ]
    lines = [f"policy: {published}"]
    if rows:
        lines.append(table(rows, ["source", "messages", "done", "author", "aligned", "dkim", "spf", "why"]))
    if report["dropped"]:
        lines.append(f"({report['dropped']} more rows)")
    return lines


def _tls(report: dict[str, Any]) -> list[str]:
    lines = []
    for policy in report["policies"]:
        lines.append(
            f"{policy['domain'] or '(no domain)'} {policy['kind']}: {policy['successes']} sessions succeeded,"
            f" {policy['failures']} failed"
        )
        words = ([each[name] for name in ("sessions", "result", "mx", "reason")] for each in policy["details"])
        lines += ["  " + " ".join(map(str, filter(None, some))) for some in words]
    return lines
