"""`gk user`: accounts and their passwords."""

import re

import click

from gk.cli.door import act, as_json, ask_password, configuration, from_stdin, show, table


@click.group("user")
def command() -> None:
    """Accounts and their passwords."""


@command.command("add")
@click.argument("address")
@click.option("--name", default="", help="The person's name.")
@from_stdin
@as_json
@click.pass_context
def add(context: click.Context, address: str, name: str, password_stdin: bool, json_: bool) -> None:
    """Make an account; its password is asked for."""
    config = configuration(context)
    password = ask_password(password_stdin)
    made = act(config, "user_add", {"address": address, "password": password, "name": name})
    show(made, json_, f"added {made['address']}")


@command.command("list")
@as_json
@click.pass_context
def list_(context: click.Context, json_: bool) -> None:
    """List the accounts."""
    users = act(configuration(context), "user_list", {})["users"]
    show(users, json_, table(users, ["id", "address", "name", "mailboxes", "messages", "size"]))


@command.command("remove")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@click.pass_context
def remove(context: click.Context, address: str, yes: bool, json_: bool) -> None:
    """Remove an account and all its mail, for good."""
    config = configuration(context)
    if not yes:
        click.confirm(f"Remove {address} and all its mail?", abort=True, err=True)
    show(act(config, "user_remove", {"address": address}), json_, f"removed {address}")


@command.command("passwd")
@click.argument("address")
@from_stdin
@as_json
@click.pass_context
def passwd(context: click.Context, address: str, password_stdin: bool, json_: bool) -> None:
    """Set a new password."""
    config = configuration(context)
    password = ask_password(password_stdin)
    show(act(config, "user_passwd", {"address": address, "password": password}), json_, f"changed for {address}")


@command.command("exists")
@click.argument("address")
@as_json
@click.pass_context
def exists(context: click.Context, address: str, json_: bool) -> None:
    """Tell whether an account exists: exit code 0 when it does, 1 when not."""
    answer = act(configuration(context), "user_exists", {"address": address})
    show(answer, json_, f"{address} exists" if answer["exists"] else f"{address} does not exist")
    context.exit(0 if answer["exists"] else 1)


@command.command("quota")
@click.argument("address")
@click.argument("size")
@as_json
@click.pass_context
def quota(context: click.Context, address: str, size: str, json_: bool) -> None:
    """Set how much mail an account may have: SIZE like 500M or 20G, «none», or «default» for limits.quota_bytes."""
    found = re.fullmatch(r"(\d{1,15})([KMGT]?)", size, re.IGNORECASE)
    octets: int | None = 0
    if size == "default":
        octets = None
    elif found:
        octets = int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[found[2].upper()]
    elif size != "none":
        raise click.BadParameter("a size is like 500M or 20G, «none» or «default»", param_hint="SIZE")
    done = act(configuration(context), "user_quota", {"address": address, "bytes": octets})
    show(done, json_, f"{done['used']} bytes used of {done['limit'] or 'any number'}")


@command.command("hide")
@click.argument("address")
@click.argument("capability", nargs=-1)
@as_json
@click.pass_context
def hide(context: click.Context, address: str, capability: tuple[str, ...], json_: bool) -> None:
    """Do not offer these IMAP capabilities to an account whose client stumbles over them; with none, offer all."""
    done = act(configuration(context), "user_hide", {"address": address, "capabilities": list(capability)})
    show(done, json_, f"not offered: {' '.join(done['hidden']) or 'none'}")


@command.group("app")
def app() -> None:
    """App passwords: one for each device or program, revoked one by one."""


@app.command("add")
@click.argument("address")
@click.argument("name")
@as_json
@click.pass_context
def app_add(context: click.Context, address: str, name: str, json_: bool) -> None:
    """Make an app password; it is shown this once."""
    made = act(configuration(context), "app_password_add", {"address": address, "name": name})
    show(made, json_, made["password"])


@app.command("list")
@click.argument("address")
@as_json
@click.pass_context
def app_list(context: click.Context, address: str, json_: bool) -> None:
    """List the app passwords of an account."""
    found = act(configuration(context), "app_password_list", {"address": address})["app_passwords"]
    show(found, json_, table(found, ["id", "name"]))


@app.command("remove")
@click.argument("address")
@click.argument("number", type=int)
@as_json
@click.pass_context
def app_remove(context: click.Context, address: str, number: int, json_: bool) -> None:
    """Revoke an app password by its number."""
    done = act(configuration(context), "app_password_remove", {"address": address, "id": number})
    show(done, json_, f"revoked {number}")
