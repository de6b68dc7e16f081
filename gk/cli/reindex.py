"""`gk reindex`: make the index agree with the message files, alone on the data directory."""

import asyncio
import dataclasses
import os
import sys

import click

from gk.cli.door import as_json, configuration, show
from gk.config import Config
from gk.errors import ConfigError
from gk.store.directory import lock
from gk.store.reindex import Summary, reindex

PATIENCE = 600.0  # seconds for the filer to finish what is in the journal


@click.command("reindex")
@as_json
@click.pass_context
def command(context: click.Context, json_: bool) -> None:
    """Rebuild the index from the message files. The server must be stopped first."""
    config = configuration(context)
    try:
        asyncio.run(_file_first(config))
    except ConfigError as error:
        if "damaged" not in str(error):
            raise
    except BaseExceptionGroup:
        pass  # the database broke while it was filed from; reindex makes a new one
    summary = _locked(config)
    lines = [f"{summary.mailboxes} mailboxes, {summary.messages} messages"]
    lines += [f"{summary.adopted} taken in", f"{summary.dropped} gone"] if summary.adopted or summary.dropped else []
    show(_plain(summary), json_, "\n".join([", ".join(lines), *summary.lost]))


async def _file_first(config: Config) -> None:
    """What is still in the journal goes to its files, so that they are the whole truth."""
    from gk import app

    async with app.rooms(config) as rooms:
        await asyncio.wait_for(rooms.store.filer.rest(), PATIENCE)


def _locked(config: Config) -> Summary:
    held = lock(config.data)
    try:
        with click.progressbar(length=0, label="reindex", file=sys.stderr) as bar:
            return reindex(config.data, bar.update)
    finally:
        os.close(held)


def _plain(summary: Summary) -> dict[str, object]:
    return {k: v for k, v in dataclasses.asdict(summary).items() if k != "taken_in"}
