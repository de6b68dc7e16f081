"""`gk export`: an account's mail into a Maildir, mbox files, or an IMAP account elsewhere."""

from pathlib import Path

import click

from gk.cli.door import Bar, as_json, configuration
from gk.cli.several import actions
from gk.cli.transfer import STOPPED, from_stdin, insecure, is_url, password_file, remote, report
from gk.errors import Refused
from gk.transfer import opening
from gk.transfer.imap_target import ImapTarget
from gk.transfer.moving_out import MovingOut
from gk.transfer.values import Target


@click.command("export")
@click.argument("address")
@click.argument("dest")
@click.option("--format", "format_", type=click.Choice(["maildir", "mbox"]), default="maildir", help="Of a directory.")
@click.option("--folder", "folders", multiple=True, metavar="FOLDER", help="Only this one; may be repeated.")
@password_file
@from_stdin
@insecure
@as_json
@click.pass_context
def command(
    context: click.Context,
    address: str,
    dest: str,
    format_: str,
    folders: tuple[str, ...],
    password_file: Path | None,
    password_stdin: bool,
    insecure: bool,
    json_: bool,
) -> None:
    """Write the mail of ADDRESS to DEST: a directory of its own, or imap[s]://USER@HOST.

    What is there already is skipped, so a second run adds what is new. Exit code 1 when something had to be left out.
    """
    config = configuration(context)
    target: Target
    if is_url(dest):
        target = ImapTarget(*remote(dest, password_file, password_stdin, insecure))
    else:
        target = opening.target(Path(dest), format_)
    try:
        with actions(config) as act, Bar("export") as bar:
            summary = MovingOut(act, address, target, only=folders, progress=bar.show).run()
    except KeyboardInterrupt:
        raise Refused(STOPPED) from None
    finally:
        target.close()
    context.exit(report(summary, json_, "written"))
