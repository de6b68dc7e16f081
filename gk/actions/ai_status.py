"""ai_status: whether answers are written, by which rules, and how many there are of each kind."""

from dataclasses import dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.store.queued import Chosen
from gk.store.replies import AI, EVERYBODY, STATES

HELD = 1000  # messages of the queue that are counted


@dataclass(frozen=True, slots=True)
class Input:
    pass


@dataclass(frozen=True, slots=True)
class Output:
    writing: bool
    stopped: int
    stops: list[dict[str, Any]]
    rules: list[dict[str, str]]
    models: bool
    counts: dict[str, int]
    held: int


@action("ai_status", scope="admin")
async def ai_status(context: Context, input: Input) -> Output:
    """Tell whether answers to mail are written: there are rules, and nobody stopped it.

    `stopped` is since when it is stopped for all, in seconds since 1970, 0: it is not; `stops` are those of single
    users. `counts` are messages by state: pending, processing, completed, failed, skipped. `held` are answers in the
    queue that wait for a person, 1,000 at most.
    """
    store, deciding = context.store, context.deciding
    stops = dict(store.replies.stops())
    everybody = stops.pop(EVERYBODY, 0)
    named = [
        {"address": one.address, "since": stops[one.id]} for one in store.accounts.all() if one.id in stops
    ]  # fmt: skip
    rules = [
        {"name": rule.name, "action": rule.action, "template": rule.template}
        for rule in (deciding.policy.config.rules if deciding else ())
    ]
    found = store.replies.counts()
    held = len(store.outgoing.list(limit=HELD, chosen=Chosen(status="held", origin=AI)))
    counts = {state: found.get(state, 0) for state in STATES}
    return Output(bool(rules) and not everybody, everybody, named, rules, bool(context.models), counts, held)
