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
from gk.store.directory import connect_reader, lock
from gk.store.reindex import reindex
from gk.store.salvage import Summary
from gk.store.verify import verify

PATIENCE = (30.0, 570.0)  # seconds for the filer to finish what is in the journal; between them it is looked why


@click.command("reindex")
@as_json
@click.pass_context
def command(context: click.Context, json_: bool) -> None:
    """Rebuild the index from the message files. The server must be stopped first."""
    config = configuration(context)
    discover.module("gk", "app")
    become_owner(config.data)
    try:
        asyncio.run(_file_first(config))
    except BrokenDatabase:
        pass  # nothing to file from; a new one is made
    summary = _locked(config)
    lines = [f"{summary.mailboxes} mailboxes, {summary.messages} messages"]
    lines += [f"{summary.adopted} taken in", f"{summary.dropped} gone"] if summary.adopted or summary.dropped else []
    show(_plain(summary), json_, "\n".join([", ".join(lines), *summary.lost]))


async def _file_first(config: Config) -> None:
    """What is still in the journal goes to its files, so that they are the whole truth."""
    app = discover.module("gk", "app")
    async with app.rooms(config) as rooms:
        for patience in PATIENCE:
            try:
                await asyncio.wait_for(rooms.store.filer.rest(), patience)
                return
            except TimeoutError:
                if await asyncio.to_thread(_damaged, config.data):
                    raise BrokenDatabase(f"{config.data} has a damaged database") from None
    raise Unavailable("messages that are only in the database do not get to their files; the log says why")


def _damaged(data: Path) -> bool:
    try:
        db = connect_reader(data)
        try:
            return any(problem.kind == "database" for problem in verify(db, data))
        finally:
            db.close()
    except Exception:  # whatever reading it raises is the damage
        return True


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
