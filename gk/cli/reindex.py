"""`gk reindex`: make the index agree with the message files, alone on the data directory."""

import asyncio
import dataclasses
import os
from pathlib import Path

import click

from gk import discover
from gk.cli.door import Bar, as_json, become_owner, configuration, show
from gk.config import Config
from gk.errors import BrokenDatabase, Unavailable
from gk.store.directory import lock
from gk.store.reindex import reindex
from gk.store.salvage import Summary

PATIENCE = 600.0  # seconds for the filer to finish what is in the journal


@click.command("reindex")
@as_json
@click.pass_context
def command(context: click.Context, json_: bool) -> None:
    """Rebuild the index from the message files. The server must be stopped first."""
    config = configuration(context)
    become_owner(config.data)
    try:
        asyncio.run(_file_first(config))
    except BrokenDatabase:
        pass  # nothing to file from; a new one is made
    except ExceptionGroup as errors:
        if errors.subgroup(Unavailable):
            raise
        # else the database broke while it was filed from
    summary = _locked(config)
    lines = [f"{summary.mailboxes} mailboxes, {summary.messages} messages"]
    lines += [f"{summary.adopted} taken in", f"{summary.dropped} gone"] if summary.adopted or summary.dropped else []
    show(_plain(summary), json_, "\n".join([", ".join(lines), *summary.lost]))


async def _file_first(config: Config) -> None:
    """What is still in the journal goes to its files, so that they are the whole truth."""
    app = discover.module("gk", "app")
    async with app.rooms(config) as rooms:
        try:
            await asyncio.wait_for(rooms.store.filer.idle.wait(), PATIENCE)
        except TimeoutError:
            raise Unavailable("messages that are only in the database do not get to their files; see the log") from None


def _locked(config: Config) -> Summary:
    held = lock(config.data)
    try:
        total, done = _files(config.data / "mail"), 0

        def progress(count: int) -> None:
            nonlocal done
            done += count
            bar.show(min(done, total), total)

        with Bar("reindex") as bar:
            return reindex(config.data, progress)
    finally:
        os.close(held)


def _files(mail: Path) -> int:
    """How many message files there are."""
    return sum(len(files) for folder, _, files in os.walk(mail) if folder.endswith("/cur"))


def _plain(summary: Summary) -> dict[str, object]:
    return {k: v for k, v in dataclasses.asdict(summary).items() if k != "taken_in"}
