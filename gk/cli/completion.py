"""`gk completion`: the script a shell sources to complete gk's verbs and options."""

import click
from click.shell_completion import get_completion_class

from gk.errors import Refused


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script: eval "$(gk completion bash)"."""
    kind = get_completion_class(shell)
    if kind is None:
        raise Refused(f"no completion for {shell}")
    click.echo(kind(context.find_root().command, {}, "gk", "_GK_COMPLETE").source())
