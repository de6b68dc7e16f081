"""`gk rule`: what users say about where their mail goes."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from gk.cli.door import act, as_json, configuration, show
from gk.cli.several import actions


@click.group("rule")
def command() -> None:
    """Rules about where a user's mail goes; a Sieve script, put by ManageSieve, decides after them."""


@command.command("list")
@click.argument("address")
@as_json
@click.pass_context
def list_(context: click.Context, address: str, json_: bool) -> None:
    """List the rules of an account in their order."""
    found = act(configuration(context), "rule_list", {"address": address})
    lines = [f"{rule['number']}. {rule['text']}" for rule in found["rules"]] or ["there are no rules"]
    if found["script"] is not None:
        lines.append(f"then the Sieve script {found['script']!r}")
    show(found, json_, "\n".join(lines))


@command.command("add")
@click.argument("address")
@click.argument("text")
@click.option("--at", "number", type=int, default=0, metavar="N", help="As rule N; default: as the last one.")
@as_json
@click.pass_context
def add(context: click.Context, address: str, text: str, number: int, json_: bool) -> None:
    """Add a rule, like: 'if from contains "ann@" then file "Ann", flag seen, stop'."""
    done = act(configuration(context), "rule_add", {"address": address, "text": text, "number": number})
    show(done, json_, f"{done['number']}. {done['text']}")


@command.command("remove")
@click.argument("address")
@click.argument("number", type=int)
@as_json
@click.pass_context
def remove(context: click.Context, address: str, number: int, json_: bool) -> None:
    """Remove a rule by its number."""
    done = act(configuration(context), "rule_remove", {"address": address, "number": number})
    show(done, json_, f"removed {done['removed']}")


@command.command("test")
@click.argument("address")
@click.argument("message", type=click.Path(allow_dash=True))
@click.option("--from", "sender", default="", metavar="ADDRESS", help="The sender of the envelope.")
@click.option("--to", "recipient", default="", metavar="ADDRESS", help="The recipient; default: the account's address.")
@click.option("--script", type=click.Path(path_type=Path), metavar="F", help="Try this Sieve script instead.")
@as_json
@click.pass_context
def test(
    context: click.Context,
    address: str,
    message: str,
    sender: str,
    recipient: str,
    script: Path | None,
    json_: bool,
) -> None:
    """Say what would become of MESSAGE, a file or - for standard input; nothing is done."""
    arguments = {"address": address, "sender": sender, "recipient": recipient}
    if script is not None:
        arguments["script"] = script.read_text("utf-8", "surrogateescape")
    content = sys.stdin.buffer.read() if message == "-" else Path(message).read_bytes()
    with actions(configuration(context)) as ask:
        found = ask("rule_test", arguments, attached=[content])
    show(found, json_, "\n".join(_lines(found)))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    for step in found["steps"]:
        yield f"{step['program']}, line {step['line']}: {step['text']}{'' if step['result'] else ' - no'}"
    if found["error"] is not None:
        yield f"error: {found['error']}"
    for filed in found["filed"]:
        flags = f" with {' '.join(filed['flags'])}" if filed["flags"] else ""
        yield f"→ kept in {filed['mailbox']}{flags}"
    for address in found["redirected"]:
        yield f"→ sent on to {address}"
    if found["rejected"] is not None:
        yield f"→ refused: {found['rejected']}"
    if found["answered"] is not None:
        yield f"→ answered: {found['answered']}"
    if not found["filed"] and not found["redirected"] and found["rejected"] is None:
        yield "→ discarded"
