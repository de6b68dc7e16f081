"""`gk why`: what led to the verdict on a message."""

from typing import Any

import click

from gk.cli.door import act, as_json, configuration, show


@click.command("why")
@click.argument("id")
@click.option("--as", "address", default="", metavar="ADDRESS", help="Whose message: needed for INBOX/7.")
@as_json
@click.pass_context
def command(context: click.Context, id: str, address: str, json_: bool) -> None:
    """Show why a message is where it is. ID is an EMAILID (G12), or a mailbox and a uid (INBOX/7)."""
    found = act(configuration(context), "mail_why", {"id": id, "address": address})
    show(found, json_, "\n".join(_lines(found)))


def _lines(found: dict[str, Any]) -> list[str]:
    places = ", ".join(f"{place['mailbox']}/{place['uid']}" for place in found["places"])
    results = ", ".join(f"{method}={'/'.join(words)}" for method, words in found["results"].items())
    lines = [f"{found['id']} ({places}): {found['action']}, score {found['score']:g}", f"  {results}"]
    for one in found["findings"]:
        score = f" {one['score']:+g}" if one["score"] else ""
        lines.append(f"{one['rule']}{score}: {one['text']}")
        if one["asked"]:
            lines.append(f"  asked {one['asked']}: {one['answer']}")
        if one["where"]:
            at, length = one["where"]
            lines.append(f"  bytes {at} to {at + length}:")
            lines += [f"    {line}" for line in one["bytes"].split("\n")]
    return lines
