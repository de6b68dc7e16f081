"""status: is the server well?"""

import os
from dataclasses import dataclass

from gk import __version__
from gk.actions.context import Context
from gk.actions.registry import action
from gk.metrics import exposition


@dataclass(frozen=True, slots=True)
class Input:
    metrics: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    version: str
    process: int
    read_only: str | None
    metrics: str


@action("status", scope="admin")
async def status(context: Context, input: Input) -> Output:
    """Tell the version and process, why the store is read-only if it is, and the metrics in Prometheus' format."""
    metrics = exposition().decode() if input.metrics else ""
    return Output(__version__, os.getpid(), context.store.commits.broken, metrics)
