"""`gk why`: what led to the verdict on a message, and what it seems to be about."""

from typing import Any

import click

from gk.cli.door import act, as_json, configuration, show


@click.command("why")
@click.argument("id")
@click.option("--as", "address", default="", metavar="ADDRESS", help="Whose message: needed for INBOX/7.")
@as_json
@click.pass_context
def command(context: click.Context, id: str, address: str, json_: bool) -> None:
    """Show why a message is where it is, and what it is about.

    ID is an EMAILID (G12), or a mailbox and a uid (INBOX/7).
    """
    config, named = configuration(context), {"id": id, "address": address}
    found = act(config, "mail_why", named)
    found["triage"] = act(config, "mail_triage", named)
    show(found, json_, "\n".join([*_lines(found), *_triage(found["triage"]), *_replies(found["replies"])]))


def _lines(found: dict[str, Any]) -> list[str]:
    places = ", ".join(f"{place['mailbox']}/{place['uid']}" for place in found["places"])
    results = ", ".join(f"{method}={'/'.join(words)}" for method, words in found["results"].items())
    if found["action"] == "unjudged":
        return [f"{found['id']} ({places}): unjudged: a user sent it or put it here, or it came unjudged"]
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


def _triage(found: dict[str, Any]) -> list[str]:
    """What the message is about, and the words that tell."""
    sure = found["confidence"]
    writer = "a machine or mass mail" if found["notification"] else "a person"
    waits = "waits for an answer" if found["needs_response"] else "waits for no answer"
    said = [
        f"triage: {found['category']} ({sure['category']:.0%})",
        f"urgency {found['urgency']} ({found['urgency_value']:g})",
        found["sentiment"], writer, waits, found["language"],
    ]  # fmt: skip
    lines = [", ".join(filter(None, said))]
    judged = "when it was delivered" if found["stored"] else "now"
    lines.append(f"  judged {judged}, by weights {found['version']}")
    if found["reason"]:
        lines.append(f"  {found['reason']}")
    for one in found["routed"]:
        did = f"moved to {one['folder']}" if one["folder"] else "left in INBOX"
        flags = f", flags {' '.join(one['flags'])}" if one["flags"] else ""
        lines.append(f"  routed for {one['account']} by «{one['route']}»: {did}{flags}, priority {one['priority']}")
    for signal in dict.fromkeys(reason["signal"] for reason in found["evidence"]):
        told = [_told(reason) for reason in found["evidence"] if reason["signal"] == signal]
        lines.append(f"  {signal}: {', '.join(told)}")
    return lines


def _replies(found: list[dict[str, Any]]) -> list[str]:
    """What was made of it by whoever answers mail."""
    lines = []
    for one in found:
        done = f"{one['action']} {one['made'] or ''}".strip() if one["state"] == "completed" else "no answer"
        rule = f", rule «{one['rule']}»" if one["rule"] else ""
        lines.append(f"answered for {one['account']}: {one['state']}, {done}{rule}")
        about = [
            one["reason"],
            f"template {one['template']}" if one["template"] else "",
            f"model {one['model']}" if one["model"] else "",
            f"confidence {one['confidence']:g}" if one["confidence"] is not None else "",
            f"{one['attempts']} attempts" if one["attempts"] else "",
        ]
        lines.append(f"  {'; '.join(filter(None, about))}")
    return lines


def _told(reason: dict[str, Any]) -> str:
    place = "" if reason["where"] == "header" else f" {reason['where']} {reason['start']} to {reason['end']}"
    return f"«{reason['feature']}»{place} {reason['weight']:+.2f}"
