"""queue_tls: how sessions with other servers were encrypted, and why some were not."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from gk.actions.context import Context
from gk.actions.registry import action
from gk.errors import Refused
from gk.message.address import AddressError, ascii_domain
from gk.store.tls import DAY, DAYS

LONGEST = 1000  # rows in one answer


@dataclass(frozen=True, slots=True)
class Input:
    domain: str = ""
    days: int = 7


@dataclass(frozen=True, slots=True)
class Output:
    results: list[dict[str, Any]]
    more: bool


@action("queue_tls", scope="admin")
async def queue_tls(context: Context, input: Input) -> Output:
    """Show what TLS came to in sessions with other servers, by recipient domain, as TLS reports count it (RFC 8460).

    A row has the policy (sts, tlsa or no-policy-found), the result ("success" or what failed), the server where it
    failed, the number of sessions, and the first and last day (UTC). Up to 1,000 rows of the last `days`, 7 unless
    said otherwise and 90 at most, failures first; `more` says that there are others. Counts are a minute late.
    """
    if not 1 <= input.days <= DAYS:
        raise Refused(f"results are kept for {DAYS} days")
    try:
        domain = ascii_domain(input.domain.removesuffix("."))
    except AddressError:
        raise Refused("that is no domain") from None
    since = int(time.time()) // DAY - input.days + 1
    found = context.store.tls.summary(since, domain, LONGEST + 1)
    rows = [
        asdict(row) | {"result": row.result or "success", "first": _date(row.first), "last": _date(row.last)}
        for row in found[:LONGEST]
    ]
    return Output(rows, len(found) > LONGEST)


def _date(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day * DAY))
