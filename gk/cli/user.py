"""`gk user`: accounts and their passwords."""

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
