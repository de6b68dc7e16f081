"""`gk erase`: a person out of everything that is kept here."""

import click

from gk.cli.door import act, as_json, configuration, show


@click.command("erase")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do it; without, it is only told what would go.")
@as_json
@click.pass_context
def command(context: click.Context, address: str, yes: bool, json_: bool) -> None:
    """Erase a person by ADDRESS: mail of all users that holds it, what is queued, the index, and every note of it.

    It cannot be undone. What is printed is the receipt; it names what holds the address still.
    """
    found = act(configuration(context), "person_erase", {"address": address, "erase": yes})
    went = "erased" if found["erased"] else "would go"
    lines = [
        f"{went}: {found['messages']} messages, {found['queued']} in the queue" + ", the account" * found["account"]
    ]
    lines += [f"{went}: {count} rows of {table}" for table, count in found["rows"].items()]
    lines += [f"stays, for its owner to change: {place}" for place in found["configured"]]
    lines += [f"holds it still: {name}" for name in found["files"]]
    for backup in found["backups"]:
        lines.append(f"holds it still: {backup['name']}, until {backup['expires'] or 'somebody removes it'}")
    if found["erased"]:
        lines.append(f"receipt: {found['at']}, sha256 of the address {found['address_sha256']}")
        lines.append(
            "the address is in no file of the data directory" if found["complete"] else "not complete, see above"
        )
    else:
        lines.append("nothing was done; with --yes it is, and nothing brings it back")
    show(found, json_, "\n".join(lines))
    if found["erased"] and not found["complete"]:
        context.exit(1)
