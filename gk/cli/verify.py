"""`gk verify`: does the index agree with the files?"""

import click

from gk.cli.door import act, as_json, configuration, show


@click.command("verify")
@click.option("--content", is_flag=True, help="Read every message against its checksum too.")
@as_json
@click.pass_context
def command(context: click.Context, content: bool, json_: bool) -> None:
    """Compare index and message files; exit code 1 when they disagree."""
    problems = act(configuration(context), "verify", {"content": content})["problems"]
    lines = [f"{p['kind']}: {p['where']}" for p in problems]
    lines.append(f"{len(problems)} problems; «gk reindex» rebuilds the index" if problems else "all is well")
    show(problems, json_, "\n".join(lines))
    context.exit(1 if problems else 0)
