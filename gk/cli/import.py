"""`gk import`: mail from a Maildir, mbox files or an IMAP account into an account here."""

from pathlib import Path

import click

from gk.cli.door import Bar, as_json, configuration
from gk.cli.several import actions
from gk.cli.transfer import STOPPED, from_stdin, insecure, is_url, password_file, remote, report
from gk.errors import Refused
from gk.transfer import opening
from gk.transfer.imap_source import ImapSource
from gk.transfer.moving_in import MovingIn
from gk.transfer.values import Source


@click.command("import")
@click.argument("address")
@click.argument("source")
@click.option("--into", default="", metavar="FOLDER", help="Put everything into this folder, or below it.")
@click.option("--dry-run", is_flag=True, help="Read everything, change nothing.")
@password_file
@from_stdin
@insecure
@as_json
@click.pass_context
def command(
    context: click.Context,
    address: str,
    source: str,
    into: str,
    dry_run: bool,
    password_file: Path | None,
    password_stdin: bool,
    insecure: bool,
    json_: bool,
) -> None:
    """Take in the mail of SOURCE: a Maildir, an mbox, a directory of either, or imap[s]://USER@HOST[/FOLDER].

    What is there already is skipped, so a second run goes on where the first was stopped. Exit code 1 when something
    had to be left out.
    """
    config = configuration(context)
    origin: Source
    if is_url(source):
        origin = ImapSource(*remote(source, password_file, password_stdin, insecure), config.limits.message_bytes)
    else:
        origin = opening.source(Path(source), config.limits.message_bytes, address)
    try:
        with actions(config) as act, Bar("import") as bar:
            moving = MovingIn(act, address, origin, into=into, dry_run=dry_run, progress=bar.show)
            summary = moving.run()
    except KeyboardInterrupt:
        raise Refused(STOPPED) from None
    finally:
        origin.close()
    context.exit(report(summary, json_, "would be taken in" if dry_run else "taken in"))
