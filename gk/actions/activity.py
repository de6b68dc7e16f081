"""activity: what the server did, by hour or day."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import BadArguments, action
from gk.store.activity import HOUR
from gk.store.counting import KINDS, TRIAGED

MOST = 400 * 24  # hours
DAY = 24


@dataclass(frozen=True, slots=True)
class Input:
    hours: int = 24
    by: str = "hour"


@dataclass(frozen=True, slots=True)
class Output:
    periods: list[dict[str, Any]]


@action("activity", scope="admin")
async def activity(context: Context, input: Input) -> Output:
    """Tell what was received, refused, sent and so on, by hour or day (UTC), the newest first, up to the last minute.

    `success` is the share of what was sent among what was sent or failed for good, and `errors` that of attempts which
    were deferred or failed, null where there was nothing; `model_time` is the mean of an answer in seconds;
    `categories` says how much of what triage judged was of which.
    """
    if not 1 <= input.hours <= MOST or input.by not in ("hour", "day"):
        raise BadArguments(f"the argument hours is from 1 to {MOST}, and by is hour or day")
    size = DAY if input.by == "day" else 1
    form = "%Y-%m-%d" if input.by == "day" else "%Y-%m-%dT%H:00Z"
    first = int(time.time()) // HOUR - input.hours + 1
    periods: dict[int, dict[str, float]] = {}
    for hour, kind, amount in context.store.activity.since(first):
        counts = periods.setdefault(hour // size, dict.fromkeys(KINDS, 0.0))
        counts[kind] = counts.get(kind, 0.0) + amount
    return Output([_told(datetime.fromtimestamp(n * size * HOUR, UTC).strftime(form), c) for n, c in periods.items()])


def last_day(context: Context) -> dict[str, Any]:
    """What was done in this hour and the 23 before it; {} for nothing."""
    rows = context.store.activity.since(int(time.time()) // HOUR - DAY + 1)
    counts = dict.fromkeys(KINDS, 0.0)
    for _, kind, amount in rows:
        counts[kind] = counts.get(kind, 0.0) + amount
    return _told("24 h", counts) if rows else {}


def _told(period: str, counts: dict[str, float]) -> dict[str, Any]:
    told: dict[str, Any] = {"period": period, "categories": {}}
    for kind, amount in counts.items():
        if kind.startswith(TRIAGED):
            if amount:
                told["categories"][kind.removeprefix(TRIAGED)] = int(amount)
        elif kind != "model_seconds":
            told[kind] = int(amount)
    sent, failed, deferred, calls = (counts[kind] for kind in ("sent", "failed", "deferred", "model_calls"))
    told["success"] = _share(sent, sent + failed)
    told["errors"] = _share(deferred + failed, sent + deferred + failed)
    told["model_time"] = round(counts["model_seconds"] / calls, 3) if calls else None
    return told


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None
