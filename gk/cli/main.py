"""The command group, its exit codes, and how errors are said.

0 done, 1 refused or failed, 2 usage, 69 no daemon to reach, 75 try again, 78 configuration (sysexits.h).
"""

import difflib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click

from gk import __version__, discover
from gk.control.client import NoDaemon
from gk.errors import ConfigError, GkError, Unavailable

FAILED, NO_DAEMON, TRY_AGAIN, CONFIGURATION, INTERRUPTED = 1, 69, 75, 78, 130
VERBS = {  # verb → its line of help, so that `gk --help` loads none of them
    "init": "Write a first configuration and account.",
    "serve": "Run the server.",
    "demo": "Run everything on loopback with sample mail.",
    "user": "Accounts and their passwords.",
    "rule": "Rules about where a user's mail goes.",
    "vacation": "Answers while a user is away.",
    "queue": "The outgoing queue.",
    "suppression": "Addresses nothing is sent to.",
    "dns": "The DNS records a domain needs, and whether they are there.",
    "dkim": "The keys that sign outgoing mail.",
    "search": "Find messages of an account.",
    "activity": "What was received, sent and answered, by hour or day.",
    "erase": "Erase a person out of everything that is kept.",
    "ask": "Ask about mail in English or French.",
    "ai": "The assistant: its models, what they cost, the answers it writes.",
    "why": "Why a message is where it is.",
    "spam": "What was learnt about junk.",
    "rejects": "Messages that were not taken.",
    "remote": "Mailboxes users have elsewhere, kept in step.",
    "ban": "Addresses that are not served for a while.",
    "reports": "What others report of mail in our name.",
    "config": "Show, check or change the configuration.",
    "status": "Is the server well? Its metrics.",
    "verify": "Compare the index with the message files.",
    "reindex": "Rebuild the index from the message files.",
    "import": "Take in mail from a Maildir, mbox files or an IMAP account.",
    "export": "Write mail to a Maildir, mbox files or an IMAP account.",
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


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a verb; every expected error is one line on standard error, and an exit code."""
    try:
        sys.exit(group(arguments, prog_name="gk", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        fail("aborted", FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read the output has gone
        sys.exit(FAILED)
    except Exception as error:
        known = [leaf for leaf in leaves(error) if isinstance(leaf, GkError | OSError)]
        if not known:
            raise
        first, *others = dict.fromkeys((_sentence(leaf), _code(leaf)) for leaf in known)
        for sentence, _ in others:
            click.echo(f"gk: {sentence}", err=True)
        fail(*first)


def fail(sentence: str, code: int) -> NoReturn:
    """Say why in one line, and exit."""
    click.echo(f"gk: {sentence}", err=True)
    sys.exit(code)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors inside groups: a service that fails to start ends the groups of all the others."""
    waiting = [error]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, BaseExceptionGroup):
            waiting += reversed(inner.exceptions)
        else:
            yield inner


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and not isinstance(error, GkError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return " ".join(str(error).split())


def _code(error: BaseException) -> int:
    match error:
        case ConfigError():
            return CONFIGURATION
        case NoDaemon():
            return NO_DAEMON
        case Unavailable():
            return TRY_AGAIN
        case _:
            return FAILED
