"""The command group, its exit codes, and how errors are said.

0 done, 1 refused or failed, 2 usage, 69 no daemon to reach, 75 try again, 78 configuration (sysexits.h).
"""

import sys
from pathlib import Path
from typing import Any

import click

from gk import __version__, discover
from gk.control.client import NoDaemon
from gk.errors import ConfigError, GkError, Unavailable

FAILED, NO_DAEMON, TRY_AGAIN, CONFIGURATION = 1, 69, 75, 78
VERBS = {  # verb → its line of help, so that `gk --help` loads none of them
    "init": "Write a first configuration and account.",
    "serve": "Run the server.",
    "demo": "Run everything on loopback with sample mail.",
    "user": "Accounts and their passwords.",
    "queue": "The outgoing queue.",
    "config": "Show, check or change the configuration.",
    "status": "Is the server well? Its metrics.",
    "verify": "Compare the index with the message files.",
    "reindex": "Rebuild the index from the message files.",
    "completion": "Print the shell's completion script.",
}


class Verbs(click.Group):
    """Loads the module of the verb that was asked for, and no other."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = discover.module("gk.cli", name).command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        import difflib

        if args and args[0] not in VERBS and (near := difflib.get_close_matches(args[0], VERBS, 1)):
            context.fail(f"No such command '{args[0]}'. Did you mean '{near[0]}'?")
        return super().resolve_command(context, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", "-c", type=click.Path(path_type=Path), help="Default: ./gk.toml, then /etc/gk/gk.toml.")
@click.version_option(__version__, prog_name="gk")
@click.pass_context
def group(context: click.Context, config: Path | None) -> None:
    """GK: a self-hosted communication server with an assistant inside."""
    context.obj = config


def main() -> None:
    """Run a verb; every expected error is one line on standard error, and an exit code."""
    try:
        group(prog_name="gk", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(FAILED)
    except BaseExceptionGroup as errors:
        fail(innermost(errors))
    except GkError as error:
        fail(error)


def fail(error: BaseException) -> None:
    """Say an expected error and exit with its code; let anything else through."""
    if not isinstance(error, GkError):
        raise error
    click.echo(f"gk: {error}", err=True)
    match error:
        case ConfigError():
            sys.exit(CONFIGURATION)
        case NoDaemon():
            sys.exit(NO_DAEMON)
        case Unavailable():
            sys.exit(TRY_AGAIN)
        case _:
            sys.exit(FAILED)


def innermost(error: BaseException) -> BaseException:
    """The one error inside groups of one; a service that failed to start is such."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
