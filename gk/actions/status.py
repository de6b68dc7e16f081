"""status: is the server well?"""

import os
from dataclasses import dataclass, field
from typing import Any

from gk import __version__
from gk.actions.activity import last_day
from gk.actions.context import Context
from gk.actions.registry import action
from gk.ai.models import Health
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
    queue: int = 0
    waiting: dict[str, int] = field(default_factory=dict)
    models: list[Health] = field(default_factory=list)
    today: dict[str, Any] = field(default_factory=dict)
    remotes: int = 0
    remotes_failing: int = 0


@action("status", scope="admin")
async def status(context: Context, input: Input) -> Output:
    """Tell the version and process, why the store is read-only if it is, and the metrics in Prometheus' format.

    `queue` counts messages on their way out, `waiting` mail that is not triaged or decided about yet, `models` tells
    how each language model does, and `today` what was done in the last 24 hours, as the action activity has it.
    `remotes` are the accounts elsewhere that are kept in step, of which so many fail.
    """
    metrics = exposition().decode() if input.metrics else ""
    store = context.store
    waiting = {"triage": store.triages.waiting(), "replies": store.replies.waiting()}
    remotes = context.remotes.health()
    failing = sum(one.state in ("failing", "without owner") for one in remotes)
    return Output(
        __version__, os.getpid(), store.commits.broken, metrics, store.outgoing.count, waiting,
        context.models.health(), last_day(context), len(remotes), failing,
    )  # fmt: skip
