"""`gk serve`: run the server until SIGTERM or SIGINT."""

import asyncio
import os
import signal
from collections.abc import Callable

import click

from gk import app, log
from gk.actions.context import Rooms
from gk.cli.door import configuration
from gk.config import Config


@click.command("serve")
@click.pass_context
def command(context: click.Context) -> None:
    """Run the server in the foreground; SIGHUP reloads, SIGTERM stops."""
    config = configuration(context)
    log.setup(config.log.level, config.log.format)
    run(config)


def run(config: Config, ready: Callable[[Rooms], None] = lambda rooms: None) -> None:
    """Serve until a signal asks to stop."""
    os.umask(0o077)
    asyncio.run(_until_signal(config, ready))


async def _until_signal(config: Config, ready: Callable[[Rooms], None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await app.serve(config, stop, ready)
